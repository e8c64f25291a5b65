import { defaultPolicy } from "@carillon/core";
import { expect, test } from "vitest";
import { failed, setup } from "../../test/dispatch-world.ts";

test("a killed worker's task runs again within a second, and the loss is counted", async () => {
  const t = await setup();
  const worker = t.worker();
  const other = t.worker({ name: "w-2", slots: 0 });
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  other.send({ kind: "capacity", slots: 10 });
  worker.vanish();
  const killedAt = t.clock.now();
  await t.clock.advance(1_000);
  expect(other.tasks).toMatchObject([{ id, attempt: 2 }]);
  expect(other.received[0]!.at - killedAt).toBeLessThan(1_000);
  other.end(other.tasks[0]!);
  await t.clock.advance(100);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 1, attempts: [{ outcome: "lost" }, {}] });
});

test("a worker that comes back within the grace keeps its tasks", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  const task = worker.tasks[0]!;
  worker.vanish();
  await t.clock.advance(500);
  const again = t.worker({ held: [task] });
  await t.clock.advance(2_000);
  expect(again.heardKinds()).toEqual(["welcome"]);
  again.end(task, { kind: "succeeded", result: "1" });
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 0, attempt: 1, result: "1" });
  expect(again.recorded).toEqual([{ id, accepted: true }]);
});

test("a worker that moves to another node keeps its tasks", async () => {
  const t = await setup();
  const worker = t.worker();
  const other = await t.startNode("node-2");
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  const task = worker.tasks[0]!;
  worker.vanish();
  await t.clock.advance(300);
  const moved = t.worker({ engine: other.engine, held: [task] });
  await t.clock.advance(5_000);
  moved.end(task);
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 0, attempt: 1 });
});

test("a worker that goes elsewhere while the store is away from every node keeps its tasks", async () => {
  const t = await setup();
  const worker = t.worker();
  const other = await t.startNode("node-2");
  await t.clock.advance(2_000);
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  const task = worker.tasks[0]!;
  for (const faults of [t.faults, other.faults]) Object.assign(faults, { cutOff: true, timeoutMs: 1_000 });
  await t.clock.advance(3_000);
  expect(worker.heardKinds()).toContain("go-elsewhere");
  worker.leave();
  const moved = t.worker({ engine: other.engine, held: [task] });
  await t.clock.advance(18_000);
  // The node that held the task reaches the store first.
  t.faults.cutOff = false;
  await t.clock.advance(2_000);
  other.faults.cutOff = false;
  await t.clock.advance(10_000);
  moved.end(task);
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 0, attempt: 1 });
  expect(moved.heardKinds()).not.toContain("lost");
});

test("a worker that goes to another node and comes back while the store is away keeps its tasks", async () => {
  const t = await setup();
  const worker = t.worker();
  const other = await t.startNode("node-2");
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  const task = worker.tasks[0]!;
  for (const faults of [t.faults, other.faults]) Object.assign(faults, { cutOff: true, timeoutMs: 1_000 });
  await t.clock.advance(3_000);
  worker.leave();
  const moved = t.worker({ engine: other.engine, held: [task] });
  await t.clock.advance(200);
  moved.leave();
  const back = t.worker({ held: [task] });
  await t.clock.advance(2_000);
  // The node that it passed through reaches the store first.
  other.faults.cutOff = false;
  await t.clock.advance(500);
  t.faults.cutOff = false;
  await t.clock.advance(15_000);
  back.end(task);
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 0, attempt: 1 });
  expect(back.heardKinds()).not.toContain("lost");
});

test("a worker that comes back while the store is away and dies at once leaves nothing behind", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  const task = worker.tasks[0]!;
  Object.assign(t.faults, { cutOff: true, timeoutMs: 1_000 });
  worker.vanish();
  const back = t.worker({ held: [task] });
  await t.clock.advance(100);
  back.vanish();
  t.worker({ name: "w-2" });
  await t.clock.advance(2_000);
  t.faults.cutOff = false;
  await t.clock.advance(10_000);
  expect(await t.state(id!)).toMatchObject({ state: "running", worker: "w-2", lost: 1 });
});

