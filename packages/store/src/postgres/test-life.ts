/** For tests of plans: every hot verb of a store, on tasks that it makes itself, step by step. */
import { defaultPolicy } from "@carillon/core";
import { expect } from "vitest";
import type { ClaimedTask, ClaimTarget, NewTask, Store } from "../store.ts";
import { definition } from "./test-setup.ts";
import { failed, NOON, succeeded, type TestStore } from "./test-store.ts";

/** Carries out a part of it, which is about so many rows. */
export type Step = <T>(rows: number, work: () => Promise<T>) => Promise<T>;

const now = NOON;
const BATCH = 40;

export async function liveThrough(t: TestStore, store: Store, step: Step): Promise<void> {
  const { id: session } = await step(1, () => store.openSession({ node: "one", url: null, now }));
  const { id: next } = await store.openSession({ node: "two", url: null, now });
  const lanes = await store.lanes();
  const lane = lanes.find(({ type }) => type === "send")!.id;
  const every: ClaimTarget[] = lanes
    .filter(({ type }) => type !== "unserved")
    .flatMap(({ id }) => ([1, 2, 3] as const).map((band) => ({ laneId: id, band, limit: BATCH })));
  const claim = (limit: number, targets: ClaimTarget[] = [{ laneId: lane, band: 2, limit }]) =>
    step(limit + targets.length, () => store.claim({ session, targets, until: now, limit, now }));
  const create = async (count: number, overrides: Partial<NewTask> = {}) => {
    const tasks = t.newTasks(count, overrides);
    await step(count, () => store.createTasks(tasks, { now }));
    return tasks;
  };
  const claimed = async (count: number) => {
    await create(count);
    const tasks = await claim(count);
    expect(tasks).toHaveLength(count);
    return tasks;
  };
  const finish = (tasks: ClaimedTask[]) =>
    step(tasks.length, () => store.recordOutcomes(tasks.map((task) => succeeded(task))));

  // Claims, and looks at what is due.
  await claim(10);
  await claim(10, every);
  await step(3, () => store.nextDue([lane]));
  await create(1);
  await create(BATCH, { payload: JSON.stringify("x".repeat(1_000)), tags: ["a"] });
  await finish(await claim(1));
  await finish(await claim(BATCH, every));
  const direct = t.newTasks(BATCH);
  const answer = await step(BATCH, () => store.createTasks(direct, { now, claim: { session, count: BATCH } }));
  await finish(answer.kind === "created" ? answer.claimed : []);
  await step(3, () => store.nextDue(lanes.map(({ id }) => id)));
  await step(60, () => store.depths({ now, cap: 10 }));
  await step(20, () =>
    store.countBacklogs(lanes.slice(0, 2).map(({ namespace, queue }) => ({ namespace, queue, cap: 10 }))),
  );
  await step(40, () => store.created({ from: now - 60_000, cap: 10 }));
  await step(1, () => store.recordFigures(session, { workers: 1, pools: [], queues: [] }));
  await step(4, () => store.nodeFigures());
  await step(4, () => store.adoptZoneData({ version: "2026a", now, limit: 10 }, () => null));

  // Keys.
  const expiresAt = now + 60_000;
  const requestHash = "a";
  for (let times = 0; times < 2; times++) {
    for (const uniquePolicy of ["keep", "replace"] as const) {
      await step(1, () => store.createTasks(t.newTasks(1, { uniqueKey: "own" }), { now, uniquePolicy }));
    }
    const window = { uniqueKey: `window-${t.newTask().id}`, uniqueForMs: 60_000 };
    for (let calls = 0; calls < 2; calls++) {
      await step(1, () => store.createTasks(t.newTasks(1, window), { now }));
    }
    const keyed = t.newTasks(20).map((task, index) => ({ ...task, uniqueKey: `own-${index}` }));
    await step(20, () => Promise.all(keyed.map((task) => store.createTasks([task], { now }))));
    const idempotency = { namespace: "default", key: "own", requestHash, response: () => "{}", expiresAt };
    await step(1, () => store.createTasks(t.newTasks(1), { now, idempotency }));
  }
  const [held] = await claimed(1);
  const reused = t.newTasks(1).map((task) => ({ ...task, uniqueKey: "own" }));
  await step(1, () => store.createTasks(reused, { now }));
  await finish(await claim(BATCH));

  // Targets.
  const target = { id: 1n, namespace: "default", name: "api.example.com" };
  const calls = await claimed(BATCH);
  const parked = calls.map(({ id, token }) => ({ id, token, target, reason: "breaker_open" }));
  expect(await step(BATCH, () => store.parkTasks(session, parked, now))).toHaveLength(BATCH);
  const change = { ...target, state: "open", until: now, trips: 1, reason: null } as const;
  await step(1, () => store.setTarget(change, now));
  expect(await step(1, () => store.watchedTargets())).toMatchObject([{ waiting: true }]);
  await step(BATCH, () => store.listTargets("default", { pageSize: 10, after: null, cap: BATCH }));
  await step(1, () => store.probeTarget(target.id, { now, until: now + 1 }));
  for (const limit of [1, BATCH]) await step(limit, () => store.releaseParked({ target: target.id, limit, now }));
  await finish(await claim(BATCH));

  // Outcomes.
  const tasks = await claimed(BATCH);
  await step(BATCH, () =>
    store.markRunning(tasks.map(({ id, token }) => ({ id, token, startedAt: now, worker: "w-1" }))),
  );
  await step(BATCH, () => store.recordOutcomes(tasks.map((task) => failed(task))));
  const lines = tasks.map(
    ({ id, token, attempt }) => ({ id, token, attempt, at: now, level: "info", message: "x" }) as const,
  );
  await step(BATCH, () => store.appendLogs(lines));
  const reports = tasks.map(({ id, token }) => ({ id, token, fraction: 0.5, message: "half" }));
  for (let times = 0; times < 2; times++) await step(BATCH, () => store.recordProgress(reports, now));
  const again = await claimed(BATCH);
  const outcomes = again.map((task, index) =>
    succeeded(task, {
      session,
      worker: `w-${index % 3}`,
      decision: {
        kind: "final",
        state: index % 2 ? "failed" : "succeeded",
        result: `"${"x".repeat(index * 30)}"`,
        error: null,
        reason: null,
      },
    }),
  );
  for (let times = 0; times < 2; times++) {
    expect(await step(BATCH, () => store.recordOutcomes(outcomes))).not.toContain(false);
  }

  // What may not start any more.
  const hurried = { dueAt: now - 10, policy: { ...defaultPolicy, startWithinMs: 5 } };
  await create(BATCH, hurried);
  expect(await step(BATCH, () => store.skipUnstarted({ now, limit: BATCH }))).toHaveLength(BATCH);
  await step(1, () => store.skipUnstarted({ now, limit: BATCH }));

  const limited = (finishWithinMs: number, dueAt: number) => ({
    dueAt,
    policy: { ...defaultPolicy, finishWithinMs },
  });
  await create(BATCH, limited(5, now - 10));
  const rising = await create(BATCH, limited(60_000, now - 40_000));
  const watch = () => store.watchDeadlines({ now, limit: 2 * BATCH });
  expect(await step(2 * BATCH, watch)).toMatchObject({ failed: { length: BATCH }, raised: { length: BATCH } });
  await step(1, watch);
  for (const { id } of rising) await store.cancelTask("default", id, { reason: null, now });

  // Leases.
  await step(1, () => store.giveBack(session, [held!]));
  const leases = await claimed(BATCH);
  await step(BATCH, () => store.leases(session));
  await step(1, () => store.cancelTask("default", leases[0]!.id, { reason: null, now }));
  expect((await step(2, () => store.renewSession(session, now))).recalls).toHaveLength(1);
  await step(10, () => store.giveBack(session, leases.slice(0, 10)));
  await step(10, () => store.adopt(next, "default", leases.slice(10, 20)));
  await step(1, () => store.cancelTask("default", leases[20]!.id, { reason: null, now }));
  await step(5, () => store.sessions());
  await step(1, () => store.markSessionDead(session, 1n, now));
  expect(await step(BATCH, () => store.takeBack(session, { now: now + 2_000, limit: 100 }))).toBe(20);
  await step(1, () => store.takeBack(session, { now: now + 2_000, limit: 100 }));
  await step(1, () => store.closeSession(next, now));

  // People.
  const [waiting] = await create(1, { dueAt: now + 60_000 });
  const [final] = outcomes;
  for (const id of [waiting!.id, final!.id, 1n]) await step(3, () => store.getTask("default", id));
  for (const filter of [{}, { states: ["failed"] }, { states: ["running"] }] as const) {
    await step(200, () => store.listTasks("default", { filter, now, pageSize: 20, after: null }));
  }
  await step(1, () => store.patchTask("default", waiting!.id, { priority: 9, queue: "default" }, now));
  await step(1, () => store.runTaskNow("default", waiting!.id, now));
  await step(1, () => store.cancelTask("default", waiting!.id, { reason: null, now }));
  await step(1, () => store.retryTask("default", waiting!.id, now));
  await step(1, () => store.deleteTask("default", final!.id));

  await planSchedules(t, store, step);
  await goAfterOthers(t, store, step);
  await keepLimits(t, store, step);
}

