/** What every store promises, one sentence each. The random comparison in `model/` finds what nobody thought of; this says what was. */
import {
  createIdSource,
  defaultPolicy,
  type FinalState,
  type Id,
  type OutcomeDecision,
  type TaskError,
} from "@carillon/core";
import type {
  ClaimedTask,
  CreateAnswer,
  CreateOptions,
  LogLine,
  NewTask,
  Outcome,
  Page,
  ScheduleDefinition,
  SchedulePlan,
  ScheduleRecord,
  Store,
  TaskRecord,
  TaskRef,
} from "@carillon/store";
import { describe, expect, test } from "vitest";

const start = Date.UTC(2026, 2, 1, 12);
let worlds = 0;

/** @param createStore a store without any data, for one test */
export function storeSuite(name: string, createStore: () => Promise<Store>): void {
  describe(name, () => {
    for (const [promise, check] of Object.entries(promises)) {
      test(promise, async () => check(await setup(await createStore())));
    }
  });
}

type World = Awaited<ReturnType<typeof setup>>;

/** A store, a clock to be moved by hand, an open session, and builders. */
async function setup(store: Store) {
  const namespace = `suite-${worlds++}`;
  const ids = createIdSource({ cell: 0, slot: 16 + (worlds % 240) });
  const t = {
    store,
    namespace,
    now: start,
    session: (await store.openSession({ node: "node-1", url: null, now: start })).id,
    newTask: (task: Partial<NewTask> = {}): NewTask => ({
      id: ids.next(t.now),
      namespace,
      type: "work",
      queue: "default",
      priority: 5,
      dueAt: t.now,
      policy: defaultPolicy,
      payload: null,
      trigger: "api",
      scheduleId: null,
      fireAt: null,
      uniqueKey: null,
      tags: [],
      replayOf: null,
      ...task,
    }),
    create: async (
      task: Partial<NewTask> = {},
      options: Partial<CreateOptions> = {},
    ): Promise<NewTask & { answer: CreateAnswer }> => {
      const created = t.newTask(task);
      const answer = await store.createTasks([created], { now: t.now, ...options });
      return { ...created, answer };
    },
    /** Up to ten tasks of the lane that `work` in queue `default` has, of all priorities. */
    claim: async (
      given: { session?: Id; limit?: number; until?: number; queue?: string } = {},
    ): Promise<ClaimedTask[]> => {
      const { session = t.session, limit = 10, until = t.now, queue = "default" } = given;
      const lane = (await store.lanes()).find((one) => one.namespace === namespace && one.queue === queue);
      if (!lane) return [];
      const targets = ([1, 2, 3] as const).map((band) => ({ laneId: lane.id, band, limit }));
      return store.claim({ session, targets, until, limit, now: t.now });
    },
    claimOne: async (task: Partial<NewTask> = {}): Promise<ClaimedTask> => {
      await t.create(task);
      const [claimed] = await t.claim();
      return claimed!;
    },
    openSession: async (node = "node-2"): Promise<Id> => (await store.openSession({ node, url: null, now: t.now })).id,
    /** Marked dead, and long enough ago for its leases to be taken. */
    die: async (session: Id): Promise<void> => {
      const { beat } = (await store.sessions()).find((one) => one.id === session)!;
      expect(await store.markSessionDead(session, beat, t.now)).toBe(true);
      t.now += 1_500;
    },
    record: (task: TaskRef, decision: OutcomeDecision, more: Partial<Outcome> = {}): Promise<boolean[]> =>
      store.recordOutcomes([
        {
          id: task.id,
          token: task.token,
          decision,
          startedAt: t.now,
          finishedAt: t.now,
          worker: "w-1",
          lost: false,
          ...more,
        },
      ]),
    task: async (id: Id): Promise<TaskRecord> => (await store.getTask(namespace, id))!,
  };
  return t;
}

const final = (state: FinalState, error: TaskError | null = null): OutcomeDecision => ({
  kind: "final",
  state,
  result: state === "succeeded" ? '{"done":true}' : null,
  error,
  reason: null,
});
const again = (dueAt: number, error: TaskError | null = null): OutcomeDecision => ({
  kind: "again",
  as: "failed",
  dueAt,
  error,
});
const mistake: TaskError = { code: "handler_error", name: "Error", message: "no", stack: null };
const large = JSON.stringify("x".repeat(100_000));

