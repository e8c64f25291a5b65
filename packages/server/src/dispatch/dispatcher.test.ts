import type { AssignedTask } from "@carillon/client";
import { defaultPolicy } from "@carillon/core";
import { newTask, seededRandom } from "@carillon/testkit";
import { expect, test, vi } from "vitest";
import { failed, setup } from "../../test/dispatch-world.ts";

test("a task due later starts at its instant, never early", async () => {
  const t = await setup({ callMs: 3 });
  const worker = t.worker();
  const dueAt = t.clock.now() + 5_000.5;
  await t.insert([t.task({ dueAt })]);
  await t.clock.advance(5_000);
  expect(worker.received).toEqual([]);
  await t.clock.advance(1);
  expect(worker.received.map(({ at }) => at)).toEqual([dueAt]);
});

test("1,000 tasks at random instants each start exactly at theirs", async () => {
  const t = await setup({ callMs: 3 });
  const worker = t.worker({ slots: 50 });
  worker.onTask = (task) => worker.end(task);
  const random = seededRandom(7);
  const begin = t.clock.now();
  await t.insert(Array.from({ length: 1_000 }, () => t.task({ dueAt: begin + 500 + Math.floor(random() * 5_000) })));
  await t.clock.advance(6_000);
  expect(worker.received).toHaveLength(1_000);
  expect(Math.max(...worker.received.map(({ task, at }) => at - task.dueAt))).toBe(0);
  expect(worker.recorded.filter(({ accepted }) => accepted)).toHaveLength(1_000);
  expect(Math.max(...t.lateness.map(({ lateMs }) => lateMs))).toBe(0);
});

test("a task due now starts within one round trip to the store", async () => {
  const t = await setup({ callMs: 4 });
  const worker = t.worker();
  await t.knowLane();
  await t.insert([t.task()]);
  const insertedAt = t.clock.now();
  await t.clock.advance(100);
  expect(worker.received[0]!.at - insertedAt).toBeLessThanOrEqual(8);
});

test("a task that another program inserted without a word starts within the poll", async () => {
  const t = await setup();
  const worker = t.worker();
  await t.insert([t.task({ type: "t", queue: "default" })], false);
  const insertedAt = t.clock.now();
  await t.clock.advance(1_100);
  expect(worker.received[0]!.at - insertedAt).toBeLessThanOrEqual(1_010);
});

test("a task inserted without a word that is due before what claims have come to starts within the poll", async () => {
  const t = await setup();
  const worker = t.worker({ slots: 1 });
  worker.onTask = (task) => t.clock.after(5, () => worker.end(task));
  await t.insert([...Array(1_000)].map(() => t.task()));
  await t.clock.advance(1_500);
  const [early] = await t.insert([t.task({ dueAt: t.clock.now() - 10_000 })], false);
  const insertedAt = t.clock.now();
  await t.clock.advance(1_100);
  const received = worker.received.find(({ task }) => task.id === early);
  expect(received!.at - insertedAt).toBeLessThanOrEqual(1_020);
});

test("a task inserted here that is due before what claims have come to starts at once", async () => {
  const t = await setup();
  const worker = t.worker({ slots: 1 });
  worker.onTask = (task) => t.clock.after(5, () => worker.end(task));
  await t.insert([...Array(1_000)].map(() => t.task()));
  await t.clock.advance(1_500);
  const [early] = await t.insert([t.task({ dueAt: t.clock.now() - 10_000 })]);
  const insertedAt = t.clock.now();
  await t.clock.advance(1_100);
  const received = worker.received.find(({ task }) => task.id === early);
  expect(received!.at - insertedAt).toBeLessThanOrEqual(50);
});

test("of what is due, the urgent starts first", async () => {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker({ slots: 3 });
  await t.clock.advance(100);
  const dueAt = t.clock.now() + 200;
  const [idle, normal, urgent] = [9, 5, 1].map((priority) => t.task({ priority, dueAt }));
  await t.insert([idle!, normal!, urgent!]);
  await t.clock.advance(100);
  worker.send({ kind: "capacity", slots: 1 });
  worker.onTask = (task) => t.clock.after(1, () => worker.end(task));
  await t.clock.advance(1_000);
  expect(worker.tasks.map(({ id }) => id)).toEqual([urgent!.id, normal!.id, idle!.id]);
});