test("a lease that arrives at a node after its worker has gone on follows the worker", async () => {
  const t = await setup();
  const worker = t.worker();
  const other = await t.startNode("node-2");
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  const task = worker.tasks[0]!;
  Object.assign(other.faults, { slow: 1, slowMs: 2_000 });
  worker.leave();
  const moved = t.worker({ engine: other.engine, held: [task] });
  await t.clock.advance(5);
  moved.vanish();
  const back = t.worker({ held: [task] });
  await t.clock.advance(15_000);
  back.end(task);
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 0, attempt: 1 });
  expect(back.heardKinds()).not.toContain("lost");
});

test("a worker whose link broke during a short outage is not given up before the store could hear of it", async () => {
  const t = await setup();
  const worker = t.worker();
  const other = await t.startNode("node-2");
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  const task = worker.tasks[0]!;
  for (const faults of [t.faults, other.faults]) Object.assign(faults, { cutOff: true, timeoutMs: 100 });
  worker.vanish();
  const moved = t.worker({ engine: other.engine, held: [task] });
  await t.clock.advance(1_200);
  t.faults.cutOff = false;
  await t.clock.advance(500);
  other.faults.cutOff = false;
  await t.clock.advance(10_000);
  moved.end(task);
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 0, attempt: 1 });
  expect(moved.heardKinds()).not.toContain("lost");
});

test("a worker that came while the store was already away is not sent on", async () => {
  const t = await setup();
  const worker = t.worker();
  const other = await t.startNode("node-2");
  await t.clock.advance(2_000);
  t.faults.cutOff = true;
  await t.clock.advance(1_000);
  other.faults.cutOff = true;
  while (!worker.heardKinds().includes("go-elsewhere")) await t.clock.advance(10);
  expect(other.engine.session.cutOff()).toBe(false);
  worker.leave();
  const moved = t.worker({ engine: other.engine });
  await t.clock.advance(5_000);
  expect(other.engine.session.cutOff()).toBe(true);
  expect(moved.heardKinds()).toEqual(["welcome"]);
});

test("an outcome that a worker brings along is recorded when its task is adopted", async () => {
  const t = await setup();
  const worker = t.worker();
  const other = await t.startNode("node-2");
  const { retry } = defaultPolicy;
  const policy = { ...defaultPolicy, retry: { ...retry, backoff: { ...retry.backoff, jitter: "none" as const } } };
  const [id] = await t.insert([t.task({ policy })]);
  await t.clock.advance(100);
  const task = worker.tasks[0]!;
  worker.vanish();
  const moved = t.worker({ engine: other.engine, held: [task] });
  moved.end(task, failed());
  await t.clock.advance(20);
  expect(moved.recorded).toEqual([{ id, accepted: true }]);
  expect(await t.state(id!)).toMatchObject({ failures: 1, attempts: [{ outcome: "failed" }] });
});

test("a worker is told that a task it presents is no longer its own", async () => {
  const t = await setup();
  const [id] = await t.insert([t.task({ dueAt: t.clock.now() + 1e6 })]);
  const worker = t.worker({ held: [{ id: id!, token: 7n }] });
  await t.clock.advance(10);
  expect(worker.heard).toContainEqual({ kind: "lost", tasks: [{ id, token: 7n }] });
});

test("a worker on a silent link is given up, and its task runs elsewhere", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  worker.fallSilent();
  const other = t.worker({ name: "w-2" });
  await t.clock.advance(9_500);
  expect(other.tasks).toMatchObject([{ id, attempt: 2 }]);
});

test("a drained node's workers take their running tasks to another node", async () => {
  const t = await setup();
  const other = await t.startNode("node-2");
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(1_000);
  const drained = t.engine.drain(10_000);
  await t.clock.advance(50);
  expect(worker.heard.at(-1)).toEqual({ kind: "go-elsewhere", nodes: ["http://node-2"] });
  worker.leave();
  const moved = t.worker({ engine: other.engine, held: worker.tasks });
  await t.clock.advance(4_000);
  await drained;
  moved.end(worker.tasks[0]!);
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 0, attempt: 1 });
});

test("a node that was taken for dead goes on under a new session, and its running tasks with it", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(2_000);
  const before = t.engine.session.id!;
  const { beat } = (await t.store.sessions()).find((session) => session.id === before)!;
  await t.store.markSessionDead(before, beat, t.clock.now());
  await t.clock.advance(4_000);
  expect(t.engine.session.id).not.toBe(before);
  expect(worker.heardKinds()).not.toContain("lost");
  worker.end(worker.tasks[0]!);
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 0, attempt: 1 });
});

