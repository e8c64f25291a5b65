import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { type Fire, nextFiresQuery, pastFiresQuery, pastWindowMs, type Schedule } from "../services/schedules.ts";
import { type Column, DataTable } from "./data-table.tsx";
import { LatenessValue } from "./lateness.tsx";
import { ProblemNotice } from "./problem-notice.tsx";
import { StateBadge } from "./state-badge.tsx";
import { Time } from "./time.tsx";

export function NextFires({ schedule }: { schedule: Schedule }) {
  const fires = useQuery(nextFiresQuery(schedule.name));
  const next = fires.data?.fires ?? [];
  return (
    <section className="card" aria-label="Next fires">
      <h2 className="border-b border-line px-4 py-2.5">Next fires</h2>
      {fires.error && !fires.data ? (
        <ProblemNotice error={fires.error} onRetry={() => void fires.refetch()} />
      ) : next.length === 0 ? (
        <p className="px-4 py-3 text-muted">
          {schedule.paused ? "None while it is paused." : "It will not fire again."}
        </p>
      ) : (
        <ol className="divide-y divide-line">
          {next.map((fire) => (
            <li key={fire.at} className="px-4 py-2">
              <Time at={fire.at} scheduleZone={schedule.timeZone} />
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

export function PastFires({ schedule }: { schedule: Schedule }) {
  const fires = useQuery({
    ...pastFiresQuery(schedule.name, pastWindowMs(schedule)),
    placeholderData: keepPreviousData,
  });
  const columns = useMemo(() => columnsIn(schedule.timeZone), [schedule.timeZone]);
  const past = useMemo(
    () => fires.data?.fires.filter((fire) => fire.outcome !== "expected").reverse() ?? [],
    [fires.data],
  );
  return (
    <section className="card min-w-0 overflow-x-auto" aria-label="Past fires">
      <h2 className="border-b border-line px-4 py-2.5">Past fires</h2>
      {fires.error && !fires.data ? (
        <ProblemNotice error={fires.error} onRetry={() => void fires.refetch()} />
      ) : past.length === 0 ? (
        <p className="px-4 py-3 text-muted">None lately.</p>
      ) : (
        <DataTable caption="Past fires, newest first" columns={columns} rows={past} rowId={(fire) => fire.at} />
      )}
    </section>
  );
}

function columnsIn(zone: string): Column<Fire>[] {
  return [
    { id: "at", header: "Fire", cell: ({ row: { original: fire } }) => <Time at={fire.at} scheduleZone={zone} /> },
    {
      id: "outcome",
      header: "Outcome",
      cell: ({ row: { original: fire } }) =>
        fire.task === null ? (
          <span className="inline-flex flex-wrap items-center gap-2">
            <StateBadge state={fire.outcome} />
            {fire.reason !== null && <span className="text-xs text-muted">{fire.reason}</span>}
          </span>
        ) : (
          <span className="inline-flex flex-wrap items-center gap-2">
            <Link to="/tasks/$id" params={{ id: fire.task.id }} className="hover:underline">
              <StateBadge state={fire.task.state} />
            </Link>
            {fire.caughtUp && <span className="text-xs text-muted">caught up</span>}
            {fire.backfilled && <span className="text-xs text-muted">backfilled</span>}
          </span>
        ),
    },
    {
      id: "lateness",
      header: "Lateness",
      cell: ({ row: { original: fire } }) =>
        fire.task === null || fire.task.latenessMs === null ? "–" : <LatenessValue ms={fire.task.latenessMs} />,
    },
  ];
}