test("the lowest band keeps its share while urgent work never ends", async () => {
  const t = await setup();
  const worker = t.worker({ slots: 4 });
  await t.insert([...Array(4_000)].map((_, index) => t.task({ priority: index < 3_500 ? 1 : 9 })));
  worker.onTask = (task) => t.clock.after(2, () => worker.end(task));
  await t.clock.advance(3_000);
  const ran = await Promise.all(worker.tasks.slice(0, 3_000).map(async ({ id }) => (await t.state(id)).priority));
  expect(ran.slice(500).filter((priority) => priority === 9).length).toBeGreaterThan(2_500 / 12);
});

test("a task claimed ahead that finds no slot goes back within 50 ms, and another node starts it", async () => {
  const t = await setup();
  const busy = t.worker({ slots: 1 });
  await t.knowLane();
  const [first] = await t.insert([t.task()]);
  await t.clock.advance(10);
  expect(busy.tasks.map(({ id }) => id)).toEqual([first]);
  t.engine.dispatcher.noticeCreated([]);
  // A pool that frees slots quickly claims ahead although none is free.
  const dueAt = t.clock.now() + 100;
  const other = await t.startNode("node-2");
  const idle = t.worker({ engine: other.engine, name: "w-2" });
  await t.clock.advance(10);
  const [second] = await t.insert([t.task({ dueAt })]);
  await t.clock.advance(200);
  expect(idle.tasks.map(({ id }) => id)).toEqual([second]);
  expect(idle.received[0]!.at - dueAt).toBeLessThanOrEqual(60);
});

/** Ten slots, and handlers that return at once. */
async function quickWorker() {
  const t = await setup({ callMs: 3 });
  const worker = t.worker({ slots: 10 });
  worker.onTask = (task) => worker.end(task, undefined, 0);
  await t.insert([t.task(), t.task(), t.task()]);
  await t.clock.advance(2_000);
  worker.received.length = 0;
  return { t, worker };
}

test("quick workers start many tasks of one instant at once, although they have few slots", async () => {
  const { t, worker } = await quickWorker();
  const dueAt = t.clock.now() + 1_000;
  await t.insert(Array.from({ length: 200 }, () => t.task({ dueAt })));
  await t.clock.advance(1_000);
  expect(worker.received.map(({ at }) => at)).toEqual(Array(200).fill(dueAt));
});

test("what was claimed for quick workers that turn out slow goes back within 50 ms", async () => {
  const { t, worker } = await quickWorker();
  worker.onTask = () => {};
  const dueAt = t.clock.now() + 1_000;
  const ids = await t.insert(Array.from({ length: 200 }, () => t.task({ dueAt })));
  await t.clock.advance(1_060);
  const states = await Promise.all(ids.map(async (id) => (await t.state(id)).state));
  expect(states.filter((state) => state === "pending")).toHaveLength(190);
});

test("what quick workers are about to reach stays with them, however long ago it was due", async () => {
  const { t, worker } = await quickWorker();
  worker.onTask = (task) => t.clock.after(1.5, () => worker.end(task));
  await t.insert(Array.from({ length: 500 }, () => t.task({ dueAt: t.clock.now() + 1_000 })));
  await t.clock.advance(1_200);
  expect(worker.tasks).toHaveLength(500);
  expect(worker.received.at(-1)!.at - worker.tasks[0]!.dueAt).toBeGreaterThan(50);
  expect(worker.tasks.every(({ token }) => token === 1n)).toBe(true);
});

test("large payloads are not piled up in memory ahead of their instant", async () => {
  const { t, worker } = await quickWorker();
  const payload = JSON.stringify("x".repeat(250_000));
  const dueAt = t.clock.now() + 1_000;
  await t.insert(Array.from({ length: 300 }, () => t.task({ dueAt, payload })));
  const [later] = await t.insert([t.task({ dueAt: dueAt + 100 })]);
  await t.clock.advance(950);
  expect((await t.state(later!)).state).toBe("pending");
  await t.clock.advance(200);
  expect(worker.received).toHaveLength(301);
  expect((await t.state(later!)).state).toBe("succeeded");
});

