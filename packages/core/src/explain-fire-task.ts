/** What became of a fire's task: how late it started and why, and how it stands. */
import { formatDuration } from "./duration.ts";
import { letsWait, whyWaited } from "./explain-overlap.ts";
import { type ExplainedTask, howItStands } from "./explain-task.ts";
import { type Explanation, type ExplanationReason, reason, sentence } from "./explanation.ts";
import { formatInstant, formatLocal } from "./instant.ts";
import type { OverlapPolicy } from "./overlap.ts";

interface TaskToExplain {
  now: number;
  at: number;
  zone: string;
  jitter: string | null;
  /** Its instant, and the schedule's jitter. */
  plannedDueAt: number;
  overlap: OverlapPolicy;
  caughtUp: boolean;
  backfilled: boolean;
  task: ExplainedTask | null;
  downtime: { from: number; until: number } | null;
}

/** From here on a start counts as late to people. */
const LATE_MS = 1_000;
export function explainFireTask(given: TaskToExplain): Explanation {
  const { at, zone, task } = given;
  const fire = `The fire of ${formatLocal(at, zone)}`;
  if (task === null) {
    return sentence([
      reason("forgotten", `${fire} became a task, which was deleted since or is past its retention.`),
      ...whyCaughtUp(given),
    ]);
  }
  const first = firstStart(task);
  const delays = first === null ? [] : whyLate(given, task, first);
  const causes = [...whyCaughtUp(given), ...delays];
  const refs = [task.id];
  const stands = howItStands("Its task", task, given);
  if (first === null || first.startedAt === null) return sentence([withFire(fire, stands), ...causes]);
  const lateMs = first.startedAt - at;
  if (lateMs < LATE_MS) {
    const after = formatDuration(Math.max(0, lateMs));
    return sentence([reason("on_time", `${fire} started on time, ${after} after its instant.`, { refs }), stands]);
  }
  const [cause, ...others] = causes;
  // A jitter is wanted.
  const how = causes.every(({ code }) => code === "jitter") ? "after its instant" : "late";
  const late = { ...cause!, message: `${fire} started ${formatDuration(lateMs)} ${how}: ${lower(cause!.message)}` };
  return sentence([late, ...others, ...retries(task), stands]);
}

const lower = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
const withFire = (fire: string, stands: ExplanationReason): ExplanationReason => ({
  ...stands,
  message: `${fire} has its task: ${lower(stands.message)}`,
});

interface Start {
  dueAt: number;
  startedAt: number | null;
}

/** When the first attempt was due and started; null: it is not remembered. */
function firstStart(task: ExplainedTask): Start | null {
  const [oldest] = task.attempts;
  if (oldest) return oldest.number === 1 ? oldest : null;
  return task.attempt > 1 ? null : { dueAt: task.dueAt, startedAt: task.startedAt };
}

function whyCaughtUp({ caughtUp, backfilled, downtime, task }: TaskToExplain): ExplanationReason[] {
  if (backfilled) {
    const when = task === null ? "" : ` at ${formatInstant(task.createdAt)}`;
    return [reason("backfilled", `It was backfilled${when}, when somebody asked for it.`)];
  }
  if (!caughtUp) return [];
  const when = downtime
    ? ` from ${formatInstant(downtime.from)} to ${formatInstant(downtime.until)}`
    : " at its instant";
  return [reason("caught_up", `No node was alive${when}, and the fire was caught up afterwards.`)];
}

/** What stood between the fire's instant and the start, in order. With the catching up something always did, when it is late. */
function whyLate(
  { at, now, caughtUp, backfilled, jitter, plannedDueAt, overlap }: TaskToExplain,
  { id, queue, type, createdAt }: ExplainedTask,
  { dueAt, startedAt }: Start,
): ExplanationReason[] {
  const refs = [id];
  const reasons: ExplanationReason[] = [];
  const heldMs = letsWait(overlap) && !caughtUp ? Math.max(0, dueAt - plannedDueAt) : 0;
  if (dueAt - heldMs > at && !backfilled && !caughtUp) {
    const by = formatDuration(dueAt - heldMs - at);
    reasons.push(
      jitter === null
        ? reason("due_moved", `Its task was due ${by} after the fire.`, { refs })
        : reason("jitter", `The schedule's jitter made it due ${by} later.`, { refs }),
    );
  }
  if (heldMs > 0) reasons.push(whyWaited(overlap, heldMs, refs));
  if (!caughtUp && createdAt - dueAt >= LATE_MS) {
    reasons.push(
      reason("planned_late", `Its task was made ${formatDuration(createdAt - dueAt)} after it was due.`, { refs }),
    );
  }
  const waitedMs = (startedAt ?? now) - Math.max(dueAt, createdAt);
  if (startedAt !== null && (waitedMs >= LATE_MS || (reasons.length === 0 && !caughtUp && !backfilled))) {
    const message = `Its task waited ${formatDuration(waitedMs)} in the queue ${queue} until a worker for ${type} took it.`;
    reasons.push(reason("waited", message, { refs }));
  }
  return reasons;
}

function retries({ attempt, id }: ExplainedTask): ExplanationReason[] {
  return attempt > 1 ? [reason("retried", `It was started ${attempt} times.`, { refs: [id] })] : [];
}
