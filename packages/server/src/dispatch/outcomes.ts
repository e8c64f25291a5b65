/**
 * Writes what became of attempts, in batches, and tells their workers after the commit. While the store does not answer, outcomes stay here
 * and are tried for ever: (id, token) makes a repetition harmless. Memory is bounded because nothing is handed out meanwhile.
 */
import { CarillonError, delay, publicState } from "@carillon/core";
import type { Outcome } from "@carillon/store";
import type { Demand } from "./demand.ts";
import { type ConnectedWorker, forget, type Hand, type HeldTask } from "./hand.ts";
import type { Logs } from "./logs.ts";
import type { DispatcherOptions } from "./options.ts";

const MAX_BATCH = 1_000;
/** Of results, in a batch of more than one: what a statement writes within its deadline also on a slow disk. */
const MAX_BATCH_LENGTH = 8 * 1_024 * 1_024;
/** What a node decided by itself (its worker is gone) is written so soon or not at all: others may know better once the store is back. */
const OWN_DECISION_MS = 500;
/** One commit on its way while the next batch fills. */
const FLIGHTS = 2;
const MAX_WAITING = 20_000;
const RETRY_MAX_MS = 1_000;

export interface Outcomes {
  /** Writes `held.outcome`. */
  record(held: HeldTask): void;
  /** So many wait that nothing more should be handed out. */
  full(): boolean;
  /** Everything recorded so far is written. */
  idle(): Promise<void>;
}

export function createOutcomes(
  { store, clock, metrics, log, feed, scheduledEnded }: DispatcherOptions,
  {
    hand,
    demand,
    logs,
    undecided,
    slotFreed,
  }: {
    hand: Hand;
    demand: Demand;
    logs: Logs;
    undecided: (held: HeldTask) => void;
    slotFreed: (held: HeldTask) => void;
  },
): Outcomes {
  const waiting: HeldTask[] = [];
  const flights = new Set<Promise<void>>();
  let queued = false;

  function flush(): void {
    queued = false;
    while (waiting.length > 0 && flights.size < FLIGHTS) {
      const batch = takeBatch(waiting);
      const flight = send(batch).finally(() => {
        flights.delete(flight);
        flush();
      });
      flights.add(flight);
    }
  }

  async function send(batch: HeldTask[]): Promise<void> {
    await logs.written(batch);
    for (let failures = 0; ; failures++) {
      const now = clock.monotonic();
      batch = leaveUndecided(batch, (held) => now - held.since > OWN_DECISION_MS);
      if (batch.length === 0) return;
      try {
        settle(batch, await store.recordOutcomes(batch.map((held) => held.outcome!)));
        return;
      } catch (error) {
        if (!CarillonError.from(error).retryable) return refused(batch, error);
        if (failures === 0) log.warn({ error, outcomes: batch.length }, "outcomes wait for the database");
        batch = leaveUndecided(batch, () => true);
        await delay(clock, Math.min(RETRY_MAX_MS, 20 * 2 ** failures));
      }
    }
  }

  /** Without those of this node's own decisions that `which` names. */
  function leaveUndecided(batch: HeldTask[], which: (held: HeldTask) => boolean): HeldTask[] {
    const own = new Set(batch.filter((held) => held.outcome!.session !== undefined && which(held)));
    if (own.size === 0) return batch;
    const others = batch.filter((held) => !own.has(held));
    for (const held of own) undecided(held);
    return others;
  }

  /**
   * The store will never take this batch: finds the guilty outcome. When its data is at fault, that is what is written in its place; else
   * the task is left to reconciliation, which gives it back to be tried again.
   */
  async function refused(batch: HeldTask[], error: unknown): Promise<void> {
    if (batch.length > 1) {
      const middle = batch.length >> 1;
      await send(batch.slice(0, middle));
      return send(batch.slice(middle));
    }
    const [held] = batch as [HeldTask];
    const outcome = held.outcome!;
    log.error({ error, task: outcome.id }, "an outcome could not be stored");
    const { decision } = outcome;
    const isUnstorable = CarillonError.from(error).code === "invalid_request";
    if (!isUnstorable || (decision.kind === "final" && decision.error?.code === "result_too_large"))
      return settle(batch, [false]);
    held.outcome = { ...outcome, decision: unstorable() };
    return send(batch);
  }

  function settle(batch: HeldTask[], accepted: boolean[]): void {
    const now = clock.now();
    const answers = new Map<ConnectedWorker, { id: bigint; token: bigint; accepted: boolean }[]>();
    const again: HeldTask[] = [];
    for (const [index, held] of batch.entries()) {
      const { id, token } = held.claimed;
      const wasAccepted = accepted[index] === true;
      forget(hand, held);
      slotFreed(held);
      if (held.worker) {
        const list = answers.get(held.worker);
        if (list) list.push({ id, token, accepted: wasAccepted });
        else answers.set(held.worker, [{ id, token, accepted: wasAccepted }]);
      }
      if (wasAccepted && tell(held, held.outcome!, now)) again.push(held);
    }
    for (const [worker, outcomes] of answers) worker.link.send({ kind: "recorded", outcomes });
    if (again.length > 0) {
      demand.created(
        again.map(({ claimed: { lane, priority }, outcome }) => ({ ...lane, priority, dueAt: dueAgainAt(outcome!) })),
        now,
      );
    }
  }

  /** Metrics and screens. True: it will be pending again. */
  function tell(held: HeldTask, { decision, startedAt, finishedAt, lost }: Outcome, now: number): boolean {
    const { id, lane, failures, scheduleId } = held.claimed;
    if (scheduleId !== null && (decision.kind === "final" || held.cancel)) scheduledEnded?.(scheduleId);
    const seconds = startedAt === null ? null : (finishedAt - startedAt) / 1_000;
    if (decision.kind === "final") {
      metrics.taskEnded(lane, lost ? "lost" : decision.state, seconds);
      feed.taskChanged(id, lane.namespace, decision.state);
      return false;
    }
    metrics.taskEnded(lane, lost ? "lost" : decision.as === "failed" ? "retried" : decision.as, seconds);
    const { dueAt } = decision;
    const pending = publicState(
      { state: "pending", dueAt, failures: decision.as === "failed" ? failures + 1 : failures },
      now,
    );
    // The store does not try a task again that was to be cancelled.
    feed.taskChanged(id, lane.namespace, held.cancel ? "cancelled" : pending);
    return !held.cancel;
  }

  return {
    record(held) {
      waiting.push(held);
      if (queued) return;
      queued = true;
      // Whatever can start in this turn of the event loop starts first.
      clock.after(0, flush);
    },
    full: () => waiting.length > MAX_WAITING,
    async idle() {
      while (waiting.length > 0 || flights.size > 0) await Promise.race([...flights, delay(clock, 10)]);
    },
  };
}

const dueAgainAt = ({ decision }: Outcome): number => (decision.kind === "again" ? decision.dueAt : 0);

function unstorable(): Outcome["decision"] {
  const message = "The outcome could not be stored.";
  const error = { code: "result_too_large", name: "Error", message, stack: null } as const;
  return { kind: "final", state: "failed", result: null, error, reason: null };
}

/** At least the first. */
function takeBatch(waiting: HeldTask[]): HeldTask[] {
  let length = 0;
  let count = 0;
  for (; count < waiting.length && count < MAX_BATCH; count++) {
    const { decision } = waiting[count]!.outcome!;
    length += decision.kind === "final" ? (decision.result?.length ?? 0) : 0;
    if (count > 0 && length > MAX_BATCH_LENGTH) break;
  }
  return waiting.splice(0, count);
}