test("slots reserved for an insert are given to its tasks without another claim", async () => {
  const t = await setup();
  const worker = t.worker({ slots: 3 });
  await t.knowLane();
  const { dispatcher, session } = t.engine;
  const lane = { namespace: "default", queue: "default", type: "t" };
  expect(dispatcher.session).toBe(session.id);
  expect(dispatcher.reserve(lane, 5)).toBe(3);
  expect(dispatcher.reserve(lane, 1)).toBe(0);
  const tasks = [t.task(), t.task(), t.task()];
  const answer = await t.store.createTasks(tasks, { now: t.clock.now(), claim: { session: session.id!, count: 2 } });
  dispatcher.release(lane, 1);
  dispatcher.handOut(answer.kind === "created" ? answer.claimed : []);
  await t.clock.advance(0);
  expect(worker.tasks.map(({ id }) => id)).toEqual([tasks[0]!.id, tasks[1]!.id]);
  worker.endAll(worker.tasks);
  await t.clock.advance(10);
  expect((await t.state(tasks[0]!.id)).state).toBe("succeeded");
  expect(dispatcher.reserve(lane, 5)).toBe(3);
});

test("a cancelled task that has not started never starts", async () => {
  const t = await setup();
  const worker = t.worker();
  const dueAt = t.clock.now() + 2_000;
  const [id] = await t.insert([t.task({ dueAt })]);
  await t.clock.advance(1_800);
  expect((await t.state(id!)).state).toBe("claimed");
  expect((await t.store.cancelTask("default", id!, { reason: "no", now: t.clock.now() })).kind).toBe("recalled");
  t.engine.dispatcher.recall({ id: id! }, "cancel", "no");
  await t.clock.advance(1_000);
  expect(worker.received).toEqual([]);
  expect(await t.state(id!)).toMatchObject({ state: "cancelled", reason: "no", attempt: 0 });
});

test("cancelling a running task reaches its handler, and its word is recorded", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(2_000);
  expect((await t.state(id!)).state).toBe("running");
  await t.store.cancelTask("default", id!, { reason: "stop it", now: t.clock.now() });
  // Nobody tells this node: the next renewal does.
  await t.clock.advance(1_100);
  expect(worker.heard.at(-1)).toMatchObject({ kind: "cancels", cancels: [{ id, reason: "stop it" }] });
  worker.end(worker.tasks[0]!, { kind: "cancelled" });
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "cancelled", reason: "stop it" });
});

test("a handler that ignores its cancellation is abandoned after 30 s, and what it says then is refused", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(2_000);
  await t.store.cancelTask("default", id!, { reason: null, now: t.clock.now() });
  await t.clock.advance(29_000);
  expect((await t.state(id!)).state).toBe("running");
  await t.clock.advance(3_000);
  expect((await t.state(id!)).state).toBe("cancelled");
  expect(worker.heardKinds()).toContain("lost");
  worker.end(worker.tasks[0]!);
  await t.clock.advance(1_000);
  expect((await t.state(id!)).state).toBe("cancelled");
  expect(worker.recorded.at(-1)).toEqual({ id, accepted: false });
});

test("an attempt that outlives its timeout is stopped by the node when its worker does not", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([
    t.task({ policy: { ...defaultPolicy, retry: { ...defaultPolicy.retry, maxAttempts: 1 }, timeoutMs: 2_000 } }),
  ]);
  await t.clock.advance(8_000);
  expect(worker.heardKinds()).toContain("cancels");
  await t.clock.advance(30_500);
  expect(await t.state(id!)).toMatchObject({ state: "failed", error: { code: "timeout" } });
});

test("an attempt that its node stops at its timeout counts as a failure, and is tried again", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([t.task({ policy: { ...defaultPolicy, timeoutMs: 2_000 } })]);
  await t.clock.advance(8_000);
  expect(worker.heardKinds()).toContain("cancels");
  worker.end(worker.tasks[0]!, { kind: "cancelled" }, 8_000);
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({
    failures: 1,
    error: { code: "timeout" },
    attempts: [{ outcome: "failed" }],
  });
});

test("an insert that is answered late takes nothing from a newer attempt of its task", async () => {
  const t = await setup();
  const worker = t.worker();
  await t.knowLane();
  const { dispatcher, session } = t.engine;
  expect(dispatcher.reserve({ namespace: "default", queue: "default", type: "t" }, 1)).toBe(1);
  const task = t.task();
  const claim = { session: session.id!, count: 1 };
  const answer = await t.store.createTasks([task], { now: t.clock.now(), claim });
  await t.clock.advance(8_000);
  expect(worker.tasks).toMatchObject([{ id: task.id, token: 2n }]);
  dispatcher.handOut(answer.kind === "created" ? answer.claimed : []);
  await t.clock.advance(1_000);
  worker.end(worker.tasks[0]!);
  await t.clock.advance(3_000);
  expect(await t.state(task.id)).toMatchObject({ state: "succeeded" });
  expect(dispatcher.workers()).toMatchObject([{ busy: 0 }]);
});

