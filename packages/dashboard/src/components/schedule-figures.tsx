import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { type ScheduleStats, scheduleStatsQuery } from "../services/lateness.ts";
import type { Schedule } from "../services/schedules.ts";
import { LatenessChart, SpreadValues } from "./lateness-figures.tsx";
import { ProblemNotice } from "./problem-notice.tsx";

/** How it has done in the last 24 hours. */
export function ScheduleFigures({ schedule }: { schedule: Schedule }) {
  const stats = useQuery(scheduleStatsQuery(schedule));
  return (
    <section className="card" aria-label="Figures">
      <h2 className="border-b border-line px-4 py-2.5">Figures</h2>
      {stats.error && !stats.data ? (
        <ProblemNotice error={stats.error} onRetry={() => void stats.refetch()} />
      ) : stats.data ? (
        <Figures stats={stats.data} />
      ) : (
        <p className="px-4 py-3 text-muted">…</p>
      )}
    </section>
  );
}

function Figures({ stats }: { stats: ScheduleStats }) {
  const { window, complete, fires, outcomes, tasks, successRate, lateness, duration } = stats;
  return (
    <dl className="grid gap-x-6 gap-y-3 p-4 sm:grid-cols-2 lg:grid-cols-4">
      <Figure name={complete ? `Fires in the last ${window}` : "The latest fires"}>
        <span className="tabular-nums">{fires.toLocaleString("en")}</span>
        <div className="text-xs text-muted">{counts(outcomes)}</div>
      </Figure>
      <Figure name="Succeeded">
        {successRate === null ? <span className="text-muted">–</span> : percent(successRate)}
        <div className="text-xs text-muted">{counts(tasks)}</div>
      </Figure>
      <Figure name="Lateness">
        <SpreadValues spread={lateness} late />
        {lateness.maxMs !== null && <LatenessChart lateness={lateness} />}
      </Figure>
      <Figure name="Duration">
        <SpreadValues spread={duration} />
      </Figure>
    </dl>
  );
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-muted">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** `3 made a task, 1 skipped`, without what is 0. */
function counts(of: Record<string, number>): string {
  return Object.entries(of)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count.toLocaleString("en")} ${name === "task" ? "made a task" : name}`)
    .join(", ");
}

/** Never 100 % when one has failed. */
const percent = (share: number): string => `${(Math.floor(share * 1_000) / 10).toLocaleString("en")} %`;
