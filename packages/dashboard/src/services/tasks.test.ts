import { expect, test } from "vitest";
import { likeTask, type Task } from "./tasks.ts";

test("another task like this one has its limits too, and not its past", () => {
  const retry = { maxAttempts: 2, backoff: { kind: "fixed", initial: "1s", factor: 1, max: "1s", jitter: "none" } };
  const task = {
    id: "task_0000000000001",
    type: "report",
    queue: "slow",
    state: "failed",
    priority: 3,
    payload: { a: 1 },
    tags: ["x"],
    requires: { region: "eu" },
    retry,
    timeout: "5m",
    attempt: 2,
    error: { code: "handler_error", name: null, message: "no" },
  } as unknown as Task;
  expect(likeTask(task)).toEqual({
    type: "report",
    queue: "slow",
    priority: 3,
    payload: { a: 1 },
    tags: ["x"],
    requires: { region: "eu" },
    retry,
    timeout: "5m",
  });
});