test("a worker of another namespace can neither end a task nor take it over", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  const task = worker.tasks[0]!;
  const foreign = t.worker({ namespace: "other", name: "foreign" });
  foreign.end(task, { kind: "succeeded", result: '"foreign"' });
  const other = await t.startNode("node-2");
  const elsewhere = t.worker({ namespace: "other", name: "elsewhere", engine: other.engine, held: [task] });
  await t.clock.advance(3_000);
  expect(foreign.recorded).toEqual([{ id, accepted: false }]);
  expect(elsewhere.heardKinds()).toContain("lost");
  worker.end(task, { kind: "succeeded", result: '"own"' });
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", result: '"own"', attempt: 1 });
});

test("large results are written in statements of bounded size", async () => {
  const t = await setup();
  const bytes: number[] = [];
  const { recordOutcomes } = t.faulty;
  t.faulty.recordOutcomes = (outcomes) => {
    bytes.push(
      outcomes.reduce((sum, { decision }) => sum + (decision.kind === "final" ? (decision.result ?? "").length : 0), 0),
    );
    return recordOutcomes(outcomes);
  };
  const worker = t.worker({ slots: 200 });
  await t.insert(Array.from({ length: 200 }, () => t.task()));
  await t.clock.advance(200);
  expect(worker.tasks).toHaveLength(200);
  worker.endAll(worker.tasks, { kind: "succeeded", result: JSON.stringify("x".repeat(256 * 1_024 - 2)) });
  await t.clock.advance(1_000);
  expect(worker.recorded).toHaveLength(200);
  expect(Math.max(...bytes)).toBeLessThanOrEqual(8 * 1_024 * 1_024);
});

test("an outcome survives an outage of the store, and running tasks go on", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id, later] = await t.insert([t.task(), t.task()]);
  await t.clock.advance(2_000);
  Object.assign(t.faults, { cutOff: true, timeoutMs: 1_000 });
  await t.clock.advance(5_000);
  worker.end(worker.tasks.find((task) => task.id === id)!);
  await t.clock.advance(20_000);
  expect(worker.recorded).toEqual([]);
  expect(worker.heardKinds().filter((kind) => kind !== "welcome")).toEqual([]);
  t.faults.cutOff = false;
  await t.clock.advance(3_000);
  expect(worker.recorded).toEqual([{ id, accepted: true }]);
  worker.end(worker.tasks.find((task) => task.id === later)!);
  await t.clock.advance(10);
  expect(await t.state(id!)).toMatchObject({ state: "succeeded", lost: 0 });
  expect(await t.state(later!)).toMatchObject({ state: "succeeded", lost: 0 });
});

test("an outcome whose commit was not answered is recorded once", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(100);
  t.faults.failAfter = 1;
  worker.end(worker.tasks[0]!);
  await t.clock.advance(500);
  t.faults.failAfter = 0;
  await t.clock.advance(1_000);
  expect(worker.recorded).toEqual([{ id, accepted: true }]);
  expect((await t.state(id!)).state).toBe("succeeded");
});

test("an outcome that the store refuses for a reason of its own makes no failure of a success: the task runs again", async () => {
  const t = await setup();
  const worker = t.worker();
  const [id, other] = await t.insert([t.task(), t.task()]);
  await t.clock.advance(1_500);
  const { recordOutcomes } = t.faulty;
  t.faulty.recordOutcomes = async (outcomes) => {
    if (outcomes.some((outcome) => outcome.id === id)) throw new Error("index is corrupted");
    return recordOutcomes(outcomes);
  };
  worker.endAll(worker.tasks);
  await t.clock.advance(100);
  t.faulty.recordOutcomes = recordOutcomes;
  expect(worker.recorded).toEqual(
    expect.arrayContaining([
      { id, accepted: false },
      { id: other, accepted: true },
    ]),
  );
  await t.clock.advance(6_000);
  expect(worker.tasks.slice(2)).toMatchObject([{ id }]);
});

