import { expect, test } from "vitest";
import { setup } from "../../test/dispatch-world.ts";

/** A round trip of 3 ms to the store, and a worker that ends what it gets at once unless a test says otherwise. */
async function world() {
  const t = await setup({ callMs: 3 });
  await t.knowLane();
  return t;
}

test("a task that was claimed ahead and finds a free slot is not late at all", async () => {
  const t = await world();
  const worker = t.worker();
  worker.onTask = (task) => worker.end(task, undefined, 0);
  await t.insert([t.task({ dueAt: t.clock.now() + 1_000 })]);
  await t.clock.advance(1_100);
  expect(t.lateness).toEqual([{ lateMs: 0, planner: 0, claim: 0, dispatch: 0, transport: 0, start: 0 }]);
});

test("what the store's round trip costs a task that is due at once counts as claim", async () => {
  const t = await world();
  const worker = t.worker();
  await t.clock.advance(100);
  worker.onTask = (task) => worker.end(task, undefined, 0);
  await t.insert([t.task()]);
  await t.clock.advance(100);
  const [{ lateMs, claim, ...others }] = t.lateness as [(typeof t.lateness)[0]];
  expect(claim).toBe(lateMs);
  expect(lateMs).toBeGreaterThan(0);
  expect(others).toEqual({ planner: 0, dispatch: 0, transport: 0, start: 0 });
});

test("what a task waits for a slot while its node has it counts as dispatch", async () => {
  const t = await world();
  const worker = t.worker({ slots: 2 });
  const dueAt = t.clock.now() + 500;
  await t.insert([t.task({ dueAt }), t.task({ dueAt })]);
  await t.clock.advance(400);
  worker.send({ kind: "capacity", slots: 1 });
  await t.clock.advance(100);
  const [first] = worker.tasks;
  t.clock.after(20, () => worker.end(first!, undefined, 20));
  await t.clock.advance(20);
  worker.end(worker.tasks[1]!, undefined, 0);
  await t.clock.advance(10);
  expect(t.lateness).toMatchObject([{ lateMs: 0 }, { lateMs: 20, claim: 0, dispatch: 20, transport: 0 }]);
});

test("of a round trip, what the worker did not spend is the way there and back", async () => {
  const t = await world();
  const worker = t.worker();
  const dueAt = t.clock.now() + 500;
  await t.insert([t.task({ dueAt })]);
  await t.clock.advance(500);
  const [task] = worker.tasks;
  await t.clock.advance(100);
  const { id, token } = task!;
  const report = { kind: "succeeded", result: null } as const;
  worker.send({ kind: "outcomes", outcomes: [{ id, token, report, waitedMs: 6, ranMs: 50, keptMs: 30 }] });
  await t.clock.advance(10);
  expect(t.lateness).toEqual([{ lateMs: 13, planner: 0, claim: 0, dispatch: 0, transport: 7, start: 6 }]);
  expect(await t.state(id)).toMatchObject({ startedAt: dueAt + 13, finishedAt: dueAt + 63 });
});

test("a task that still runs is counted once, with the way that its worker's last outcome told of", async () => {
  const t = await world();
  const worker = t.worker();
  const begin = t.clock.now();
  await t.insert([t.task({ dueAt: begin + 400 }), t.task({ dueAt: begin + 500 })]);
  await t.clock.advance(408);
  worker.end(worker.tasks[0]!, undefined, 0);
  await t.clock.advance(1_500);
  expect(t.lateness).toMatchObject([{ transport: 4 }, { lateMs: 4, transport: 4 }]);
  const [, long] = worker.tasks;
  const running = await t.state(long!.id);
  expect(running).toMatchObject({ state: "running", startedAt: begin + 504 });
  worker.end(long!, undefined, 1_000);
  await t.clock.advance(10);
  expect(await t.state(long!.id)).toMatchObject({ state: "succeeded", startedAt: begin + 504 });
  expect(t.lateness).toHaveLength(2);
});

test("a fire that was planned after its instant tells how late the planner was", async () => {
  const t = await world();
  const worker = t.worker();
  worker.onTask = (task) => worker.end(task, undefined, 0);
  const fireAt = Math.floor(t.clock.now()) - 2_000;
  await t.insert([t.task({ fireAt, dueAt: fireAt, trigger: "schedule" }), t.task({ dueAt: fireAt })]);
  await t.clock.advance(100);
  expect(t.lateness.map(({ planner }) => planner > 0)).toEqual([true, false]);
});

test("a worker whose clock runs fast cannot make a start look early", async () => {
  const t = await world();
  const worker = t.worker();
  const dueAt = t.clock.now() + 500;
  await t.insert([t.task({ dueAt })]);
  await t.clock.advance(600);
  const [task] = worker.tasks;
  worker.end(task!, undefined, 5_000);
  await t.clock.advance(10);
  expect(await t.state(task!.id)).toMatchObject({ state: "succeeded", startedAt: dueAt });
});
