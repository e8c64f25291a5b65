import { formatDuration } from "../format/duration.ts";
import { useNow } from "../services/clock.ts";
import type { TaskSummary } from "../services/tasks.ts";

/** From here on a start counts as late to the eye. */
export const LATE_MS = 1_000;

/** How much later than due a task started; for one that should have started and has not, how late it is by now. */
export function Lateness({ task }: { task: Pick<TaskSummary, "state" | "dueAt" | "createdAt" | "latenessMs"> }) {
  if (task.state === "queued")
    return <GrowingLateness since={Math.max(Date.parse(task.dueAt), Date.parse(task.createdAt))} />;
  if (task.latenessMs === null) return <span className="text-muted">–</span>;
  return <LatenessValue ms={task.latenessMs} />;
}

export function LatenessValue({ ms }: { ms: number }) {
  return <span className={`tabular-nums ${ms >= LATE_MS ? "font-medium text-warn" : ""}`}>{formatDuration(ms)}</span>;
}

function GrowingLateness({ since }: { since: number }) {
  const now = useNow();
  return <LatenessValue ms={Math.max(0, now - since)} />;
}
