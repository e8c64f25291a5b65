import type { AssignedTask } from "@carillon/client";
import type { AttemptReport } from "@carillon/core";
import type { ScriptedWorker } from "@carillon/testkit";
import { expect, test } from "vitest";
import { failed, setup } from "../../test/dispatch-world.ts";

type World = Awaited<ReturnType<typeof setup>>;

const call = (t: World, host: string, dueAt = t.clock.now()) =>
  t.task({ type: "http", payload: JSON.stringify({ url: `https://${host}/hook` }), dueAt });
const hostOf = ({ payload }: AssignedTask) => new URL(JSON.parse(payload!).url).host;
const callsOf = (worker: ScriptedWorker, host: string) => worker.received.filter(({ task }) => hostOf(task) === host);
const busy = (retryAfterMs: number): AttemptReport => ({
  kind: "failed",
  error: { code: "http_status", name: "HttpStatusError", message: "the target answered 429", stack: null },
  retryable: true,
  retryAfterMs,
});

test("a target that fails five times in a row is left alone, and tasks that call it lose no attempt", async () => {
  const t = await setup({ callMs: 2 });
  const worker = t.worker({ types: ["http"], slots: 50 });
  worker.onTask = (task) => worker.end(task, failed());
  const ids = await t.insert(Array.from({ length: 40 }, () => call(t, "down.example")));
  await t.clock.advance(4_000);
  const tried = callsOf(worker, "down.example").length;
  expect(tried).toBeGreaterThanOrEqual(5);
  // As many as were on their way when it opened.
  expect(tried).toBeLessThanOrEqual(20);
  const states = await Promise.all(ids.map(t.state));
  const waiting = states.filter(({ state }) => state === "waiting");
  expect(waiting.length).toBeGreaterThanOrEqual(20);
  expect(waiting.every(({ reason }) => reason === "breaker_open" || reason === "target_busy")).toBe(true);
  expect(states.reduce((sum, { attempt }) => sum + attempt, 0)).toBe(tried);
  expect(await t.store.watchedTargets()).toMatchObject([
    { name: "down.example", state: "open", trips: 1, reason: "Error: no", waiting: true },
  ]);
});

test("one task at a time tries a target that was left alone, and when it answers all of them go on", async () => {
  const t = await setup({ callMs: 2 });
  const worker = t.worker({ types: ["http"], slots: 10 });
  let well = false;
  worker.onTask = (task) => t.clock.after(20, () => worker.end(task, well ? undefined : failed(), 20));
  const ids = await t.insert(Array.from({ length: 30 }, () => call(t, "down.example")));
  await t.clock.advance(4_000);
  const before = callsOf(worker, "down.example").length;
  await t.clock.advance(40_000);
  // After about 5, 10 and 20 seconds more.
  expect(callsOf(worker, "down.example").length - before).toBe(3);
  well = true;
  await t.clock.advance(60_000);
  const states = await Promise.all(ids.map(t.state));
  expect(states.filter(({ state }) => state !== "succeeded")).toEqual([]);
  expect(await t.store.watchedTargets()).toEqual([]);
});

test("a target that lets every call run out of time is left alone too, although its failures are seconds apart", async () => {
  const t = await setup({ callMs: 2 });
  const worker = t.worker({ types: ["http"], slots: 10 });
  worker.onTask = (task) => t.clock.after(2_000, () => worker.end(task, failed(), 2_000));
  await t.insert(Array.from({ length: 30 }, () => call(t, "hangs.example")));
  await t.clock.advance(9_000);
  expect(await t.store.watchedTargets()).toMatchObject([{ state: "open", trips: 1 }]);
  expect(callsOf(worker, "hangs.example").length).toBeLessThanOrEqual(7);
});

test("a target that asks to be left alone is, for as long as it asked", async () => {
  const t = await setup({ callMs: 2 });
  const worker = t.worker({ types: ["http"], slots: 5 });
  worker.onTask = (task) => worker.end(task, t.clock.now() < begin + 1_000 ? busy(30_000) : undefined);
  const begin = t.clock.now();
  await t.insert([call(t, "busy.example")]);
  await t.clock.advance(500);
  const ids = await t.insert(Array.from({ length: 5 }, () => call(t, "busy.example")));
  await t.clock.advance(29_000);
  expect(callsOf(worker, "busy.example")).toHaveLength(1);
  await t.clock.advance(5_000);
  expect(await Promise.all(ids.map(async (id) => (await t.state(id)).state))).toEqual(Array(5).fill("succeeded"));
});

