import { createIdSource, defaultPolicy } from "@carillon/core";
import { expect, test } from "vitest";
import type { NewTask } from "../store.ts";
import { createMemoryDatabase, createMemoryStore } from "./index.ts";

test("a hundred thousand tasks are created, claimed and finished in seconds", { timeout: 20_000 }, async () => {
  const store = createMemoryStore(createMemoryDatabase({ now: () => 0 }));
  const ids = createIdSource({ cell: 0, slot: 16 });
  const count = 100_000;
  const now = Date.UTC(2026, 0, 1);
  const tasks = Array.from(
    { length: count },
    (_, index): NewTask => ({
      id: ids.next(now),
      namespace: "default",
      type: "work",
      queue: "default",
      priority: 5,
      // Out of order, so that the queue has something to sort.
      dueAt: now + ((index * 7_919) % count),
      policy: defaultPolicy,
      payload: null,
      trigger: "api",
      scheduleId: null,
      fireAt: null,
      uniqueKey: null,
      tags: [],
      replayOf: null,
    }),
  );
  const session = await store.openSession({ node: "one", url: null, now });
  await store.createTasks(tasks, { now });
  const [lane] = await store.lanes();
  let finished = 0;
  let last = 0;
  while (finished < count) {
    const targets = [{ laneId: lane!.id, band: 2 as const, limit: 100 }];
    const claimed = await store.claim({ session: session.id, targets, until: now + count, limit: 100, now });
    for (const task of claimed) {
      expect(task.dueAt).toBeGreaterThanOrEqual(last);
      last = task.dueAt;
    }
    const outcomes = claimed.map(({ id, token }) => ({
      id,
      token,
      decision: { kind: "final", state: "succeeded", result: null, error: null, reason: null } as const,
      startedAt: now,
      finishedAt: now,
      worker: "w",
      lost: false,
    }));
    finished += (await store.recordOutcomes(outcomes)).filter(Boolean).length;
  }
  expect(finished).toBe(count);
});