async function keepLimits(t: TestStore, store: Store, step: Step): Promise<void> {
  const { id: session } = await store.openSession({ node: "four", url: null, now });
  const which = { namespace: "default", queue: "limited" };
  await step(1, () =>
    store.putQueue({
      namespace: "default",
      name: "limited",
      settings: {
        concurrency: BATCH,
        concurrencyPerKey: 2,
        concurrencyPerType: { send: BATCH },
        rateLimit: { limit: 100_000, perMs: 1_000, burst: 100_000 },
        rateLimitPerKey: { limit: 10_000, perMs: 1_000, burst: 10_000 },
      },
      now,
    }),
  );
  const tasks = t.newTasks(60, which).map((task, index) => ({ ...task, concurrencyKey: `k-${index % 10}` }));
  await step(60, () => store.createTasks(tasks, { now }));
  const lanes = (await store.lanes()).filter(({ queue }) => queue === "limited").map(({ id }) => id);
  const claim = (keys: string[], sweepAfter: string | null) =>
    step(4 * BATCH, () => store.claimLimited({ session, ...which, lanes, limit: BATCH, now, keys, sweepAfter }));
  const first = await claim([], null);
  expect(first.claimed).toHaveLength(20);
  const ended = async (claimed: ClaimedTask[]) =>
    step(claimed.length, () => store.recordOutcomes(claimed.map((task) => succeeded(task))));
  await ended(first.claimed);
  expect(await step(1, () => store.waitingForKeys(lanes))).toHaveLength(1);
  const second = await claim(["k-1", "k-2"], null);
  expect(second.claimed).toHaveLength(4);
  const query = { concurrencyKey: "k-1", type: "send", now, limit: 10 };
  expect((await step(3, () => store.limitFacts("default", "limited", query))).keyHeld).toHaveLength(2);
  await ended(second.claimed);
  for (let left = tasks.length - 24; left > 0; ) {
    const { claimed } = await claim([], "");
    expect(claimed.length).toBeGreaterThan(0);
    await ended(claimed);
    left -= claimed.length;
  }
}

