/**
 * From the node's hand into a worker's: releases what is due, never before its instant, and gives it to workers with a free slot, the most
 * urgent first. A task that lost two workers runs alone: it waits for a worker that holds nothing, for which one is emptied, and that worker
 * gets nothing else until the task has ended. One suspect at a time, with a rest in between: a dead worker may leave many of them, and
 * everybody else is to be served meanwhile.
 */
import type { AssignedTask } from "@carillon/client";
import { startIsOver } from "@carillon/core";
import {
  type ConnectedWorker,
  freeSlots,
  goesBefore,
  type Hand,
  type HeldTask,
  isSuspect,
  joinWorker,
  type Pool,
} from "./hand.ts";
import { keptSlots } from "./narrow-pools.ts";
import type { DispatcherOptions } from "./options.ts";
import type { Returns } from "./returns.ts";

/** Without a slot, a due task goes back so soon that another node may start it. */
export const RETURN_AFTER_MS = 50;
/** What a task costs node and store together when it goes back and is claimed again. */
const RETURN_COST_MS = 0.06;
/** So many go back at once, while outcomes get through and the workers show how quick they are. */
const MAX_RETURNED = 1_000;
/**
 * Each step of priority is worth so much waiting. Urgent work goes first; what is least urgent goes 16 ms later at most, so that the
 * share which claims gave it is not lost here.
 */
const PRIORITY_STEP_MS = 2;
/** A suspect stays longer, because a worker must first become empty. */
const RETURN_SUSPECT_AFTER_MS = 30_000;
/** So long one worker gets nothing new in order to become empty; then it goes on until the suspect's next turn. */
const EMPTYING_MS = 2_000;
/** Between two suspects of a pool. */
const SUSPECT_REST_MS = 1_000;

export interface HandOut {
  /** Moves what is due from the heap to its pool. */
  release(now: number): void;
  /** Gives a pool's ready tasks to its free workers. */
  assign(pool: Pool): void;
  /** Gives back what has waited too long for a slot. */
  returnUnserved(pool: Pool): void;
  /** In how many milliseconds the next ready task goes back; Infinity: none waits. */
  nextReturnInMs(): number;
}

