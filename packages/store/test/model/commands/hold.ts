import type { OutcomeDecision, TaskError } from "@carillon/core";
import type { Band, Outcome, TaskRef } from "@carillon/store";
import fc from "fast-check";
import { command, nth } from "../command.ts";
import { heldBy, laneId, laneNames, nextDueByName, pick, same, unordered, type World } from "../world.ts";

const claim = command(
  "claim",
  fc.record({
    session: nth,
    lanes: fc.array(nth, { minLength: 1, maxLength: 4 }),
    limit: fc.integer({ min: 1, max: 4 }),
    ofAll: fc.constantFrom(2, 100, 100, 100),
    aheadMs: fc.constantFrom(-1, 0, 0, 300, 60_000),
  }),
  async (world, { session, lanes, limit, ofAll, aheadMs }) => {
    const names = await laneNames(world);
    if (names.length === 0) return;
    const chosen = [...new Set(lanes.map((n) => pick(names, n)!))];
    const answer = await same(world, (store, side) => {
      const targets = chosen.flatMap((name) =>
        ([1, 2, 3] as Band[]).map((band) => ({ laneId: laneId(side, name), band, limit })),
      );
      const id = pick(side.sessions, session)!;
      return store.claim({ session: id, targets, until: world.now + aheadMs, limit: ofAll, now: world.now });
    });
    world.refs.push(...(answer ?? []).map(({ id, token }) => ({ id, token })));
  },
);

const claimOneLane = command(
  "claimOneLane",
  fc.record({
    session: nth,
    lane: nth,
    band: fc.constantFrom<Band>(1, 2, 3),
    limits: fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 5 })),
    fromMs: fc.constantFrom(null, null, 0, 1, 1_000, 60_000),
  }),
  async (world, { session, lane, band, limits: [ofTarget, ofAll], fromMs }) => {
    const name = pick(await laneNames(world), lane);
    if (name === undefined) return;
    const answer = await same(world, (store, side) => {
      const target = { laneId: laneId(side, name), band, limit: ofTarget };
      const targets = [fromMs === null ? target : { ...target, from: world.now - fromMs }];
      return store.claim({
        session: pick(side.sessions, session)!,
        targets,
        until: world.now,
        limit: ofAll,
        now: world.now,
      });
    });
    world.refs.push(...(answer ?? []).map(({ id, token }) => ({ id, token })));
  },
);

const nextDue = command("nextDue", fc.constant(null), async (world) => {
  const names = await laneNames(world);
  await same(
    world,
    (store, side) => store.nextDue(names.map((name) => laneId(side, name))),
    (answer, side) => unordered(side, nextDueByName(side, answer)),
  );
});

/** Which leases a command names: some that a session holds, perhaps with stale or foreign ones among them. */
export const which = fc.record({
  session: nth,
  some: fc.subarray([0, 1, 2, 3, 4, 5], { minLength: 1 }),
  stale: fc.boolean(),
  others: fc.oneof(
    { weight: 3, arbitrary: fc.constant<number[]>([]) },
    { weight: 1, arbitrary: fc.array(nth, { maxLength: 3 }) },
  ),
});
type Which = { session: number; some: number[]; stale: boolean; others: number[] };

export async function choose(world: World, which: Which): Promise<{ holder: number; refs: TaskRef[] }> {
  const { session: holder, refs: held } = await heldBy(world, which.session);
  const refs = which.some.flatMap((n) => held[n] ?? []).map((ref) => (which.stale ? earlier(world, ref) : ref));
  for (const other of which.others.flatMap((n) => pick(world.refs, n) ?? [])) {
    if (!refs.some((ref) => ref.id === other.id)) refs.push(other);
  }
  return { holder, refs };
}

/** An earlier lease of the same task, if there was one. */
function earlier(world: World, ref: TaskRef): TaskRef {
  return world.refs.find(({ id, token }) => id === ref.id && token < ref.token) ?? ref;
}

/** A person cancels what a node holds. */
const cancelHeld = command(
  "cancelHeld",
  fc.record({ which, reason: fc.constantFrom(null, "stop it") }),
  async (world, { which, reason }) => {
    const { refs } = await choose(world, which);
    for (const { id } of refs) {
      const { namespace } = world.tasks.find((task) => task.id === id)!;
      await same(world, (store) => store.cancelTask(namespace, id, { reason, now: world.now }));
    }
  },
);

const giveBack = command("giveBack", fc.record({ which, by: nth, own: fc.boolean() }), async (world, given) => {
  const { holder, refs } = await choose(world, given.which);
  const by = given.own ? holder : given.by;
  await same(
    world,
    (store, side) => store.giveBack(pick(side.sessions, by)!, refs),
    (ids, side) => unordered(side, ids),
  );
});

const markRunning = command("markRunning", which, async (world, given) => {
  const { refs } = await choose(world, given);
  const marks = refs.map((ref) => ({ ...ref, startedAt: world.now - 1_000, worker: "worker-1" }));
  await same(world, (store) => store.markRunning(marks));
});

const adopt = command("adopt", fc.record({ which, by: nth, of: nth }), async (world, { which, by, of }) => {
  const { refs } = await choose(world, which);
  await same(
    world,
    (store, side) => store.adopt(pick(side.sessions, by)!, pick(world.namespaces, of)!, refs),
    (tasks, side) => unordered(side, tasks),
  );
});

const leases = command("leases", nth, async (world, n) => {
  await same(
    world,
    (store, side) => store.leases(pick(side.sessions, n)!),
    (refs, side) => unordered(side, refs),
  );
});