async function goAfterOthers(t: TestStore, store: Store, step: Step): Promise<void> {
  const { id: session } = await store.openSession({ node: "three", url: null, now });
  const lane = (await store.lanes()).find(({ type }) => type === "send")!.id;
  const targets = [{ laneId: lane, band: 2, limit: 100 }] as const;
  const claim = () => step(100, () => store.claim({ session, targets: [...targets], until: now, limit: 100, now }));
  const settle = () => step(2 * BATCH, () => store.settleDependencies({ now, limit: 100 }));
  const record = async (tasks: ClaimedTask[], state: "succeeded" | "failed") => {
    const decision = { kind: "final", state, result: '"x"', error: null, reason: null } as const;
    await step(tasks.length, () => store.recordOutcomes(tasks.map((task) => succeeded(task, { decision }))));
  };
  await claim();
  const parents = t.newTasks(BATCH);
  const ids = parents.map(({ id }) => id);
  await store.createTasks(parents, { now });
  const child = (after: bigint[], when: NewTask["when"]) => t.newTask({ after, when: when! });
  const pairs = ids.slice(1).map((id, index) => child([ids[0]!, id], index % 2 ? "all" : "any"));
  const children = [child(ids, "all-done"), ...pairs];
  await step(3 * BATCH, () => store.createTasks(children, { now }));
  await step(1, () => store.waitsFor("default", children[0]!.id, 10));
  const held = await claim();
  expect(held).toHaveLength(BATCH);
  const isFirst = ({ id }: ClaimedTask) => id === ids[0];
  await record(held.filter(isFirst), "succeeded");
  await settle();
  await record(
    held.filter((task) => !isFirst(task)),
    "failed",
  );
  for (let times = 0; times < 3; times++) await settle();
  await step(BATCH, () => store.createTasks([child(ids, "all-done"), child(ids, "all")], { now }));
  await record(await claim(), "succeeded");
  await settle();

  const workflow = { id: t.newTask().id, namespace: "default", name: "w", onFailure: "stop" } as const;
  const members = t.newTasks(BATCH).map((task, index) => ({
    ...task,
    workflow: { id: workflow.id, key: `k${index}`, always: false },
  }));
  const graph = members.map((task, index) =>
    index === 0
      ? task
      : { ...task, after: [members[index >> 1]!.id].filter((id) => id !== task.id), when: "all" as const },
  );
  await step(BATCH, () => store.createWorkflow(workflow, graph, now));
  await step(BATCH, () => store.workflowTasks("default", workflow.id));
  const filter = { workflow: workflow.id };
  await step(3 * BATCH, () => store.listTasks("default", { filter, now, pageSize: 20, after: null }));
  await step(3, () => store.listWorkflows("default", { pageSize: 3, after: null }));
  const joining = t.newTasks(2).map((task, index) => ({
    ...{ task, key: `n${index}`, when: "all" as const },
    after: index === 0 ? [] : ["n0", "k0"],
  }));
  await step(BATCH, () => store.addToWorkflow("default", workflow.id, { tasks: joining, parent: "k0", now }));
  await record(await claim(), "failed");
  await settle();
  await settle();
  await step(BATCH, () => store.retryWorkflow("default", workflow.id, { from: null, now }));
  await step(1, () => store.cancelWorkflow("default", workflow.id, { reason: null, now }));
  await settle();
  await settle();
  expect(await store.getWorkflow("default", workflow.id)).toMatchObject({ state: "cancelled", open: 0 });
}

