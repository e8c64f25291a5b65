import { defaultDst, defaultPolicy } from "@carillon/core";
import { expect, test } from "vitest";
import { setup } from "../../test/dispatch-world.ts";
import type { BackfillRequest } from "../operations/backfill.ts";

const HOUR = 3_600_000;

/** A backfill of so many hourly fires, the last of which was an hour ago. */
async function begin(hours: number) {
  const t = await setup();
  const to = Math.floor(t.clock.now() / HOUR) * HOUR;
  const rule = {
    cron: "0 * * * *",
    every: null,
    timeZone: "UTC",
    dialect: "ocps" as const,
    dst: defaultDst,
    jitter: null,
    startAt: null,
    endAt: null,
    maxFires: null,
  };
  const task = { type: "t", payload: '"again"', queue: null, priority: 5, retry: null, timeoutMs: null, tags: [] };
  const put = await t.store.putSchedule({
    id: t.task().id,
    namespace: "default",
    name: "hourly",
    definition: { rule, catchUp: { policy: "skip", windowMs: 0, limit: 1 }, overlap: "allow", task },
    paused: true,
    now: t.clock.now(),
    nextFireAt: null,
  });
  if (!("schedule" in put)) throw new Error(put.kind);
  const { id: scheduleId } = put.schedule;
  const { type, priority, payload, tags } = task;
  const request: BackfillRequest = {
    rule,
    calendars: [],
    from: to - hours * HOUR,
    to,
    version: 1,
    task: { type, queue: "default", policy: defaultPolicy, priority, payload, tags },
  };
  const operation = {
    id: t.task().id,
    namespace: "default",
    kind: "backfill" as const,
    scheduleId,
    request: JSON.stringify(request),
    matched: hours,
  };
  return {
    ...t,
    begin: () => t.store.createOperation(operation, t.clock.now()),
    operation: async () => (await t.store.getOperation("default", operation.id))!,
    fires: async () =>
      (await t.store.listFires(scheduleId, { from: 0, to, pageSize: 1_000, after: null })).items.map(
        (fire) => fire.fireAt,
      ),
    expected: Array.from({ length: hours }, (_, hour) => to - (hours - hour) * HOUR),
  };
}

test("a backfill has a quarter of the slots at most, and goes on as its tasks end", async () => {
  const t = await begin(6);
  const worker = t.worker({ slots: 8 });
  await t.clock.advance(1_100);
  await t.begin();
  const counts: number[] = [];
  for (let turn = 0; turn < 3; turn++) {
    await t.clock.advance(3_000);
    counts.push(worker.tasks.length);
    worker.endAll(worker.tasks.slice(-2));
  }
  expect(counts).toEqual([2, 4, 6]);
  await t.clock.advance(1_100);
  expect(await t.operation()).toMatchObject({ state: "done", done: 6, skipped: 0 });
  expect(worker.tasks.map(({ fireAt }) => fireAt)).toEqual(t.expected);
  expect(worker.tasks.map(({ payload }) => payload)).toEqual(t.expected.map(() => '"again"'));
});

test("a backfill outlives the node that began it, and each of its fires has one task", async () => {
  const t = await begin(6);
  const other = await t.startNode("node-2");
  const first = t.worker({ slots: 4, name: "w-1" });
  await t.clock.advance(1_100);
  await t.begin();
  await t.clock.advance(2_000);
  expect(first.tasks).toHaveLength(1);
  await Promise.all([t.engine.stop(), t.clock.advance(2_000)]);
  const second = t.worker({ slots: 4, name: "w-2", engine: other.engine });
  second.onTask = (task) => second.end(task);
  await t.clock.advance(15_000);
  expect(await t.operation()).toMatchObject({ state: "done", done: 6 });
  expect(await t.fires()).toEqual(t.expected);
  expect(new Set(second.tasks.map(({ fireAt }) => fireAt))).toEqual(new Set(t.expected));
});

test("where nobody runs the type, a backfill makes its tasks after a while, a hundred at most", async () => {
  const t = await begin(130);
  await t.clock.advance(1_100);
  await t.begin();
  await t.clock.advance(4_000);
  expect(await t.operation()).toMatchObject({ done: 0 });
  await t.clock.advance(10_000);
  expect(await t.operation()).toMatchObject({ state: "running", done: 100 });
});