const promises: Record<string, (t: World) => Promise<void>> = {
  // ------------------------------------------------------------------------------------------------------------ creating
  "a created task can be read back as it was sent": async (t) => {
    const sent = await t.create({ payload: '{"a": 1}', tags: ["red"], priority: 9, dueAt: t.now + 5, queue: "slow" });
    expect(sent.answer).toEqual({ kind: "created", tasks: [{ id: sent.id, created: true }], claimed: [] });
    expect(await t.task(sent.id)).toMatchObject({
      namespace: t.namespace,
      type: "work",
      queue: "slow",
      state: "pending",
      priority: 9,
      dueAt: t.now + 5,
      attempt: 0,
      payload: '{"a": 1}',
      policy: defaultPolicy,
      trigger: "api",
      tags: ["red"],
      attempts: [],
    });
  },
  "a payload of any size comes to its worker byte by byte": async (t) => {
    const { id } = await t.create({ payload: large });
    expect((await t.claim())[0]).toMatchObject({ id, payload: large });
    expect((await t.task(id)).payload).toBe(large);
  },
  "another namespace does not see a task": async (t) => {
    const { id } = await t.create();
    expect(await t.store.getTask("elsewhere", id)).toBeNull();
    expect(await t.store.cancelTask("elsewhere", id, { reason: null, now: t.now })).toEqual({ kind: "not_found" });
  },
  "a task can be created in the hands of its first holder": async (t) => {
    const tasks = [t.newTask(), t.newTask()];
    const answer = await t.store.createTasks(tasks, { now: t.now, claim: { session: t.session, count: 1 } });
    expect(answer).toMatchObject({ claimed: [{ id: tasks[0]!.id, token: 1n, attempt: 1 }] });
    expect(await t.store.leases(t.session)).toEqual([{ id: tasks[0]!.id, token: 1n }]);
    expect((await t.claim()).map((task) => task.id)).toEqual([tasks[1]!.id]);
  },
  "a session that is dead is handed nothing at creation": async (t) => {
    await t.die(t.session);
    const { answer, id } = await t.create({}, { claim: { session: t.session, count: 1 } });
    expect(answer).toMatchObject({ kind: "created", claimed: [] });
    expect((await t.task(id)).state).toBe("pending");
  },
  "tasks created at the same moment one by one are all there": async (t) => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => t.create()));
    expect(answers.every(({ answer }) => answer.kind === "created")).toBe(true);
    expect(await t.claim({ limit: 1_000 })).toHaveLength(200);
  },

  // ---------------------------------------------------------------------------------------------------------------- keys
  "a unique key is held by one task that is not final": async (t) => {
    const first = await t.create({ uniqueKey: "k" });
    const second = await t.create({ uniqueKey: "k" });
    expect(second.answer).toMatchObject({ tasks: [{ id: first.id, created: false }] });
    expect(await t.store.getTask(t.namespace, second.id)).toBeNull();
  },
  "a unique key is free again once its task is final": async (t) => {
    const first = await t.claimOne({ uniqueKey: "k" });
    await t.record(first, final("succeeded"));
    expect((await t.create({ uniqueKey: "k" })).answer).toMatchObject({ tasks: [{ created: true }] });
  },
  "a key twice in a batch makes one task": async (t) => {
    const tasks = [t.newTask({ uniqueKey: "k" }), t.newTask({ uniqueKey: "k" }), t.newTask()];
    expect(await t.store.createTasks(tasks, { now: t.now })).toMatchObject({
      tasks: [
        { id: tasks[0]!.id, created: true },
        { id: tasks[0]!.id, created: false },
        { id: tasks[2]!.id, created: true },
      ],
    });
  },
  "replacing changes the waiting task, not one that is held": async (t) => {
    const { id } = await t.create({ uniqueKey: "k", payload: '"old"', dueAt: t.now + 60_000 });
    const replace = { uniquePolicy: "replace" } as const;
    const answer = (await t.create({ uniqueKey: "k", payload: '"new"', priority: 8 }, replace)).answer;
    expect(answer).toMatchObject({ tasks: [{ id, created: false }] });
    expect(await t.task(id)).toMatchObject({ payload: '"new"', priority: 8, dueAt: t.now });
    expect((await t.claim()).map((task) => task.id)).toEqual([id]);
    await t.create({ uniqueKey: "k", payload: '"newest"' }, replace);
    expect((await t.task(id)).payload).toBe('"new"');
  },
  "rejecting a taken key leaves the whole batch out": async (t) => {
    const { id } = await t.create({ uniqueKey: "k" });
    const tasks = [t.newTask(), t.newTask({ uniqueKey: "k" })];
    expect(await t.store.createTasks(tasks, { now: t.now, uniquePolicy: "reject" })).toEqual({
      kind: "unique_conflict",
      id,
      uniqueKey: "k",
    });
    expect(await t.store.getTask(t.namespace, tasks[0]!.id)).toBeNull();
  },
  "callers with the same unique key at the same moment agree on one task": async (t) => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => t.create({ uniqueKey: "k" })));
    const found = answers.map(({ answer }) => (answer.kind === "created" ? answer.tasks[0]! : null));
    expect(new Set(found.map((task) => task!.id)).size).toBe(1);
    expect(found.filter((task) => task!.created)).toHaveLength(1);
  },
  "an idempotency key answers the same request with the first answer, another one not at all": async (t) => {
    const idempotency = (requestHash: string, response: string, ttlMs = 1_000) => ({
      idempotency: {
        namespace: t.namespace,
        key: "again",
        requestHash,
        response: () => response,
        expiresAt: t.now + ttlMs,
      },
    });
    await t.create({}, idempotency("this", "first"));
    const second = await t.create({}, idempotency("this", "second"));
    expect(second.answer).toEqual({ kind: "replayed", response: "first" });
    expect(await t.store.getTask(t.namespace, second.id)).toBeNull();
    expect((await t.create({}, idempotency("that", "third"))).answer).toEqual({ kind: "key_reused" });
    t.now += 1_000;
    expect((await t.create({}, idempotency("that", "fourth"))).answer).toMatchObject({ kind: "created" });
  },

  // ------------------------------------------------------------------------------------------------------------ claiming
  "the earliest due is claimed first, and nothing that is not due": async (t) => {
    const late = await t.create({ dueAt: t.now - 1 });
    const early = await t.create({ dueAt: t.now - 2 });
    const present = await t.create();
    await t.create({ dueAt: t.now + 1 });
    const claimed = [await t.claim({ limit: 1 }), await t.claim({ limit: 1 }), await t.claim({ limit: 5 })].flat();
    expect(claimed.map((task) => task.id)).toEqual([early.id, late.id, present.id]);
  },
  "claiming ahead takes what is due until then": async (t) => {
    const { id } = await t.create({ dueAt: t.now + 300 });
    await t.create({ dueAt: t.now + 301 });
    expect((await t.claim({ until: t.now + 300 })).map((task) => task.id)).toEqual([id]);
  },
  "two nodes that claim at the same moment share the tasks": async (t) => {
    const other = await t.openSession();
    await t.store.createTasks(
      Array.from({ length: 40 }, () => t.newTask()),
      { now: t.now },
    );
    const claims = [t.session, other, t.session, other].map((session) => t.claim({ session, limit: 10 }));
    const ids = (await Promise.all(claims)).flat().map((task) => task.id);
    expect(new Set(ids).size).toBe(ids.length);
    const rest = await t.claim({ limit: 40 });
    expect(ids.length + rest.length).toBe(40);
  },
  "the next due instant is known by lane and band": async (t) => {
    await t.create({ dueAt: t.now + 700 });
    await t.create({ dueAt: t.now + 500 });
    await t.create({ dueAt: t.now + 900, priority: 9 });
    const lane = (await t.store.lanes()).find((one) => one.namespace === t.namespace)!;
    const next = await t.store.nextDue([lane.id]);
    expect(next.sort((a, b) => a.band - b.band)).toEqual([
      { laneId: lane.id, band: 2, dueAt: t.now + 500 },
      { laneId: lane.id, band: 3, dueAt: t.now + 900 },
    ]);
  },
  "what is given back unstarted costs no attempt, and only its holder can": async (t) => {
    const task = await t.claimOne();
    expect(await t.store.giveBack(await t.openSession(), [task])).toEqual([]);
    expect(await t.store.giveBack(t.session, [task])).toEqual([task.id]);
    expect(await t.task(task.id)).toMatchObject({ state: "pending", attempt: 0, dueAt: task.dueAt });
    expect(await t.claim()).toMatchObject([{ id: task.id, attempt: 1, token: task.token + 1n }]);
  },
  "a long task is shown as running": async (t) => {
    const task = await t.claimOne();
    await t.store.markRunning([{ id: task.id, token: task.token, startedAt: t.now, worker: "w-7" }]);
    expect(await t.task(task.id)).toMatchObject({ state: "running", startedAt: t.now, worker: "w-7" });
  },

  // ------------------------------------------------------------------------------------------------------------ outcomes
  "an outcome is kept with its attempt": async (t) => {
    const task = await t.claimOne({ dueAt: t.now - 5 });
    expect(await t.record(task, final("succeeded"), { startedAt: t.now - 2 })).toEqual([true]);
    expect(await t.task(task.id)).toMatchObject({
      state: "succeeded",
      result: '{"done":true}',
      startedAt: t.now - 2,
      finishedAt: t.now,
      worker: "w-1",
      attempts: [{ number: 1, worker: "w-1", node: "node-1", outcome: "succeeded", dueAt: t.now - 5 }],
    });
    expect(await t.store.leases(t.session)).toEqual([]);
  },
  "a result of any size is kept": async (t) => {
    const task = await t.claimOne({ payload: large });
    await t.record(task, { kind: "final", state: "succeeded", result: large, error: null, reason: null });
    expect(await t.task(task.id)).toMatchObject({ payload: large, result: large });
  },
  "a lease that was lost cannot write": async (t) => {
    const stale = await t.claimOne();
    await t.store.giveBack(t.session, [stale]);
    const [present] = await t.claim();
    expect(await t.record(stale, final("failed", mistake))).toEqual([false]);
    expect((await t.task(stale.id)).state).toBe("claimed");
    expect(await t.record(present!, final("succeeded"))).toEqual([true]);
  },
  "the first outcome wins, and its repetition is acknowledged": async (t) => {
    const task = await t.claimOne();
    expect(await t.record(task, final("succeeded"))).toEqual([true]);
    expect(await t.record(task, final("failed", mistake))).toEqual([false]);
    expect(await t.record(task, final("succeeded"))).toEqual([true]);
    expect((await t.task(task.id)).state).toBe("succeeded");
  },
  "what a node decides about a worker that is gone is void once the worker is elsewhere": async (t) => {
    const task = await t.claimOne();
    const other = await t.openSession();
    await t.store.adopt(other, [task]);
    expect(await t.record(task, again(t.now), { session: t.session, lost: true })).toEqual([false]);
    expect(await t.record(task, final("succeeded"))).toEqual([true]);
  },
  "a failed attempt is tried again at its instant, with its error kept": async (t) => {
    const task = await t.claimOne();
    await t.record(task, again(t.now + 1_000, mistake));
    expect(await t.task(task.id)).toMatchObject({
      state: "pending",
      dueAt: t.now + 1_000,
      failures: 1,
      attempt: 1,
      error: mistake,
      attempts: [{ number: 1, outcome: "failed", error: mistake }],
    });
    expect(await t.claim()).toEqual([]);
    t.now += 1_000;
    expect(await t.claim()).toMatchObject([{ attempt: 2, failures: 1, token: 2n }]);
  },
  "a snooze is no failure": async (t) => {
    const task = await t.claimOne();
    await t.record(task, { kind: "again", as: "snoozed", dueAt: t.now + 1_000, error: null });
    expect(await t.task(task.id)).toMatchObject({ failures: 0, attempt: 1, attempts: [{ outcome: "snoozed" }] });
  },
  "a worker that died is counted apart from failures": async (t) => {
    const task = await t.claimOne();
    await t.record(task, { kind: "again", as: "released", dueAt: t.now, error: null }, { lost: true });
    expect(await t.task(task.id)).toMatchObject({ failures: 0, lost: 1, attempts: [{ outcome: "lost" }] });
  },
  "the last ten attempts are kept": async (t) => {
    const { id } = await t.create();
    for (let n = 1; n <= 12; n++) {
      const [task] = await t.claim();
      await t.record(task!, again(t.now, mistake));
    }
    const { attempt, attempts } = await t.task(id);
    expect(attempt).toBe(12);
    expect(attempts.map(({ number }) => number)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  },
  "outcomes recorded at the same moment are answered each for itself": async (t) => {
    await t.store.createTasks(
      Array.from({ length: 50 }, () => t.newTask()),
      { now: t.now },
    );
    const tasks = await t.claim({ limit: 50 });
    const answers = tasks.map((task, index) =>
      t.record({ id: task.id, token: task.token + (index % 2 === 0 ? 0n : 1n) }, final("succeeded")),
    );
    expect((await Promise.all(answers)).flat()).toEqual(tasks.map((_, index) => index % 2 === 0));
  },

  // ------------------------------------------------------------------------------------------------------------ sessions
  "sessions have slots of their own, and know when a node was last seen": async (t) => {
    t.now += 60_000;
    await t.store.renewSession(t.session, t.now);
    const first = await t.store.openSession({ node: "a", url: null, now: t.now + 1 });
    const second = await t.store.openSession({ node: "b", url: null, now: t.now + 2 });
    expect(first.slot).not.toBe(second.slot);
    expect(first.lastSeenAt).toBe(t.now);
    expect(second.lastSeenAt).toBe(t.now + 1);
  },
  "a session dies only at the beat that was observed": async (t) => {
    const [{ beat } = { beat: 0n }] = await t.store.sessions();
    await t.store.renewSession(t.session, t.now);
    expect(await t.store.markSessionDead(t.session, beat, t.now)).toBe(false);
    expect(await t.store.renewSession(t.session, t.now)).toMatchObject({ alive: true });
    expect(await t.store.markSessionDead(t.session, beat + 2n, t.now)).toBe(true);
    expect(await t.store.renewSession(t.session, t.now)).toMatchObject({ alive: false });
    expect(await t.claim()).toEqual([]);
  },
  "a dead session claims nothing": async (t) => {
    await t.create();
    await t.die(t.session);
    expect(await t.claim()).toEqual([]);
  },
  "leases of a dead session are left alone for 1.5 s, then taken back": async (t) => {
    const unstarted = await t.claimOne();
    const started = await t.claimOne();
    await t.store.markRunning([{ ...started, startedAt: t.now, worker: "w-1" }]);
    await t.die(t.session);
    const take = (now: number) => t.store.takeBack(t.session, { now, limit: 10 });
    expect(await take(t.now - 1)).toBe(0);
    expect(await take(t.now)).toBe(2);
    expect(await t.task(unstarted.id)).toMatchObject({ state: "pending", attempt: 0, lost: 0, attempts: [] });
    expect(await t.task(started.id)).toMatchObject({
      state: "pending",
      attempt: 1,
      failures: 0,
      lost: 0,
      attempts: [{ number: 1, outcome: "lost" }],
    });
    expect(await take(t.now)).toBe(0);
    expect((await t.store.sessions()).map((session) => session.id)).not.toContain(t.session);
  },
  "leases are taken back in portions": async (t) => {
    await t.store.createTasks([t.newTask(), t.newTask(), t.newTask()], { now: t.now });
    await t.claim();
    await t.die(t.session);
    expect(await t.store.takeBack(t.session, { now: t.now, limit: 2 })).toBe(2);
    expect((await t.store.sessions()).map((session) => session.id)).toContain(t.session);
    expect(await t.store.takeBack(t.session, { now: t.now, limit: 2 })).toBe(1);
  },
  "an adopted task goes on under its token, and its old holder is rid of it": async (t) => {
    const task = await t.claimOne();
    await t.store.markRunning([{ ...task, startedAt: t.now, worker: "w-1" }]);
    const other = await t.openSession();
    await t.die(t.session);
    expect(await t.store.adopt(other, [task])).toMatchObject([
      { id: task.id, token: task.token, attempt: 1, startedAt: task.dueAt },
    ]);
    expect(await t.store.takeBack(t.session, { now: t.now, limit: 10 })).toBe(0);
    expect(await t.store.leases(other)).toEqual([{ id: task.id, token: task.token }]);
    expect(await t.record(task, final("succeeded"))).toEqual([true]);
  },
  "a dead session adopts nothing, nor does anyone what another token holds": async (t) => {
    const task = await t.claimOne();
    const other = await t.openSession();
    expect(await t.store.adopt(other, [{ id: task.id, token: task.token + 1n }])).toEqual([]);
    await t.die(other);
    expect(await t.store.adopt(other, [task])).toEqual([]);
  },

  // -------------------------------------------------------------------------------------------------------------- people
  "a waiting task is cancelled at once": async (t) => {
    const { id } = await t.create();
    const cancel = () => t.store.cancelTask(t.namespace, id, { reason: "a mistake", now: t.now });
    expect(await cancel()).toMatchObject({ kind: "done", task: { state: "cancelled", reason: "a mistake" } });
    expect(await cancel()).toMatchObject({ kind: "final", task: { state: "cancelled" } });
    expect(await t.claim()).toEqual([]);
  },
  "the holder of a cancelled task learns it with its renewal, and decides": async (t) => {
    const task = await t.claimOne();
    const answer = await t.store.cancelTask(t.namespace, task.id, { reason: "stop", now: t.now });
    expect(answer).toMatchObject({ kind: "recalled", session: t.session, task: { cancelRequestedAt: t.now } });
    expect(await t.store.renewSession(t.session, t.now)).toEqual({
      alive: true,
      recalls: [{ id: task.id, token: task.token, what: "cancel", reason: "stop" }],
    });
    expect(await t.record(task, final("succeeded"))).toEqual([true]);
    expect((await t.task(task.id)).state).toBe("succeeded");
  },
  "a task that was asked to cancel is not tried again": async (t) => {
    const ways: ((task: ClaimedTask) => Promise<unknown>)[] = [
      (task) => t.record(task, again(t.now, mistake)),
      (task) => t.store.giveBack(t.session, [task]),
      async () => {
        await t.die(t.session);
        await t.store.takeBack(t.session, { now: t.now, limit: 10 });
      },
    ];
    for (const comeBack of ways) {
      const task = await t.claimOne();
      await t.store.cancelTask(t.namespace, task.id, { reason: "stop", now: t.now });
      await comeBack(task);
      expect(await t.task(task.id)).toMatchObject({ state: "cancelled", reason: "stop" });
    }
  },
  "a change reaches a waiting task, and recalls a held one": async (t) => {
    const { id } = await t.create();
    const patch = { priority: 9, dueAt: t.now + 10, payload: large, queue: "other" };
    const change = () => t.store.patchTask(t.namespace, id, patch, t.now);
    expect(await change()).toMatchObject({ kind: "done", task: { priority: 9, queue: "other", payload: large } });
    const [task] = await t.claim({ queue: "other", until: t.now + 10 });
    expect(task).toMatchObject({ id, priority: 9, payload: large });
    expect(await change()).toMatchObject({ kind: "recalled", session: t.session });
    expect((await t.store.renewSession(t.session, t.now)).recalls).toMatchObject([{ id, what: "return" }]);
    await t.store.giveBack(t.session, [task!]);
    expect(await change()).toMatchObject({ kind: "done" });
  },
  "a change does not undo a cancel": async (t) => {
    const task = await t.claimOne();
    await t.store.cancelTask(t.namespace, task.id, { reason: null, now: t.now });
    await t.store.patchTask(t.namespace, task.id, { priority: 1 }, t.now);
    expect((await t.store.renewSession(t.session, t.now)).recalls).toMatchObject([{ what: "cancel" }]);
  },
  "a retry gives a fresh budget, keeps earlier attempts, and voids old leases": async (t) => {
    const task = await t.claimOne();
    await t.record(task, final("failed", mistake));
    t.now += 1_000;
    expect(await t.store.retryTask(t.namespace, task.id, t.now)).toMatchObject({
      kind: "done",
      task: { state: "pending", dueAt: t.now, failures: 0, attempts: [{ number: 1, outcome: "failed" }] },
    });
    const [next] = await t.claim();
    expect(next).toMatchObject({ id: task.id, token: 2n, attempt: 2, failures: 0 });
    expect(await t.record(task, final("succeeded"))).toEqual([false]);
  },
  "a retry is refused for what succeeded, and while another task has its key": async (t) => {
    const done = await t.claimOne();
    await t.record(done, final("succeeded"));
    expect(await t.store.retryTask(t.namespace, done.id, t.now)).toMatchObject({ kind: "final" });
    const failed = await t.claimOne({ uniqueKey: "k" });
    await t.record(failed, final("failed", mistake));
    await t.create({ uniqueKey: "k" });
    await expect(t.store.retryTask(t.namespace, failed.id, t.now)).rejects.toMatchObject({ code: "unique_conflict" });
  },
  "a task that is due later can be run now": async (t) => {
    const { id } = await t.create({ dueAt: t.now + 60_000 });
    expect(await t.store.runTaskNow(t.namespace, id, t.now)).toMatchObject({ kind: "done", task: { dueAt: t.now } });
    expect(await t.claim()).toMatchObject([{ id }]);
    expect(await t.store.runTaskNow(t.namespace, id, t.now)).toMatchObject({ kind: "running" });
  },
  "only a final task can be forgotten": async (t) => {
    const task = await t.claimOne();
    expect(await t.store.deleteTask(t.namespace, task.id)).toMatchObject({ kind: "running" });
    await t.record(task, final("succeeded"));
    expect(await t.store.deleteTask(t.namespace, task.id)).toMatchObject({ kind: "done" });
    expect(await t.store.getTask(t.namespace, task.id)).toBeNull();
    expect(await t.store.deleteTask(t.namespace, task.id)).toEqual({ kind: "not_found" });
  },
  "lists show the newest first, final ones included, page by page": async (t) => {
    const tasks: Id[] = [];
    for (let n = 0; n < 5; n++) {
      tasks.unshift((await t.create({ payload: "1" })).id);
      t.now++;
    }
    await t.store.cancelTask(t.namespace, tasks[2]!, { reason: null, now: t.now });
    const page = (after: string | null) =>
      t.store.listTasks(t.namespace, { filter: {}, now: t.now, pageSize: 2, after });
    const first = await page(null);
    const second = await page(first.next);
    const third = await page(second.next);
    expect([first, second, third].flatMap(({ items }) => items.map((task) => task.id))).toEqual(tasks);
    expect(third.next).toBeNull();
    expect(first.items[0]!.payload).toBeNull();
  },
  "lists tell what is scheduled, queued and retrying apart": async (t) => {
    const retrying = await t.claimOne();
    await t.record(retrying, again(t.now + 10, mistake));
    const queued = await t.create();
    const scheduled = await t.create({ dueAt: t.now + 10 });
    const list = async (waiting: "scheduled" | "queued" | "retrying") => {
      const filter = { states: ["pending"] as const, waiting: [waiting] };
      const { items } = await t.store.listTasks(t.namespace, { filter, now: t.now, pageSize: 10, after: null });
      return items.map((task) => task.id);
    };
    expect(await list("retrying")).toEqual([retrying.id]);
    expect(await list("queued")).toEqual([queued.id]);
    expect(await list("scheduled")).toEqual([scheduled.id]);
  },
  "log lines are kept from whoever holds the task, oldest first": async (t) => {
    const task = await t.claimOne();
    const line = (message: string, at: number, token = task.token) => ({
      id: task.id,
      token,
      at,
      level: "info" as const,
      message,
      attempt: 1,
    });
    await t.store.appendLogs([line("one", t.now), line("stale", t.now, 99n)]);
    await t.record(task, final("succeeded"));
    await t.store.appendLogs([line("two", t.now + 1)]);
    const first = await t.store.taskLogs(t.namespace, task.id, { pageSize: 1, after: null });
    const second = await t.store.taskLogs(t.namespace, task.id, { pageSize: 1, after: first.next });
    expect([...first.items, ...second.items].map(({ message }) => message)).toEqual(["one", "two"]);
    expect(second.next).toBeNull();
  },
  "log lines of the same instant stay in the order in which they were written": async (t) => {
    const { id, token } = await t.claimOne();
    const messages = ["a", "b", "c", "d"];
    for (const message of messages) {
      await t.store.appendLogs([{ id, token, at: t.now, level: "info", message, attempt: 1 }]);
    }
    const read: string[] = [];
    let after: string | null = null;
    do {
      const page: Page<LogLine> = await t.store.taskLogs(t.namespace, id, { pageSize: 1, after });
      read.push(...page.items.map((line) => line.message));
      after = page.next;
    } while (after !== null);
    expect(read).toEqual(messages);
  },
  "what was declared last for a type counts": async (t) => {
    const declare = (timeoutMs: number) =>
      t.store.declareTypes(t.namespace, [{ type: "work", queue: null, policy: { retry: null, timeoutMs } }], t.now);
    await declare(1_000);
    t.now += 5;
    await declare(2_000);
    expect(await t.store.types(t.namespace)).toEqual([
      { type: "work", queue: null, policy: { retry: null, timeoutMs: 2_000 }, declaredAt: t.now },
    ]);
  },
  "depths count what is not final by lane and state": async (t) => {
    await t.store.createTasks([t.newTask(), t.newTask(), t.newTask()], { now: t.now });
    await t.claim({ limit: 1 });
    const depths = (await t.store.depths(1)).filter(({ lane }) => lane.namespace === t.namespace);
    expect(depths.map(({ state, count }) => `${state} ${count}`).sort()).toEqual(["claimed 1", "pending 1"]);
  },

  // ----------------------------------------------------------------------------------------------------------- schedules
  "a schedule is created, left alone when nothing changes, and versioned when something does": async (t) => {
    const first = await put(t);
    expect(first).toMatchObject({ kind: "created", schedule: { version: 1, plannedUntil: t.now, fires: 0 } });
    expect(await put(t)).toMatchObject({ kind: "unchanged", schedule: { version: 1 } });
    t.now += 1_000;
    expect(await put(t, { every: "2m" })).toMatchObject({
      kind: "changed",
      schedule: { version: 2, plannedUntil: t.now, createdAt: start, updatedAt: t.now },
    });
    expect(await put(t, { expect: "create" })).toEqual({ kind: "exists" });
    expect(await put(t, { expect: 1 })).toEqual({ kind: "version_mismatch" });
  },
  "a fire becomes a task once, whoever plans it how often": async (t) => {
    await put(t);
    const [one, two] = await Promise.all([plan(t, [10]), plan(t, [10])]);
    expect(one.tasks.length + two.tasks.length).toBe(1);
    expect((await plan(t, [10, 20])).tasks.map((task) => task.fireAt)).toEqual([t.now + 20_000]);
    expect(await fires(t)).toMatchObject([
      { outcome: "task", task: { state: "pending" } },
      { outcome: "task", task: { state: "pending" } },
    ]);
    expect(await schedule(t)).toMatchObject({ fires: 2 });
  },
  "a fire stays one for ever, also after its task is final and forgotten": async (t) => {
    await put(t);
    await plan(t, [-10]);
    const [task] = await t.claim();
    await t.record(task!, final("succeeded"));
    await t.store.deleteTask(t.namespace, task!.id);
    expect((await plan(t, [-10])).tasks).toEqual([]);
    expect(await fires(t)).toMatchObject([{ outcome: "task", task: null }]);
  },
  "an edit withdraws what nobody has claimed, and its fires are planned anew": async (t) => {
    await put(t);
    await plan(t, [10, 20]);
    const [held] = await t.claim({ until: t.now + 10_000 });
    await put(t, { every: "2m" });
    expect(await fires(t)).toMatchObject([
      { outcome: "task", task: { id: held!.id }, version: 1 },
      { outcome: "withdrawn", reason: "edited", task: null, version: 1 },
    ]);
    expect(await plan(t, [10, 20])).toMatchObject({ tasks: [{ fireAt: t.now + 20_000 }] });
    expect(await fires(t)).toMatchObject([{ version: 1 }, { outcome: "task", version: 2 }]);
    expect(await schedule(t)).toMatchObject({ fires: 2 });
  },
  "a pause takes away what was planned, and its fires are skipped": async (t) => {
    await put(t);
    await plan(t, [10, 20]);
    await t.store.setPaused(t.namespace, "nightly", { paused: true, reason: "holiday", now: t.now });
    expect(await schedule(t)).toMatchObject({ paused: true, pause: { reason: "holiday", at: t.now }, fires: 0 });
    expect(await t.claim({ until: t.now + 60_000 })).toEqual([]);
    await plan(t, [10, 20], "skipped");
    t.now += 15_000;
    await t.store.setPaused(t.namespace, "nightly", { paused: false, reason: null, now: t.now });
    expect(await fires(t)).toMatchObject([{ outcome: "skipped", fireAt: start + 10_000 }]);
    expect((await plan(t, [5])).tasks).toMatchObject([{ fireAt: start + 20_000 }]);
  },
  "a deleted schedule fires no more, and its name is free": async (t) => {
    await put(t);
    await plan(t, [10]);
    expect(await t.store.deleteSchedule(t.namespace, "nightly", t.now)).toBe(true);
    expect(await t.store.deleteSchedule(t.namespace, "nightly", t.now)).toBe(false);
    expect(await t.claim({ until: t.now + 60_000 })).toEqual([]);
    expect(await schedule(t)).toBeNull();
    expect(await put(t, { expect: "create" })).toMatchObject({ kind: "created", schedule: { version: 1 } });
  },
  "a downtime hands what was planned for it back to the planner, once": async (t) => {
    await put(t);
    await plan(t, [10, 40, 80]);
    const from = t.now;
    t.now += 60_000;
    await t.store.recordDowntime({ from, until: t.now });
    expect(await fires(t)).toMatchObject([{ fireAt: start + 80_000 }]);
    expect(await schedule(t)).toMatchObject({ plannedUntil: from, fires: 1 });
    await plan(t, [-50, -20], "missed");
    await t.store.recordDowntime({ from, until: t.now });
    expect((await fires(t)).map(({ outcome }) => outcome)).toEqual(["missed", "missed", "task"]);
    expect(await t.store.downtimes(from)).toEqual([{ from, until: t.now }]);
  },
  "a schedule shows its last fire and that one's task": async (t) => {
    await put(t);
    await plan(t, [-10, 10]);
    const [task] = await t.claim();
    expect(await schedule(t)).toMatchObject({
      lastFireAt: t.now - 10_000,
      lastTask: { id: task!.id, state: "claimed" },
    });
  },

  // --------------------------------------------------------------------------------------------------------------- hints
  "a hint is not heard by its sender": async (t) => {
    const heard: unknown[] = [];
    t.store.hints.subscribe((hint) => heard.push(hint));
    t.store.hints.publish({ types: true });
    await t.store.databaseTime();
    expect(heard).toEqual([]);
  },
};

