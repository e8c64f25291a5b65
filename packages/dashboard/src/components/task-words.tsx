import { formatDuration } from "../format/duration.ts";
import type { TaskSummary } from "../services/tasks.ts";
import { Elapsed, Relative } from "./time.tsx";

/** What is going on with a task, in one sentence. */
export function TaskWords({ task }: { task: TaskSummary }) {
  const on = task.worker === null ? "" : ` on ${task.worker}`;
  switch (task.state) {
    case "blocked":
      return "waits for other tasks";
    case "scheduled":
      return (
        <>
          starts <Relative at={task.dueAt} />
        </>
      );
    case "queued":
      return "due, waits for a worker";
    case "running":
      if (task.cancelRequestedAt !== null) return `was asked to stop${on}`;
      return task.startedAt === null ? (
        `running${on}`
      ) : (
        <>
          running for <Elapsed since={task.startedAt} />
          {on}
        </>
      );
    case "retrying":
      return (
        <>
          tries again <Relative at={task.dueAt} />
          {task.error && `, after ${errorWords(task.error)}`}
        </>
      );
    case "succeeded":
      return task.startedAt === null || task.finishedAt === null
        ? "done"
        : `took ${formatDuration(Date.parse(task.finishedAt) - Date.parse(task.startedAt))}`;
    case "failed":
      return task.error ? errorWords(task.error) : "failed";
    case "cancelled":
      return task.reason ? `cancelled: ${task.reason}` : "cancelled before it was done";
    case "skipped":
      return task.reason ? `skipped: ${task.reason}` : "skipped";
    default:
      return task.state;
  }
}

function errorWords(error: { code: string; message: string }): string {
  return error.message === "" ? error.code : error.message;
}