async function planSchedules(t: TestStore, store: Store, step: Step): Promise<void> {
  const names = ["a", "b", "c"];
  const put = (name: string, cron: string) =>
    store.putSchedule({
      id: t.newTask().id,
      namespace: "default",
      name,
      definition: definition({ cron }),
      now,
      nextFireAt: null,
    });
  for (const name of names) await step(1, () => put(name, "* * * * *"));
  await step(3, () =>
    store.planSchedules({ before: now + 1, limit: 10, now }, ({ id, plannedUntil }) => ({
      fires: [1, 2].map((minutes) => {
        const fireAt = now + minutes * 60_000;
        const task = t.newTask({ scheduleId: id, fireAt, dueAt: fireAt, trigger: "schedule" });
        return { fireAt, outcome: "task", reason: null, caughtUp: false, task };
      }),
      plannedUntil: plannedUntil + 120_000,
      nextFireAt: null,
    })),
  );
  const scheduleId = (await store.getSchedule("default", "c", now))!.id;
  const backfill = { id: t.newTask().id, namespace: "default", scheduleId, request: "{}", matched: 2 };
  await step(1, () => store.createOperation({ ...backfill, kind: "backfill" }, now));
  const made = await step(2, () =>
    store.stepBackfills({ now, limit: 10, most: 100 }, () => ({
      fires: [1, 2].map((minutes) => {
        const fireAt = now - minutes * 60_000;
        const task = t.newTask({ scheduleId, fireAt, dueAt: now, trigger: "backfill" });
        return { fireAt, version: 1, task };
      }),
      cursor: null,
      finished: true,
      nextAt: now,
    })),
  );
  expect(made.tasks).toHaveLength(2);
  await step(2, () => put("a", "*/2 * * * *"));
  await step(2, () => store.setPaused("default", "b", { paused: true, reason: null, now }));
  await step(3, () => store.listSchedules("default", { now, pageSize: 3, after: null }));
  for (const name of names) await step(2, () => store.deleteSchedule("default", name, now));
}
