import { fairPart } from "@carillon/core";
import type { LimitedAnswer, Outcome, QueueSettings } from "@carillon/store";
import fc from "fast-check";
import { command, nth } from "../command.ts";
import {
  laneId,
  laneName,
  laneNames,
  newTask,
  nextDueByName,
  pick,
  type Side,
  same,
  unordered,
  type World,
} from "../world.ts";

const rate = fc.record({
  limit: fc.constantFrom(1, 3),
  perMs: fc.constantFrom(1_000, 7_000, 60_000),
  burst: fc.constantFrom(1, 2, 5),
});

const settings: fc.Arbitrary<QueueSettings> = fc.record(
  {
    concurrency: fc.integer({ min: 1, max: 4 }),
    concurrencyPerKey: fc.integer({ min: 1, max: 2 }),
    concurrencyPerType: fc.constantFrom<Record<string, number>>({ mail: 1 }, { bill: 2, mail: 1 }),
    rateLimit: rate,
    rateLimitPerKey: rate,
    maxBacklog: fc.constant(100),
    breaker: fc.constant({ failures: 3, openMs: 5_000, adaptive: false }),
    fairWeights: fc.constantFrom({ ada: 3 }, { bob: 7, ada: 2 }),
  },
  { requiredKeys: [] },
);

const which = { namespace: fc.constantFrom(0, 0, 0, 1), queue: fc.constantFrom("default", "default", "slow") };

const putQueue = command(
  "putQueue",
  fc.record({
    ...which,
    settings: fc.oneof({ weight: 3, arbitrary: settings }, { weight: 1, arbitrary: fc.constant({}) }),
    paused: fc.constantFrom(undefined, undefined, undefined, false, true),
    expect: fc.constantFrom(undefined, undefined, 0, 1, 2),
  }),
  async (world, { namespace, queue: name, settings, paused, expect }) => {
    await same(world, (store) =>
      store.putQueue({
        namespace: world.namespaces[namespace]!,
        name,
        settings,
        now: world.now,
        ...(paused === undefined ? {} : { paused }),
        ...(expect === undefined ? {} : { expect }),
      }),
    );
  },
);

const pauseQueue = command(
  "pauseQueue",
  fc.record({ ...which, paused: fc.constantFrom(true, false, false), reason: fc.constantFrom(null, "flood") }),
  async (world, { namespace, queue, ...given }) => {
    const request = { ...given, by: "ops", now: world.now };
    await same(world, (store) => store.setQueuePaused(world.namespaces[namespace]!, queue, request));
  },
);

const claimLimited = command(
  "claimLimited",
  fc.record({
    ...which,
    session: nth,
    all: fc.constantFrom(true, true, true, false),
    limit: fc.integer({ min: 1, max: 6 }),
    keys: fc.subarray(["k-1", "k-2"]),
    sweep: fc.boolean(),
    turns: fc.constantFrom(null, null, { at: 2, had: new Map([[fairPart("ada"), 2.5]]) }),
  }),
  async (world, { namespace: of, queue, session, all, limit, keys, sweep, turns }) => {
    const namespace = world.namespaces[of]!;
    const names = (await laneNames(world)).filter((name) => name.startsWith(`${namespace}/${queue}/`));
    const chosen = all ? names : names.slice(0, 1);
    const answer = await same(
      world,
      (store, side) =>
        store.claimLimited({
          session: pick(side.sessions, session)!,
          namespace,
          queue,
          lanes: chosen.map((name) => laneId(side, name)),
          limit,
          now: world.now,
          keys,
          sweepAfter: sweep ? "" : null,
          turns,
        }),
      limitedByName,
    );
    world.refs.push(...(answer?.claimed ?? []).map(({ id, token }) => ({ id, token })));
  },
);