test("a worker that comes to a node which was taken for dead, and does not know it yet, keeps its tasks", async () => {
  const t = await setup();
  const paused = await t.startNode("node-2");
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  paused.faults.cutOff = true;
  await t.clock.advance(4_500);
  paused.faults.cutOff = false;
  const { token } = worker.tasks[0]!;
  const moved = t.worker({ engine: paused.engine, held: [{ id: id!, token }] });
  await t.clock.advance(6_000);
  expect(moved.heardKinds()).not.toContain("lost");
  moved.end({ id: id!, token });
  await t.clock.advance(100);
  expect(moved.recorded).toEqual([{ id, accepted: true }]);
});

test("a worker that stands still is not counted as lost: its tasks run elsewhere and are not quarantined", async () => {
  const t = await setup();
  const [id] = await t.insert([t.task()]);
  for (let life = 1; life <= 3; life++) {
    const worker = t.worker({ name: `w-${life}` });
    await t.clock.advance(500);
    expect(worker.tasks).toMatchObject([{ id }]);
    worker.fallSilent();
    await t.clock.advance(9_000);
  }
  expect(await t.state(id!)).toMatchObject({ state: "pending", lost: 0 });
});

test("what a node decides about an absent worker does not wait for the store behind other outcomes", async () => {
  const t = await setup();
  const worker = t.worker();
  const other = await t.startNode("node-2");
  const ids = await t.insert([t.task(), t.task(), t.task()]);
  await t.clock.advance(100);
  const [first, second, last] = ids.map((id) => worker.tasks.find((task) => task.id === id)!);
  for (const faults of [t.faults, other.faults]) Object.assign(faults, { cutOff: true, timeoutMs: 5_000 });
  worker.end(first!);
  await t.clock.advance(1);
  worker.end(second!);
  await t.clock.advance(1);
  worker.vanish();
  const moved = t.worker({ engine: other.engine, held: [last!] });
  await t.clock.advance(3_000);
  t.faults.cutOff = false;
  await t.clock.advance(2_500);
  other.faults.cutOff = false;
  await t.clock.advance(15_000);
  moved.end(last!);
  await t.clock.advance(10);
  expect(await t.state(last!.id)).toMatchObject({ state: "succeeded", lost: 0, attempt: 1 });
  expect(moved.heardKinds()).not.toContain("lost");
});

for (const order of [
  ["stale", "healthy"],
  ["healthy", "stale"],
] as const) {
  test(`two attempts of one task that come to a node together are told apart: the ${order[0]} one first`, async () => {
    const t = await setup();
    const [id] = await t.insert([t.task({ type: "elsewhere" })], false);
    const { id: session } = await t.store.openSession({ node: "gone", url: null, now: t.clock.now() });
    const [lane] = await t.store.lanes();
    const request = {
      session,
      targets: [{ laneId: lane!.id, band: 2 as const, limit: 1 }],
      until: t.clock.now(),
      limit: 1,
    };
    const [one] = await t.store.claim({ ...request, now: t.clock.now() });
    await t.store.giveBack(session, [one!]);
    const [two] = await t.store.claim({ ...request, now: t.clock.now() });
    Object.assign(t.faults, { slow: 1, slowMs: 300 });
    const workers = Object.fromEntries(
      order.map((name) => [name, t.worker({ name, held: [name === "stale" ? one! : two!] })]),
    );
    workers.stale!.end(one!, { kind: "succeeded", result: '"stale"' });
    await t.clock.advance(10_000);
    workers.healthy!.end(two!, { kind: "succeeded", result: '"healthy"' });
    await t.clock.advance(1_000);
    expect(await t.state(id!)).toMatchObject({ state: "succeeded", result: '"healthy"' });
    expect(workers.stale!.recorded).toEqual([{ id, accepted: false }]);
    expect(workers.healthy!.recorded).toEqual([{ id, accepted: true }]);
    expect(workers.healthy!.heardKinds()).not.toContain("lost");
  });
}

test("a worker that is back while its absence is being written is heard, also when that could not be written", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  const task = worker.tasks[0]!;
  Object.assign(t.faults, { cutOff: true, timeoutMs: 2_000 });
  worker.vanish();
  await t.clock.advance(1_100);
  const back = t.worker({ held: [task] });
  back.end(task);
  await t.clock.advance(100);
  t.faults.cutOff = false;
  await t.clock.advance(10_000);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 0, attempt: 1 });
  expect(back.recorded).toEqual([{ id, accepted: true }]);
});