test("tasks of a claim whose answer was lost start a few seconds later", async () => {
  const t = await setup();
  await t.knowLane();
  const worker = t.worker();
  await t.clock.advance(100);
  t.faults.failAfter = 1;
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(300);
  expect((await t.state(id!)).state).toBe("claimed");
  t.faults.failAfter = 0;
  await t.clock.advance(6_000);
  expect(worker.tasks).toMatchObject([{ id, attempt: 1 }]);
});

test("a task that lost two workers runs alone next", async () => {
  const t = await setup();
  const [suspect] = await t.insert([t.task()]);
  const first = t.worker({ name: "w-0", slots: 1 });
  await t.clock.advance(100);
  first.vanish();
  await t.clock.advance(1_000);
  const victim = t.worker({ slots: 1 });
  await t.clock.advance(100);
  const other = t.worker({ name: "w-2", slots: 3 });
  const more = await t.insert([t.task(), t.task()]);
  await t.clock.advance(100);
  expect(other.tasks.map(({ id }) => id)).toEqual(more);
  victim.vanish();
  await t.clock.advance(1_500);
  await t.insert([t.task()]);
  await t.clock.advance(500);
  // Held until this worker is empty, which gets nothing new meanwhile.
  expect(other.tasks).toHaveLength(2);
  other.endAll(other.tasks);
  await t.clock.advance(300);
  expect(other.tasks.slice(2)).toMatchObject([{ id: suspect, attempt: 3 }]);
  other.end(other.tasks[2]!);
  await t.clock.advance(300);
  expect(other.tasks).toHaveLength(4);
});

test("many tasks of one dead worker start again at once, side by side", async () => {
  const t = await setup();
  const victim = t.worker({ name: "w-0", slots: 40 });
  const ids = await t.insert(Array.from({ length: 40 }, () => t.task()));
  await t.clock.advance(100);
  expect(victim.tasks).toHaveLength(40);
  const other = t.worker({ name: "w-1", slots: 40 });
  victim.vanish();
  await t.clock.advance(1_000);
  expect(other.tasks.map(({ id }) => id).sort()).toEqual([...ids].sort());
});

test("several suspects take turns with everybody else's tasks", async () => {
  const t = await setup();
  const suspects = await t.insert([t.task(), t.task()]);
  for (const name of ["w-0", "w-1"]) {
    const victim = t.worker({ name, slots: 2 });
    await t.clock.advance(200);
    expect(victim.tasks).toHaveLength(2);
    victim.vanish();
    await t.clock.advance(1_000);
  }
  const worker = t.worker({ name: "w-2", slots: 2 });
  await t.insert([t.task()]);
  const ended = new Set<bigint>();
  for (let round = 0; round < 40; round++) {
    await t.clock.advance(100);
    const running = worker.tasks.filter(({ id }) => !ended.has(id));
    if (running.some(({ id }) => suspects.includes(id))) expect(running).toHaveLength(1);
    if (!running[0]) continue;
    worker.end(running[0]);
    ended.add(running[0].id);
  }
  expect(worker.tasks).toHaveLength(3);
});

test("a task that took three workers with it is quarantined", async () => {
  const t = await setup();
  const [id] = await t.insert([t.task()]);
  for (let life = 1; life <= 3; life++) {
    const worker = t.worker({ name: `w-${life}` });
    await t.clock.advance(200);
    expect(worker.tasks).toMatchObject([{ id, attempt: life }]);
    worker.vanish();
    await t.clock.advance(1_000);
  }
  expect(await t.state(id!)).toMatchObject({ state: "failed", lost: 3, error: { code: "worker_lost" } });
});

test("100,000 tasks of a type that nobody serves delay nobody else in their queue", async () => {
  const t = await setup();
  const worker = t.worker();
  await t.insert([...Array(100_000)].map(() => t.task({ type: "unserved" })));
  await t.knowLane();
  await t.insert([t.task()]);
  const insertedAt = t.clock.now();
  await t.clock.advance(20);
  expect(worker.received[0]!.at - insertedAt).toBeLessThanOrEqual(5);
});

test("tasks of another namespace are not given to a worker", async () => {
  const t = await setup();
  const worker = t.worker({ namespace: "other" });
  await t.insert([t.task()]);
  await t.clock.advance(2_000);
  expect(worker.received).toEqual([]);
});