/** Tasks of one key, where keys are limited: some run, some wait, some of both end, and what is free is claimed. */
const limitedRound = command(
  "limitedRound",
  fc.record({
    session: nth,
    settings: fc.constantFrom<QueueSettings>(
      { concurrencyPerKey: 1 },
      { concurrencyPerKey: 2, concurrency: 3 },
      { concurrencyPerKey: 2, concurrencyPerType: { bill: 2, mail: 1 } },
      { rateLimitPerKey: { limit: 1, perMs: 1_000, burst: 2 } },
      {
        concurrencyPerKey: 2,
        rateLimitPerKey: { limit: 2, perMs: 1_000, burst: 3 },
        rateLimit: { limit: 5, perMs: 1_000, burst: 5 },
      },
    ),
    keys: fc.array(fc.constantFrom(null, "k-1", "k-1", "k-2"), { minLength: 2, maxLength: 6 }),
    priorities: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
    ended: fc.nat({ max: 2 }),
    cancelled: nth,
    afterMs: fc.constantFrom(0, 400, 1_000),
    sweep: fc.boolean(),
  }),
  async (world, { session, settings, keys, priorities, ended, cancelled, afterMs, sweep }) => {
    const [namespace] = world.namespaces;
    const queue = "default";
    await same(world, (store) => store.putQueue({ namespace, name: queue, settings, paused: false, now: world.now }));
    const tasks = keys.map((concurrencyKey, index) =>
      newTask(world, {
        ...{ namespace: 0, type: "mail", queue, priority: priorities[index % 2]!, dueInMs: -index, maxAttempts: 2 },
        ...{
          startWithinMs: null,
          finishWithinMs: null,
          uniqueForMs: null,
          payload: null,
          uniqueKey: null,
          concurrencyKey,
          tags: [],
          requires: {},
        },
      }),
    );
    await same(world, (store) => store.createTasks(tasks, { now: world.now }));
    await laneNames(world);
    const claim = (keys: string[]) =>
      same(
        world,
        (store, side) =>
          store.claimLimited({
            ...{ session: pick(side.sessions, session)!, namespace, queue, limit: 4, now: world.now, keys },
            lanes: [laneId(side, laneName({ namespace, queue, type: "mail" }))],
            sweepAfter: sweep ? "" : null,
          }),
        limitedByName,
      );
    const claimed = (await claim([]))?.claimed ?? [];
    world.refs.push(...claimed.map(({ id, token }) => ({ id, token })));
    const { id } = pick(tasks, cancelled)!;
    await same(world, (store) => store.cancelTask(namespace, id, { reason: null, now: world.now }));
    const outcomes = claimed.slice(0, ended).map(
      ({ id, token }): Outcome => ({
        ...{ id, token, startedAt: world.now, finishedAt: world.now, worker: "worker-1", lost: false },
        decision: { kind: "final", state: "succeeded", result: null, error: null, reason: null },
      }),
    );
    await same(world, (store) => store.recordOutcomes(outcomes));
    world.now += afterMs;
    const more = (await claim(["k-1", "k-2"]))?.claimed ?? [];
    world.refs.push(...more.map(({ id, token }) => ({ id, token })));
  },
);

const limitedByName = ({ nextDue, turns, ...answer }: LimitedAnswer, side: Side) => ({
  ...answer,
  turns: turns && { at: turns.at, had: [...turns.had].sort(([a], [b]) => a - b) },
  nextDue: unordered(side, nextDueByName(side, nextDue)),
});

export async function compareQueues(world: World): Promise<void> {
  for (const namespace of world.namespaces) {
    await same(world, (store) => store.listQueues(namespace, { pageSize: 10, after: null }));
    await same(world, async (store) => (await store.allQueues()).filter((queue) => queue.namespace === namespace));
    for (const queue of ["default", "slow"]) {
      for (const concurrencyKey of [null, "k-1", "k-2"]) {
        const query = { concurrencyKey, type: "mail", now: world.now, limit: 5 };
        await same(world, (store) => store.limitFacts(namespace, queue, query));
      }
    }
  }
}

export const queueCommands = [
  putQueue,
  putQueue,
  pauseQueue,
  ...Array.from({ length: 4 }, () => claimLimited),
  ...Array.from({ length: 3 }, () => limitedRound),
];