test("what one node finds out about a target keeps the tasks of others from calling it", async () => {
  const t = await setup({ callMs: 2 });
  const other = await t.startNode("node-2");
  const workers = [
    t.worker({ types: ["http"], slots: 20 }),
    t.worker({ types: ["http"], slots: 20, engine: other.engine }),
  ];
  for (const worker of workers) worker.onTask = (task) => worker.end(task, failed());
  await t.insert(Array.from({ length: 20 }, () => call(t, "down.example")));
  await t.clock.advance(2_000);
  const tried = workers.map((worker) => callsOf(worker, "down.example").length);
  await t.insert(Array.from({ length: 20 }, () => call(t, "down.example")));
  await t.clock.advance(1_000);
  expect(workers.map((worker) => callsOf(worker, "down.example").length)).toEqual(tried);
});

test("a dead target among a hundred leaves the others as punctual as they were, and gets only what finds out whether it lives", async () => {
  const t = await setup({ callMs: 2 });
  const worker = t.worker({ types: ["http"], slots: 50 });
  worker.onTask = (task) => {
    if (hostOf(task) === "host-0.example") t.clock.after(30_000, () => worker.end(task, failed(), 30_000));
    else t.clock.after(20, () => worker.end(task, undefined, 20));
  };
  await t.knowLane({ type: "http", payload: JSON.stringify({ url: "https://host-1.example" }) });
  const begin = t.clock.now() + 1_000;
  const tasks = Array.from({ length: 3_000 }, (_, index) => call(t, `host-${index % 100}.example`, begin + index * 20));
  await t.insert(tasks);
  await t.clock.advance(65_000);
  const late = worker.received
    .filter(({ task }) => hostOf(task) !== "host-0.example")
    .map(({ task, at }) => at - task.dueAt);
  expect(late).toHaveLength(2_970);
  expect(Math.max(...late)).toBe(0);
  expect(callsOf(worker, "host-0.example").length).toBeLessThan(20);
});

test("no more tasks call a slow target at once than it answers in good time", async () => {
  const t = await setup({ callMs: 2 });
  const worker = t.worker({ types: ["http"], slots: 100 });
  const calling: number[] = [0];
  // Three at once in 50 ms; each further one makes all of them slower.
  worker.onTask = (task) => {
    calling.push(calling.at(-1)! + 1);
    const ms = 50 * Math.max(1, calling.at(-1)! / 3) ** 2;
    t.clock.after(ms, () => {
      calling.push(calling.at(-1)! - 1);
      worker.end(task, undefined, ms);
    });
  };
  await t.insert([call(t, "slow.example")]);
  await t.clock.advance(1_000);
  const ids = await t.insert(Array.from({ length: 300 }, () => call(t, "slow.example")));
  await t.clock.advance(60_000);
  expect((await Promise.all(ids.map(t.state))).filter(({ state }) => state !== "succeeded")).toEqual([]);
  const later = calling.slice(calling.length / 2);
  // Six at once take four times as long as one.
  expect(later.reduce((sum, count) => sum + count, 0) / later.length).toBeLessThan(8);
  expect(Math.max(...later)).toBeLessThan(20);
});

test("what waits for a target goes on after the node's session was lost, although nothing new calls it", async () => {
  const t = await setup({ callMs: 2 });
  const worker = t.worker({ types: ["http"], slots: 5 });
  worker.onTask = (task) => t.clock.after(3_000, () => worker.end(task, undefined, 3_000));
  const ids = await t.insert(Array.from({ length: 6 }, () => call(t, "slow.example")));
  await t.clock.advance(1_000);
  const session = t.engine.session.id!;
  const [own] = (await t.store.sessions()).filter(({ id }) => id === session);
  await t.store.markSessionDead(session, own!.beat, t.clock.now());
  await t.clock.advance(60_000);
  expect((await Promise.all(ids.map(t.state))).map(({ state }) => state)).toEqual(Array(6).fill("succeeded"));
});

test("a task that lost two workers waits for its target like any other", async () => {
  const t = await setup({ callMs: 2 });
  const worker = t.worker({ types: ["http"], slots: 5 });
  const change = { id: 1n, namespace: "default", name: "down.example", state: "open", trips: 1, reason: null } as const;
  await t.store.setTarget({ ...change, until: t.clock.now() + 10_000 }, t.clock.now());
  await t.clock.advance(1_100);
  const [id] = await t.insert([call(t, "down.example")], false);
  const { id: dead } = await t.store.openSession({ node: "gone", url: null, now: t.clock.now() });
  const [lane] = await t.store.lanes();
  for (let lost = 0; lost < 2; lost++) {
    const targets = [{ laneId: lane!.id, band: 2 as const, limit: 1 }];
    const now = t.clock.now();
    const [held] = await t.store.claim({ session: dead, targets, until: now, limit: 1, now });
    const decision = { kind: "again", as: "released", dueAt: now, error: null } as const;
    const ended = { startedAt: now, finishedAt: now, worker: "w", lost: true };
    await t.store.recordOutcomes([{ id: held!.id, token: held!.token, decision, ...ended }]);
  }
  await t.clock.advance(3_000);
  expect(worker.received).toEqual([]);
  expect(await t.state(id!)).toMatchObject({ state: "waiting", reason: "breaker_open", lost: 2 });
});