test("a failed task is tried again after its backoff, and fails for good when its budget is used up", async () => {
  const t = await setup();
  const worker = t.worker();
  worker.onTask = (task) => worker.end(task, failed());
  const retry = {
    maxAttempts: 3,
    backoff: { kind: "fixed", initialMs: 2_000, factor: 1, maxMs: 60_000, jitter: "none" },
  } as const;
  const [id] = await t.insert([t.task({ policy: { retry, timeoutMs: 60_000 } })]);
  const begin = t.clock.now();
  await t.clock.advance(10_000);
  const starts = worker.received.map(({ at }) => Math.round((at - begin) / 100) / 10);
  expect(starts.map((start) => start - starts[0]!)).toEqual([0, 2, 4]);
  expect(await t.state(id!)).toMatchObject({ state: "failed", failures: 3, attempt: 3 });
});

test("a draining node gives back what has not started, lets the rest finish, and closes its session", async () => {
  const t = await setup();
  const worker = t.worker();
  const [running, later] = await t.insert([t.task(), t.task({ dueAt: t.clock.now() + 250 })]);
  await t.clock.advance(100);
  expect((await t.state(later!)).state).toBe("claimed");
  const drained = t.engine.drain(10_000);
  await t.clock.advance(3_000);
  expect(await t.state(later!)).toMatchObject({ state: "pending", attempt: 0 });
  worker.end(worker.tasks[0]!);
  await t.clock.advance(100);
  await drained;
  expect((await t.state(running!)).state).toBe("succeeded");
  expect(await t.store.sessions()).toEqual([]);
});

test("a node that cannot renew its session hands out nothing", async () => {
  const t = await setup();
  const worker = t.worker();
  const dueAt = t.clock.now() + 3_000;
  await t.insert([t.task({ dueAt })]);
  await t.clock.advance(2_800);
  t.faults.cutOff = true;
  await t.clock.advance(100);
  expect(worker.received).toEqual([]);
  await t.clock.advance(20_000);
  const late = worker.received.length;
  t.faults.cutOff = false;
  await t.clock.advance(10_000);
  expect(late + worker.received.length).toBeGreaterThan(0);
});

test("log lines are written before their task's outcome", async () => {
  const t = await setup({ callMs: 2 });
  const worker = t.worker();
  const [id] = await t.insert([t.task()]);
  await t.clock.advance(200);
  const task = worker.tasks[0]!;
  const line = {
    id: task.id,
    token: task.token,
    at: t.clock.now(),
    level: "info",
    message: "hello",
    attempt: 1,
  } as const;
  worker.send({ kind: "logs", lines: [line] });
  worker.end(task);
  await t.clock.advance(50);
  expect((await t.state(id!)).state).toBe("succeeded");
  const logs = await t.store.taskLogs("default", id!, { pageSize: 10, after: null });
  expect(logs.items).toMatchObject([{ message: "hello" }]);
});

test("what is created on a node without workers starts at once on another", async () => {
  const t = await setup();
  const other = await t.startNode("node-2");
  const worker = t.worker({ engine: other.engine });
  await t.knowLane();
  await t.insert([t.task()]);
  const insertedAt = t.clock.now();
  await t.clock.advance(3_000);
  expect(worker.received[0]!.at - insertedAt).toBeLessThanOrEqual(100);
});

test("what was being inserted when a drain began starts on another node at once", async () => {
  const t = await setup();
  const other = await t.startNode("node-2");
  const busy = t.worker();
  const worker = t.worker({ engine: other.engine, name: "w-2" });
  await t.insert([t.task()]);
  await t.clock.advance(100);
  expect(busy.tasks.length + worker.tasks.length).toBe(1);
  await t.knowLane();
  const { dispatcher, session, ids } = t.engine;
  expect(dispatcher.reserve({ namespace: "default", queue: "default", type: "t" }, 1)).toBe(1);
  const task = newTask(ids.next(t.clock.now()), { dueAt: t.clock.now() });
  const claim = { session: session.id!, count: 1 };
  const answer = await t.store.createTasks([task], { now: t.clock.now(), claim });
  const drained = t.engine.drain(30_000);
  await t.clock.advance(5);
  if (answer.kind === "created") dispatcher.handOut(answer.claimed);
  await t.clock.advance(100);
  expect(worker.tasks.map(({ id }) => id)).toContain(task.id);
  for (const running of busy.tasks) busy.end(running);
  await Promise.all([drained, t.clock.advance(40_000)]);
});

