/** Decides what follows the end of an attempt, and hands that to be written. The slot is free from here on. */
import type { ReportedOutcome } from "@carillon/client";
import {
  type AttemptReport,
  decideLoss,
  decideOutcome,
  FINISH_WITHIN,
  finishWithinError,
  idCreatedAt,
  latenessPhases,
  type OutcomeDecision,
  START_WITHIN,
  type StartFacts,
  splitLateness,
  startIsOver,
} from "@carillon/core";
import type { CallTargets } from "./call-targets.ts";
import { type HeldTask, leaveWorker, type Pool, type StopReason } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";
import type { Outcomes } from "./outcomes.ts";

export interface Endings {
  /** The worker said how it ended. */
  reported(held: HeldTask, reported: ReportedOutcome): void;
  /** Its worker's process is gone with it. */
  lost(held: HeldTask): void;
  /** It may not start any more. */
  unstarted(held: HeldTask): void;
  /** Its worker does not have it, through no fault of the task: pending again, nothing counted. */
  released(held: HeldTask): void;
  /** It was asked to stop and did not; whatever it still says is refused. */
  abandoned(held: HeldTask, why: StopReason): void;
  /** It still runs: its start, for the lateness figures; once. */
  runs(held: HeldTask): void;
}

export function createEndings(
  { clock, random, metrics, session }: DispatcherOptions,
  { outcomes, callTargets, changed }: { outcomes: Outcomes; callTargets: CallTargets; changed: () => void },
): Endings {
  function end(
    held: HeldTask,
    decision: OutcomeDecision,
    facts: {
      startedAt: number | null;
      finishedAt: number;
      lost?: boolean;
      onlyIfHeldHere?: boolean;
      /** What its worker said, or its node had to conclude. */
      report?: AttemptReport;
    },
  ): void {
    const { id, token } = held.claimed;
    held.outcome = {
      id,
      token,
      decision,
      startedAt: facts.startedAt,
      finishedAt: facts.finishedAt,
      worker: held.worker?.name ?? null,
      lost: facts.lost ?? false,
      ...(facts.onlyIfHeldHere && session.id !== null ? { session: session.id } : {}),
    };
    held.phase = "ending";
    held.since = clock.monotonic();
    leaveWorker(held);
    callTargets.ended(held, facts.report ?? null, facts.finishedAt - (facts.startedAt ?? facts.finishedAt));
    if (held.pool) {
      if (facts.startedAt !== null) learnService(held.pool, facts.finishedAt - facts.startedAt);
      held.pool.rate.add(1);
      held.pool.pace.add(1);
      held.pool.endedSinceClaim++;
    }
    outcomes.record(held);
    changed();
  }

  function decide(held: HeldTask, report: AttemptReport, now: number): OutcomeDecision {
    const { policy, failures, dueAt, finishBy } = held.claimed;
    const cancelReason = held.cancel?.reason ?? null;
    return decideOutcome({ policy, failures, dueAt, finishBy, cancelReason }, report, now, random());
  }

  // Both are filled anew for each task; nothing is allocated on its way.
  const facts: StartFacts = {
    readyAt: 0,
    startedAt: 0,
    heldMs: 0,
    transportMs: 0,
    waitedMs: 0,
    plannedLateMs: 0,
  };
  const phasesMs = new Float64Array(latenessPhases.length);

  /** Counts its lateness. While it is `assigned`, `held.since` is when it was handed out. */
  function started(held: HeldTask, startedAt: number, waitedMs: number): void {
    const { id, dueAt, fireAt, attempt, lane } = held.claimed;
    const createdAt = idCreatedAt(id);
    facts.readyAt = Math.max(dueAt, createdAt);
    facts.startedAt = startedAt;
    facts.heldMs = held.since - held.hereSince;
    facts.transportMs = held.transportMs;
    facts.waitedMs = waitedMs;
    facts.plannedLateMs = fireAt !== null && attempt === 1 ? Math.max(0, createdAt - dueAt) : 0;
    metrics.taskStarted(lane, splitLateness(facts, phasesMs), phasesMs);
  }

  return {
    runs: (held) => started(held, held.handedOutAt + held.transportMs, 0),
    reported(held, { report, waitedMs, ranMs, keptMs }) {
      const now = clock.now();
      if (report.kind === "released" && ranMs === 0) {
        return end(held, decide(held, report, now), { startedAt: null, finishedAt: now });
      }
      // What is left of the round trip was the way there and back, half of it each. Of one that is shown as running it is decided.
      if (!held.running) {
        const tripMs = clock.monotonic() - held.since - waitedMs - ranMs - keptMs;
        held.transportMs = Math.max(0, tripMs / 2);
        if (held.worker) held.worker.transportMs = held.transportMs;
      }
      // An adopted task may have started before this node had it, but none before its instant, whatever its worker's clock made of it.
      const startedAt = Math.max(
        held.claimed.dueAt,
        Math.min(held.handedOutAt + held.transportMs + waitedMs, now - ranMs),
      );
      if (!held.running) started(held, startedAt, waitedMs);
      const ended = whatCounts(held, report);
      const finishedAt = Math.min(now, startedAt + ranMs);
      end(held, decide(held, ended, now), { startedAt, finishedAt, report: ended });
    },
    lost(held) {
      const now = clock.now();
      const facts = { startedAt: held.handedOutAt, finishedAt: now, lost: true, onlyIfHeldHere: true };
      if (held.cancel) end(held, cancelled(held), facts);
      else if (decideLoss(held.claimed) === "quarantine") end(held, quarantined(held), facts);
      else end(held, { kind: "again", as: "released", dueAt: now, error: null }, facts);
    },
    unstarted(held) {
      const now = clock.now();
      const skipped = { kind: "final", state: "skipped", result: null, error: null, reason: START_WITHIN } as const;
      const decision = startIsOver(held.claimed, now) ? skipped : decide(held, overdue(held), now);
      end(held, decision, { startedAt: null, finishedAt: now });
    },
    released(held) {
      const { dueAt } = held.claimed;
      const decision = { kind: "again", as: "released", dueAt, error: null } as const;
      end(held, decision, {
        startedAt: held.running ? held.handedOutAt : null,
        finishedAt: clock.now(),
        onlyIfHeldHere: true,
      });
    },
    abandoned(held, why) {
      const now = clock.now();
      const report = why === "cancelled" ? null : why === "timeout" ? timedOut(held) : overdue(held);
      const decision = report ? decide(held, report, now) : cancelled(held);
      const { worker } = held;
      end(held, decision, { startedAt: held.handedOutAt, finishedAt: now, ...(report && { report }) });
      const { id, token } = held.claimed;
      worker?.link.send({ kind: "lost", tasks: [{ id, token }] });
    },
  };
}

