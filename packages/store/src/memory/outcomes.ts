import { limits } from "@carillon/core";
import type { Attempt, Outcome } from "../store.ts";
import type { MemoryDatabase, TaskRow } from "./database.ts";
import { endedAttempt, finishTask, heldTask, returnTask, withAttempt } from "./rows.ts";

export function recordOutcomes(database: MemoryDatabase, outcomes: Outcome[]): boolean[] {
  return outcomes.map((outcome) => {
    const row = heldTask(database, outcome);
    if (!row) return isRepetition(database, outcome);
    if (outcome.session !== undefined && outcome.session !== row.session) return false;
    if (outcome.decision.kind === "final") finish(database, row, outcome);
    else again(database, row, outcome);
    return true;
  });
}

/** The very outcome that was recorded, sent again because its answer was lost. */
function isRepetition(database: MemoryDatabase, { id, token, decision, finishedAt }: Outcome): boolean {
  const row = database.archive.get(id);
  if (row === undefined || row.token !== token || decision.kind !== "final") return false;
  return row.state === decision.state && row.finishedAt! >= finishedAt - limits.repeatedOutcomeMs;
}

function finish(database: MemoryDatabase, row: TaskRow, outcome: Outcome): void {
  const { decision, startedAt, finishedAt, worker, lost } = outcome;
  if (decision.kind !== "final") return;
  finishTask(database, row, {
    state: decision.state,
    startedAt,
    finishedAt,
    worker,
    result: decision.result,
    error: decision.error,
    reason: decision.reason,
    attempt: row.attempt - (startedAt === null ? 1 : 0),
    failures: row.failures + (decision.state === "failed" && !lost ? 1 : 0),
    lost: row.lost + (lost ? 1 : 0),
  });
}

function again(database: MemoryDatabase, row: TaskRow, outcome: Outcome): void {
  const { decision, startedAt, finishedAt, worker, lost } = outcome;
  if (decision.kind !== "again") return;
  const change = {
    attempt: row.attempt - (startedAt === null ? 1 : 0),
    failures: row.failures + (decision.as === "failed" && !lost ? 1 : 0),
    lost: row.lost + (lost ? 1 : 0),
    error: decision.error ?? row.error,
  };
  // A task that was asked to cancel is not tried again.
  if (row.recall === "cancel") {
    finishTask(database, row, { ...change, state: "cancelled", startedAt, finishedAt, worker });
    return;
  }
  const ended: Attempt["outcome"] | null =
    startedAt === null ? null : lost ? "lost" : decision.as === "released" ? null : decision.as;
  const attempts = ended
    ? withAttempt(
        row.attempts,
        endedAttempt(database, row, { outcome: ended, startedAt, finishedAt, worker, error: decision.error }),
      )
    : row.attempts;
  returnTask(database, row, { ...change, attempts, dueAt: decision.dueAt });
}
