import {
  createIdSource,
  defaultPolicy,
  type FairTurns,
  type FinalState,
  type Id,
  type OutcomeDecision,
  type TaskError,
} from "@carillon/core";
import type {
  ClaimedTask,
  CreateAnswer,
  CreateOptions,
  LimitedAnswer,
  NewTask,
  Outcome,
  Store,
  TaskRecord,
  TaskRef,
} from "@carillon/store";
import { expect } from "vitest";

/** Sentences, and how each is checked. */
export type Promises = Record<string, (t: World) => Promise<void>>;
export type World = Awaited<ReturnType<typeof setup>>;

export const start = Date.UTC(2026, 2, 1, 12);
let worlds = 0;

/** A store, a clock to be moved by hand, an open session, and builders. */
export async function setup(store: Store) {
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
    /** The same of the whole queue, as one that is limited. */
    claimLimited: async (
      given: { session?: Id; limit?: number; keys?: string[]; sweepAfter?: string; turns?: FairTurns | null } = {},
    ): Promise<LimitedAnswer> => {
      const { session = t.session, limit = 10, keys = [], sweepAfter = null, turns = null } = given;
      const lanes = (await store.lanes()).filter((one) => one.namespace === namespace && one.queue === "default");
      const ids = lanes.map(({ id }) => id);
      return store.claimLimited({
        session,
        namespace,
        queue: "default",
        lanes: ids,
        limit,
        now: t.now,
        keys,
        sweepAfter,
        turns,
      });
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

export const final = (state: FinalState, error: TaskError | null = null): OutcomeDecision => ({
  kind: "final",
  state,
  result: state === "succeeded" ? '{"done":true}' : null,
  error,
  reason: null,
});
export const again = (dueAt: number, error: TaskError | null = null): OutcomeDecision => ({
  kind: "again",
  as: "failed",
  dueAt,
  error,
});
export const mistake: TaskError = { code: "handler_error", name: "Error", message: "no", stack: null };
export const large = JSON.stringify("x".repeat(100_000));