export function createHandOut(
  { clock }: Pick<DispatcherOptions, "clock">,
  {
    hand,
    returns,
    tooLate,
    admit,
    changed,
  }: {
    hand: Hand;
    returns: Returns;
    changed: () => void;
    tooLate: (held: HeldTask) => void;
    /** False: it does not start now, and is somebody else's to look after. */
    admit: (held: HeldTask) => boolean;
  },
): HandOut {
  function ready(held: HeldTask, pool: Pool, since: number): void {
    held.phase = "ready";
    held.since = since;
    held.rank = held.since + held.claimed.priority * PRIORITY_STEP_MS;
    if (isSuspect(held)) {
      pool.suspects.push(held);
      return;
    }
    pool.ready.push(held);
    pool.returnAt = Math.min(pool.returnAt, held.since + RETURN_AFTER_MS);
  }

  /** Its workers get through what is ready sooner than somebody could whom it is given back for. */
  const reachedSoon = ({ ready, pace }: Pool, now: number) =>
    ready.size * (1 / pace.at(now) - RETURN_COST_MS) <= RETURN_AFTER_MS;

  /**
   * What has waited too long for a slot, unless its turn is about to come; of many those whose turn is last. Looked for only when there may
   * be some.
   */
  function takeLate(pool: Pool, now: number): HeldTask[] {
    if (now < pool.returnAt) return [];
    if (reachedSoon(pool, now)) {
      pool.returnAt = now + RETURN_AFTER_MS;
      return [];
    }
    const late = pool.ready.values().filter((held) => held.phase === "ready" && now - held.since >= RETURN_AFTER_MS);
    const leaving = new Set(late.length > MAX_RETURNED ? late.sort(inTurn).slice(-MAX_RETURNED) : late);
    pool.ready.remove((held) => held.phase !== "ready" || leaving.has(held));
    pool.returnAt = pool.ready
      .values()
      .reduce((at, held) => Math.min(at, held.since + RETURN_AFTER_MS), Number.POSITIVE_INFINITY);
    return [...leaving];
  }

  /** What is ready first, without what went elsewhere meanwhile or is too late. */
  function firstReady({ ready }: Pool): HeldTask | null {
    for (let first = ready.peek(); first; first = ready.peek()) {
      if (first.phase !== "ready") ready.pop();
      else if (isTooLate(first, clock)) tooLate(ready.pop()!);
      else return first;
    }
    return null;
  }

  /** The one of `first` and what is ready in narrow pools of this worker that is to go first. */
  function firstFor(worker: ConnectedWorker, first: HeldTask): HeldTask {
    let best = first;
    for (const narrow of worker.narrowPools) {
      const other = firstReady(narrow);
      if (other && other.rank < best.rank) best = other;
    }
    return best;
  }

  function give(held: HeldTask, worker: ConnectedWorker): void {
    if (worker.narrowPools.length > 0) worker.owesPlain = held.pool?.narrow !== null;
    joinWorker(held, worker);
    held.phase = "assigned";
    held.since = clock.monotonic();
    held.handedOutAt = clock.now();
    worker.outbox.push(assignedTask(held));
  }

  function assignSuspects(pool: Pool): void {
    const now = clock.monotonic();
    const isolated = pool.workers.find((worker) => worker.suspect !== null);
    if (!isolated && pool.isolatingSince !== null) {
      pool.isolatingSince = null;
      pool.restUntil = now + SUSPECT_REST_MS;
    }
    while (pool.suspects[0] && pool.suspects[0].phase !== "ready") pool.suspects.shift();
    const next = pool.suspects[0];
    if (!next) return;
    if (!isolated) {
      if (now >= pool.restUntil) isolate(pool, next, now);
    } else if (isolated.suspect === next) {
      if (isEmptyFor(isolated, next)) {
        pool.suspects.shift();
        if (admit(next)) give(next, isolated);
      } else if (now - pool.isolatingSince! > EMPTYING_MS) {
        isolated.suspect = null;
        pool.suspects.push(pool.suspects.shift()!);
      }
    }
  }

  /** The least busy worker gets nothing new until it is empty, and then this one task. */
  function isolate(pool: Pool, suspect: HeldTask, now: number): void {
    const candidates = pool.workers.filter((worker) => worker.slots > 0 && worker.state === "open");
    candidates.sort((a, b) => a.tasks.size + a.presented - (b.tasks.size + b.presented));
    const [worker] = candidates;
    if (!worker) return;
    worker.suspect = suspect;
    pool.isolatingSince = now;
    if (!isEmptyFor(worker, suspect)) return;
    pool.suspects.shift();
    if (admit(suspect)) give(suspect, worker);
  }

  return {
    release(now) {
      // The same for all, so that priority and place decide among them.
      const since = clock.monotonic();
      for (let held = hand.ahead.peek(); held; held = hand.ahead.peek()) {
        if (held.phase === "ahead" && held.claimed.dueAt > now) return;
        hand.ahead.pop();
        if (held.phase !== "ahead" || !held.pool) continue;
        held.pool.ahead--;
        ready(held, held.pool, since);
      }
    },
    assign(pool) {
      if (pool.suspects.length > 0 || pool.isolatingSince !== null) assignSuspects(pool);
      for (let first = firstReady(pool); first; first = firstReady(pool)) {
        const worker = nextFreeWorker(pool);
        if (!worker) break;
        const next = worker.narrowPools.length === 0 ? first : firstFor(worker, first);
        next.pool!.ready.pop();
        if (admit(next)) give(next, worker);
      }
      for (const worker of pool.workers) {
        if (worker.outbox.length > 0) worker.link.send({ kind: "tasks", tasks: worker.outbox.splice(0) });
      }
    },
    returnUnserved(pool) {
      const now = clock.monotonic();
      const lateSuspects = pool.suspects.filter((held) => now - held.since >= RETURN_SUSPECT_AFTER_MS);
      if (lateSuspects.length > 0) void returns.giveBack(lateSuspects);
      const late = pool.returning ? [] : takeLate(pool, now);
      if (late.length === 0) return;
      pool.boost >>= 1;
      pool.returning = true;
      void returns.giveBack(late).finally(() => {
        pool.returning = false;
        changed();
      });
    },
    nextReturnInMs() {
      let at = Number.POSITIVE_INFINITY;
      for (const pool of hand.pools.values()) if (!pool.returning) at = Math.min(at, pool.returnAt);
      return at === Number.POSITIVE_INFINITY ? at : Math.max(1, at - clock.monotonic());
    },
  };
}

const inTurn = (a: HeldTask, b: HeldTask) => Number(goesBefore(b, a)) - Number(goesBefore(a, b));

/** The deadline of its first start, or of its end, is over. */
function isTooLate({ claimed }: HeldTask, clock: { now(): number }): boolean {
  const { policy, finishBy } = claimed;
  if (policy.startWithinMs === undefined && finishBy === null) return false;
  const now = clock.now();
  return startIsOver(claimed, now) || (finishBy !== null && finishBy <= now);
}

/** Round robin over the workers with a free slot. */
function nextFreeWorker(pool: Pool): ConnectedWorker | null {
  const { workers } = pool;
  for (let step = 0; step < workers.length; step++) {
    const worker = workers[(pool.nextWorker + step) % workers.length]!;
    if (freeSlots(worker) <= (pool.narrow === null ? keptSlots(worker) : 0)) continue;
    pool.nextWorker = (pool.nextWorker + step + 1) % workers.length;
    return worker;
  }
  return null;
}

function isEmptyFor(worker: ConnectedWorker, held: HeldTask): boolean {
  if (worker.state !== "open" || worker.slots === 0 || worker.tasks.size + worker.presented > 0) return false;
  return worker.suspect === null || worker.suspect === held;
}

function assignedTask({ claimed }: HeldTask): AssignedTask {
  const { id, token, lane, policy, payload, attempt, dueAt, fireAt, scheduleName, parents, workflow } = claimed;
  const task: AssignedTask = {
    id,
    token,
    namespace: lane.namespace,
    type: lane.type,
    queue: lane.queue,
    payload,
    attempt,
    dueAt,
    fireAt,
    schedule: scheduleName ?? null,
    timeoutMs: policy.timeoutMs,
  };
  if (parents !== undefined) task.parents = parents;
  if (workflow !== undefined) task.workflow = workflow;
  return task;
}