const definition = (every: string): ScheduleDefinition => ({
  rule: {
    cron: null,
    every,
    timeZone: "UTC",
    dialect: "vixie",
    dst: { gap: "next", overlap: "first" },
    jitter: null,
    startAt: null,
    endAt: null,
    maxFires: null,
  },
  catchUp: { policy: "last", windowMs: 3_600_000, limit: 1 },
  overlap: "allow",
  task: { type: "work", payload: null, queue: null, priority: 5, retry: null, timeoutMs: null, tags: [] },
});

const put = (t: World, { every = "1m", ...more }: { every?: string; expect?: "create" | number } = {}) =>
  t.store.putSchedule({
    id: t.newTask().id,
    namespace: t.namespace,
    name: "nightly",
    definition: definition(every),
    now: t.now,
    nextFireAt: t.now + 60_000,
    ...more,
  });

const schedule = (t: World) => t.store.getSchedule(t.namespace, "nightly", t.now);

const fires = async (t: World) => {
  const { id } = (await schedule(t))!;
  const range = { from: t.now - 3_600_000, to: t.now + 3_600_000 };
  return (await t.store.listFires(id, { ...range, pageSize: 50, after: null })).items;
};

const HORIZON_MS = 60_000;

/** Plans fires at these seconds from now. */
const plan = (t: World, seconds: number[], outcome: "task" | "skipped" | "missed" = "task") => {
  const planned = (record: ScheduleRecord): SchedulePlan => ({
    // Still behind, so that the next call plans again.
    plannedUntil: t.now + HORIZON_MS - 1,
    nextFireAt: null,
    fires: seconds.map((second) => {
      const fireAt = t.now + second * 1_000;
      const task = t.newTask({ trigger: "schedule", scheduleId: record.id, fireAt, dueAt: fireAt });
      return { fireAt, outcome, reason: null, caughtUp: false, task: outcome === "task" ? task : null };
    }),
  });
  return t.store.planSchedules({ before: t.now + HORIZON_MS, limit: 10, now: t.now }, planned);
};