/** Over how many attempts the time that one takes is smoothed. */
const SERVICE_SAMPLES = 64;

function learnService(pool: Pool, ranMs: number): void {
  if (pool.serviceMs === Number.POSITIVE_INFINITY) pool.serviceMs = ranMs;
  else pool.serviceMs += (ranMs - pool.serviceMs) / SERVICE_SAMPLES;
}

/** Of what its worker reports; once the time for its end is over, nothing does. */
function whatCounts(held: HeldTask, report: AttemptReport): AttemptReport {
  if (!held.stop) return report;
  if (held.stop.why === FINISH_WITHIN) return overdue(held);
  return held.stop.why === "timeout" && report.kind === "cancelled" ? timedOut(held) : report;
}

/** It was not final in time. */
function overdue({ claimed }: HeldTask): AttemptReport {
  const error = finishWithinError(claimed.policy.finishWithinMs!);
  return { kind: "failed", error, retryable: false, retryAfterMs: null };
}

/** Its node had to stop it. */
function timedOut({ claimed }: HeldTask): AttemptReport {
  const message = `The attempt did not stop at its timeout of ${claimed.policy.timeoutMs} ms.`;
  return {
    kind: "failed",
    error: { code: "timeout", name: "Error", message, stack: null },
    retryable: true,
    retryAfterMs: null,
  };
}

function cancelled(held: HeldTask): OutcomeDecision {
  return { kind: "final", state: "cancelled", result: null, error: null, reason: held.cancel?.reason ?? null };
}

function quarantined(held: HeldTask): OutcomeDecision {
  const message = `${held.claimed.lost + 1} workers were lost while they ran this task.`;
  const error = { code: "worker_lost", name: "WorkerLost", message, stack: null } as const;
  return { kind: "final", state: "failed", result: null, error, reason: null };
}
