import { expect, test } from "vitest";
import { setup } from "../../test/dispatch-world.ts";

test("a task that asks for labels starts on a worker that has them all, and on no other", async () => {
  const t = await setup();
  const plain = t.worker({ name: "plain" });
  const european = t.worker({ name: "european", labels: { region: "eu" } });
  const both = t.worker({ name: "both", labels: { region: "eu", gpu: "a100" } });
  await t.insert([t.task({ requires: { gpu: "a100", region: "eu" } })]);
  await t.clock.advance(100);
  expect([plain, european, both].map(({ tasks }) => tasks.length)).toEqual([0, 0, 1]);
  await t.insert([t.task({ requires: { region: "eu" }, dueAt: t.clock.now() + 200 })]);
  await t.clock.advance(300);
  expect(plain.tasks).toEqual([]);
  expect(european.tasks.length + both.tasks.length).toBe(2);
});

test("every worker has the label worker with its name, so that a task goes to one worker", async () => {
  const t = await setup();
  const workers = ["a", "b", "c"].map((name) => t.worker({ name }));
  await t.insert(["c", "a", "c"].map((worker) => t.task({ requires: { worker } })));
  await t.clock.advance(100);
  expect(workers.map(({ tasks }) => tasks.length)).toEqual([1, 0, 2]);
});

test("tasks whose labels no worker has delay nobody else, and start when one comes", async () => {
  const t = await setup();
  const worker = t.worker();
  await t.insert([...Array(10_000)].map(() => t.task({ requires: { region: "mars" } })));
  await t.clock.advance(1_100);
  await t.insert([t.task()]);
  const insertedAt = t.clock.now();
  await t.clock.advance(20);
  expect(worker.received[0]!.at - insertedAt).toBeLessThanOrEqual(5);
  expect(worker.tasks).toHaveLength(1);
  const late = t.worker({ name: "late", labels: { region: "mars" }, slots: 5 });
  await t.clock.advance(100);
  expect(late.tasks).toHaveLength(5);
  expect(worker.tasks).toHaveLength(1);
});

test("a worker with the same queues and types as others, that comes later with a label, gets what waits for it", async () => {
  const t = await setup();
  t.worker({ name: "first" });
  await t.insert([t.task({ requires: { disk: "ssd" } })]);
  await t.clock.advance(1_500);
  const second = t.worker({ name: "second", labels: { disk: "ssd" } });
  await t.clock.advance(100);
  expect(second.tasks).toHaveLength(1);
});

test("a busy worker shares its slots between what asks for it and what anybody may run", async () => {
  const t = await setup();
  const worker = t.worker({ name: "only", slots: 1 });
  worker.onTask = (task) => void t.clock.after(100, () => worker.end(task, undefined, 100));
  await t.knowLane();
  await t.knowLane({ requires: { worker: "only" } });
  const anyone = await t.insert([...Array(50)].map(() => t.task()));
  await t.clock.advance(350);
  const own = await t.insert([...Array(20)].map(() => t.task({ requires: { worker: "only" } })));
  const before = worker.received.length;
  await t.clock.advance(2_500);
  const started = worker.tasks.slice(before).map(({ id }) => (own.includes(id) ? "own" : "any"));
  expect(started.length).toBeGreaterThan(15);
  // Neither side waits for the other to be done.
  expect(started.filter((kind) => kind === "own").length).toBeGreaterThanOrEqual(started.length / 3);
  expect(started.filter((kind) => kind === "any").length).toBeGreaterThanOrEqual(started.length / 3);
  await t.clock.advance(10_000);
  const ended = await Promise.all([...anyone, ...own].map(async (id) => (await t.state(id)).state));
  expect(ended.every((state) => state === "succeeded")).toBe(true);
});

test("a busy worker shares its slots with what asks for it in a limited queue, too", async () => {
  const t = await setup({ callMs: 2 });
  await t.store.putQueue({ namespace: "default", name: "few", settings: { concurrency: 5 }, now: t.clock.now() });
  const worker = t.worker({ name: "only", slots: 2, queues: ["default", "few"] });
  worker.onTask = (task) => void t.clock.after(100, () => worker.end(task, undefined, 100));
  await t.knowLane();
  await t.knowLane({ queue: "few" });
  await t.knowLane({ queue: "few", requires: { worker: "only" } });
  await t.insert([...Array(500)].map((_, index) => t.task({ queue: index % 2 ? "few" : "default" })));
  await t.clock.advance(350);
  const own = await t.insert([...Array(10)].map(() => t.task({ queue: "few", requires: { worker: "only" } })));
  await t.clock.advance(4_000);
  const states = await Promise.all(own.map(async (id) => (await t.state(id)).state));
  expect(states.filter((state) => state === "succeeded").length).toBeGreaterThanOrEqual(8);
});

test("what was claimed for a worker that leaves goes to another one with the labels", async () => {
  const t = await setup();
  const first = t.worker({ name: "first", labels: { region: "eu" } });
  const [id] = await t.insert([t.task({ requires: { region: "eu" }, dueAt: t.clock.now() + 800 })]);
  await t.clock.advance(300);
  expect((await t.state(id!)).state).toBe("claimed");
  const second = t.worker({ name: "second", labels: { region: "eu", zone: "b" } });
  first.leave();
  await t.clock.advance(1_000);
  expect(first.tasks).toEqual([]);
  expect(second.tasks.map((task) => task.id)).toEqual([id]);
});

test("slots are reserved for an insert only where the labels are", async () => {
  const t = await setup();
  const worker = t.worker({ name: "w", labels: { region: "eu" }, slots: 2 });
  t.worker({ name: "other", slots: 7 });
  const name = { namespace: "default", queue: "default", type: "t" };
  await t.knowLane({ requires: { region: "eu" } });
  await t.knowLane({ requires: { region: "us" } });
  const { dispatcher, session } = t.engine;
  expect(dispatcher.reserve({ ...name, requires: { region: "us" } }, 1)).toBe(0);
  expect(dispatcher.reserve({ ...name, requires: { region: "eu" } }, 5)).toBe(2);
  const tasks = [t.task({ requires: { region: "eu" } })];
  const answer = await t.store.createTasks(tasks, { now: t.clock.now(), claim: { session: session.id!, count: 1 } });
  dispatcher.release({ ...name, requires: { region: "eu" } }, 1);
  dispatcher.handOut(answer.kind === "created" ? answer.claimed : []);
  await t.clock.advance(0);
  expect(worker.tasks.map(({ id }) => id)).toEqual([tasks[0]!.id]);
});

test("tasks for each of 200 workers of a node are found at once, and leave nothing behind", async () => {
  const t = await setup();
  const workers = [...Array(200).keys()].map((n) => t.worker({ name: `w-${n}` }));
  await t.clock.advance(1_100);
  for (let round = 0; round < 3; round++) {
    await t.insert(workers.map((_, n) => t.task({ requires: { worker: `w-${n}` } })));
    await t.clock.advance(1_200);
    expect(workers.every(({ tasks }) => tasks.length === round + 1)).toBe(true);
    for (const worker of workers) worker.endAll(worker.tasks.slice(-1));
    await t.clock.advance(50);
  }
});
