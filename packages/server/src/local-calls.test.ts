import { CarillonError } from "@carillon/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp, type TestApp } from "../test/http/setup.ts";
import { localCalls } from "./local-calls.ts";

let t: TestApp;
beforeAll(async () => {
  t = await startApp();
});
afterAll(() => t.close());

const wrong: Record<string, object> = {
  "no type": {},
  "an unknown field": { type: "a", colour: "red" },
  "a priority out of range": { type: "a", priority: 10 },
  "a payload with half a character": { type: "a", payload: "\ud800" },
  "a payload with a forbidden key": { type: "a", payload: JSON.parse('{"__proto__": 1}') },
  "a built-in type's payload": { type: "sleep", payload: { for: 5 } },
  "a payload that is too large": { type: "a", payload: "x".repeat(300 * 1_024) },
  "both a delay and an instant": { type: "a", delay: "1s", dueAt: new Date(0) },
};

for (const [what, body] of Object.entries(wrong)) {
  test(`a node's own client is refused ${what} as over HTTP`, async () => {
    const { status, body: problem } = await t.call("POST", "/api/v1/tasks", body);
    expect(status).toBeGreaterThanOrEqual(400);
    const error = await localCalls(t.deps)
      .createTask(body)
      .catch((error: unknown) => CarillonError.from(error));
    expect(error).toMatchObject({ code: problem.code, errors: problem.errors });
    const many = await localCalls(t.deps)
      .createTasks({ tasks: [{ type: "a" }, body] })
      .catch((error: unknown) => CarillonError.from(error));
    expect(many).toMatchObject({ code: problem.code });
  });
}

test("a node's own client creates what the API would, and says what was there before", async () => {
  const calls = localCalls(t.deps);
  const body = { type: "a", dueAt: new Date(t.clock.now() + 1_000), payload: { at: new Date(0), gone: undefined } };
  const { id } = await calls.createTask({ ...body, uniqueKey: "k" });
  const { body: task } = await t.call("GET", `/api/v1/tasks/${id}`);
  expect(task).toMatchObject({
    state: "scheduled",
    dueAt: body.dueAt.toISOString(),
    payload: { at: "1970-01-01T00:00:00.000Z" },
  });
  expect(await calls.createTask({ ...body, uniqueKey: "k" })).toEqual({ id, created: false });
  const several = await calls.createTasks({ tasks: [body, { ...body, uniqueKey: "k" }] });
  expect(several).toEqual([
    { id: expect.stringMatching(/^task_/), created: true },
    { id, created: false },
  ]);
});