test("an outcome waits for its own log lines, not for everybody else's", async () => {
  const t = await setup({ callMs: 20 });
  const worker = t.worker();
  await t.insert([t.task(), t.task()]);
  await t.clock.advance(500);
  const [chatty, quiet] = worker.tasks as [AssignedTask, AssignedTask];
  const line = ({ id, token }: AssignedTask) =>
    ({ id, token, attempt: 1, at: t.clock.now(), level: "info", message: "x" }) as const;
  const chat = () => {
    worker.send({ kind: "logs", lines: [line(chatty)] });
    if (worker.recorded.length === 0) t.clock.after(2, chat);
  };
  chat();
  await t.clock.advance(100);
  worker.send({ kind: "logs", lines: [line(quiet)] });
  worker.end(quiet);
  await t.clock.advance(300);
  expect(worker.recorded).toEqual([{ id: quiet.id, accepted: true }]);
  expect((await t.store.taskLogs("default", quiet.id, { pageSize: 10, after: null })).items).toHaveLength(1);
});

test("two processes with the same name both stay connected and both work", async () => {
  const t = await setup();
  const workers = [t.worker({ name: "same", slots: 1 }), t.worker({ name: "same", slots: 1 })];
  await t.clock.advance(3_000);
  await t.insert([t.task(), t.task()]);
  await t.clock.advance(2_000);
  expect(workers.map(({ open, tasks }) => [open, tasks.length])).toEqual([
    [true, 1],
    [true, 1],
  ]);
});

test("what is due at one instant is claimed before it by quick workers, though each claim takes long", async () => {
  const t = await setup();
  const worker = t.worker({ slots: 1_000 });
  worker.onTask = (task) => worker.end(task);
  // They have shown how quick they are.
  await t.insert(Array.from({ length: 10 }, () => t.task()));
  await t.clock.advance(3_000);
  Object.assign(t.faults, { slow: 1, slowMs: 60 });
  const dueAt = t.clock.now() + 3_000;
  await t.insert(Array.from({ length: 20_000 }, () => t.task({ dueAt })));
  await t.clock.advance(3_000);
  expect(worker.received.filter(({ at }) => at === dueAt)).toHaveLength(20_000);
});

test("what lies ready goes back only if its workers do not reach it soon", async () => {
  const t = await setup();
  const worker = t.worker({ slots: 1_000 });
  let taskMs = 20;
  worker.onTask = (task) => t.clock.after(taskMs, () => worker.end(task));
  const givenBack = vi.spyOn(t.faulty, "giveBack");
  const dueTogether = async () => {
    const dueAt = t.clock.now() + 2_000;
    await t.insert(Array.from({ length: 6_000 }, () => t.task({ dueAt })));
    await t.clock.advance(6_000);
  };
  // Some 50 a millisecond.
  await dueTogether();
  await dueTogether();
  expect(givenBack).not.toHaveBeenCalled();
  taskMs = 200;
  await dueTogether();
  expect(givenBack).toHaveBeenCalled();
  expect(worker.recorded.filter(({ accepted }) => accepted)).toHaveLength(18_000);
});

test("of many that find no slot in time the least urgent go back first, a bounded number at once", async () => {
  const t = await setup();
  const worker = t.worker({ slots: 1_000 });
  worker.onTask = (task) => worker.end(task);
  await t.insert(Array.from({ length: 10 }, () => t.task()));
  await t.clock.advance(3_000);
  worker.onTask = () => {};
  const givenBack = vi.spyOn(t.faulty, "giveBack");
  const dueAt = t.clock.now() + 2_000;
  const urgent = await t.insert(Array.from({ length: 3_000 }, () => t.task({ dueAt, priority: 4 })));
  const others = await t.insert(Array.from({ length: 3_000 }, () => t.task({ dueAt, priority: 6 })));
  await t.clock.advance(4_000);
  const batches = givenBack.mock.calls.map(([, refs]) => refs.map(({ id }) => id));
  expect(batches[0]!.every((id) => others.includes(id))).toBe(true);
  expect(Math.max(...batches.map((ids) => ids.length))).toBeLessThanOrEqual(1_000);
  expect(worker.tasks.slice(10).every(({ id }) => urgent.includes(id))).toBe(true);
});