const error: TaskError = { code: "handler_error", name: "Error", message: "It did not work", stack: null };
const workerLost: TaskError = { code: "worker_lost", name: "WorkerLost", message: "The worker died", stack: null };

interface Ending {
  decision: OutcomeDecision;
  started: boolean;
  lost: boolean;
}
const final = (
  state: "succeeded" | "failed" | "cancelled" | "skipped",
  more: { result?: string | null; error?: TaskError | null; reason?: string | null } = {},
): OutcomeDecision => ({ kind: "final", state, result: null, error: null, reason: null, ...more });
const again = (
  as: "failed" | "snoozed" | "released",
  dueAt: number,
  error: TaskError | null = null,
): OutcomeDecision => ({
  kind: "again",
  as,
  dueAt,
  error,
});

/** Ways an attempt may end, given the present instant. */
const endings: Record<string, (now: number) => Ending> = {
  succeeded: () => ({ decision: final("succeeded", { result: '{"ok":true}' }), started: true, lost: false }),
  succeededLargely: () => ({
    decision: final("succeeded", { result: JSON.stringify("y".repeat(700)) }),
    started: true,
    lost: false,
  }),
  failedForGood: () => ({ decision: final("failed", { error }), started: true, lost: false }),
  refusedUnstarted: () => ({ decision: final("failed", { error }), started: false, lost: false }),
  failedForNow: (now) => ({ decision: again("failed", now + 1_000, error), started: true, lost: false }),
  snoozed: (now) => ({ decision: again("snoozed", now + 5_000), started: true, lost: false }),
  releasedUnstarted: (now) => ({ decision: again("released", now - 1), started: false, lost: false }),
  releasedStarted: (now) => ({ decision: again("released", now), started: true, lost: false }),
  lost: (now) => ({ decision: again("released", now), started: true, lost: true }),
  quarantined: () => ({ decision: final("failed", { error: workerLost }), started: true, lost: true }),
  discarded: () => ({ decision: final("skipped", { reason: "not needed" }), started: true, lost: false }),
  cancelled: () => ({ decision: final("cancelled", { reason: "asked to" }), started: true, lost: false }),
};
const ending = fc.constantFrom(...Object.keys(endings));

const recordOutcomes = command(
  "recordOutcomes",
  fc.record({
    which,
    endings: fc.array(ending, { minLength: 6, maxLength: 6 }),
    together: fc.boolean(),
    by: fc.constantFrom("worker" as const, "worker" as const, "holder" as const, "other" as const),
  }),
  async (world, given) => {
    const { holder, refs } = await choose(world, given.which);
    const outcomes = refs.map((ref, index): Outcome => {
      const { decision, started, lost } = endings[pick(given.endings, index)!]!(world.now);
      const startedAt = started ? world.now - 500 : null;
      return { ...ref, decision, startedAt, finishedAt: world.now, worker: started ? "worker-1" : null, lost };
    });
    world.lastOutcomes = outcomes;
    await same(world, async (store, side) => {
      const by = given.by === "holder" ? holder : holder + 1;
      const guard = given.by === "worker" ? {} : { session: pick(side.sessions, by)! };
      const guarded = outcomes.map((outcome) => ({ ...outcome, ...guard }));
      return given.together
        ? (await Promise.all(guarded.map((outcome) => store.recordOutcomes([outcome])))).flat()
        : store.recordOutcomes(guarded);
    });
  },
);

/** As after a lost answer. */
const recordAgain = command("recordAgain", fc.option(ending), async (world, other) => {
  const outcomes = world.lastOutcomes.map((outcome) =>
    other === null ? outcome : { ...outcome, decision: endings[other]!(world.now).decision },
  );
  await same(world, (store) => store.recordOutcomes(outcomes));
});

const appendLogs = command("appendLogs", which, async (world, given) => {
  const { refs } = await choose(world, given);
  const lines = refs.map((ref, index) => ({
    ...ref,
    at: world.now + index,
    level: index % 2 === 0 ? ("info" as const) : ("warn" as const),
    message: `step ${world.step}`,
    attempt: 1,
  }));
  await same(world, (store) => store.appendLogs(lines));
});

const recordProgress = command("recordProgress", which, async (world, given) => {
  const { refs } = await choose(world, given);
  const reports = refs.map((ref, index) => ({
    ...ref,
    fraction: index / 8,
    message: index % 2 ? `step ${world.step}` : null,
  }));
  await same(world, (store) => store.recordProgress(reports, world.now));
});

const times = <Item>(count: number, item: Item): Item[] => Array.from({ length: count }, () => item);

/** What moves tasks on comes more often than what only looks at them. */
const skipUnstarted = command("skipUnstarted", fc.constantFrom(1, 100), async (world, limit) => {
  await same(world, (store) => store.skipUnstarted({ now: world.now, limit }));
});

const watchDeadlines = command("watchDeadlines", fc.constantFrom(1, 100), async (world, limit) => {
  await same(
    world,
    (store) => store.watchDeadlines({ now: world.now, limit }),
    (answer, side) => ({ ...answer, raised: unordered(side, answer.raised) }),
  );
});

export const holdCommands = [
  ...times(8, claim),
  ...times(2, claimOneLane),
  nextDue,
  ...times(3, cancelHeld),
  ...times(3, giveBack),
  ...times(2, markRunning),
  ...times(2, adopt),
  leases,
  ...times(8, recordOutcomes),
  ...times(3, recordAgain),
  ...times(2, skipUnstarted),
  ...times(2, watchDeadlines),
  appendLogs,
  recordProgress,
];
