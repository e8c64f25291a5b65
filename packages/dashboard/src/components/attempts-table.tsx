import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { formatDuration } from "../format/duration.ts";
import { type Attempt, attemptsQuery } from "../services/tasks.ts";
import { type Column, DataTable } from "./data-table.tsx";
import { LatenessValue } from "./lateness.tsx";
import { ProblemNotice } from "./problem-notice.tsx";
import { StateBadge } from "./state-badge.tsx";
import { Time } from "./time.tsx";

function columnsIn(scheduleZone: string | null): Column<Attempt>[] {
  return [
    {
      id: "number",
      header: "Attempt",
      cell: ({ row: { original } }) => <span className="tabular-nums">{original.number}</span>,
    },
    {
      id: "outcome",
      header: "Outcome",
      cell: ({ row: { original } }) => <StateBadge state={original.outcome ?? "running"} />,
    },
    {
      id: "started",
      header: "Started",
      cell: ({ row: { original } }) =>
        original.startedAt === null ? (
          <span className="text-muted">not started</span>
        ) : (
          <Time at={original.startedAt} scheduleZone={scheduleZone} />
        ),
    },
    {
      id: "lateness",
      header: "Lateness",
      cell: ({ row: { original } }) =>
        original.latenessMs === null ? "–" : <LatenessValue ms={original.latenessMs} />,
    },
    {
      id: "took",
      header: "Took",
      cell: ({ row: { original } }) => (
        <span className="whitespace-nowrap tabular-nums">
          {original.startedAt === null || original.finishedAt === null
            ? "–"
            : formatDuration(Date.parse(original.finishedAt) - Date.parse(original.startedAt))}
        </span>
      ),
    },
    {
      id: "worker",
      header: "Worker",
      cell: ({ row: { original } }) => original.worker ?? "–",
    },
    {
      id: "error",
      header: "Error",
      cell: ({
        row: {
          original: { error },
        },
      }) =>
        error === null ? (
          "–"
        ) : (
          <span className="line-clamp-3 min-w-0">
            {error.message || error.code} <span className="text-xs text-muted">({error.code})</span>
          </span>
        ),
    },
  ];
}

export function AttemptsTable({ taskId, scheduleZone }: { taskId: string; scheduleZone: string | null }) {
  const attempts = useQuery(attemptsQuery(taskId));
  const columns = useMemo(() => columnsIn(scheduleZone), [scheduleZone]);
  if (!attempts.data) {
    return attempts.error && <ProblemNotice error={attempts.error} onRetry={() => void attempts.refetch()} />;
  }
  if (attempts.data.attempts.length === 0) return null;
  return (
    <section className="card overflow-x-auto" aria-label="Attempts">
      <h2 className="px-4 py-2.5">Attempts</h2>
      <div className="border-t border-line">
        <DataTable
          caption="Attempts, oldest first"
          columns={columns}
          rows={attempts.data.attempts}
          rowId={(attempt) => String(attempt.number)}
        />
      </div>
    </section>
  );
}
