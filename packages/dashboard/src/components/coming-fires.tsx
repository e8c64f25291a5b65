import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { wallTime } from "../format/instant.ts";
import { useZone } from "../services/display-zone.ts";
import { type LoadSpan, loadSpans, type ScheduleLoad, scheduleLoadQuery, stepMsOf } from "../services/schedule-load.ts";
import { Choice } from "./field.tsx";
import { ProblemNotice } from "./problem-notice.tsx";

/** How many tasks all schedules make due, step by step, and where they crowd. Nothing while there are no schedules. */
export function ComingFires({ span, onSpan }: { span: LoadSpan; onSpan: (span: LoadSpan) => void }) {
  const load = useQuery({ ...scheduleLoadQuery(span), placeholderData: keepPreviousData });
  if (load.error && !load.data) return <ProblemNotice error={load.error} onRetry={() => void load.refetch()} />;
  if (!load.data || load.data.schedules === 0) return null;
  return (
    <section className="card mt-6" aria-label="Coming fires">
      <div className="flex flex-wrap items-center justify-between gap-2 border-b border-line px-4 py-2.5">
        <h2>Coming fires</h2>
        <Choice
          legend="Time ahead"
          legendHidden
          name="ahead"
          options={loadSpans.map((value) => ({ value, label: `next ${value}` }))}
          value={span}
          onChange={onSpan}
        />
      </div>
      <Chart load={load.data} stepMs={stepMsOf(span)} />
    </section>
  );
}

function Chart({ load, stepMs }: { load: ScheduleLoad; stepMs: number }) {
  const zone = useZone(null);
  const from = Date.parse(load.from);
  const steps = load.counts.map((fires, step) => ({ at: from + step * stepMs, fires }));
  const time = (at: number) => wallTime(at, zone, from).time.slice(0, 5);
  const most = Math.max(1, ...load.counts);
  const [peak] = load.peaks;
  const total = `${load.complete ? "" : "more than "}${load.fires.toLocaleString("en")}`;
  const highest = peak ? `, most at ${time(Date.parse(peak.at))}: ${peak.fires.toLocaleString("en")}` : "";
  return (
    <div className="px-4 py-3">
      <div
        role="img"
        aria-label={`Coming fires: ${total}${highest}`}
        className="flex h-16 items-end gap-px border-b border-field"
      >
        {steps.map(({ at, fires }) => (
          <div
            key={at}
            title={`${time(at)}: ${fires.toLocaleString("en")}`}
            data-count={fires}
            className={`min-w-0 flex-1 rounded-t-sm ${crowds(load, at) ? "bg-warn" : "bg-accent-solid"}`}
            style={{ height: fires === 0 ? 0 : `max(2px, ${((100 * fires) / most).toFixed(1)}%)` }}
          />
        ))}
      </div>
      <div className="mt-1 flex justify-between text-xs text-muted tabular-nums" aria-hidden="true">
        <span>{time(from)}</span>
        <span>{zone}</span>
        <span>{time(from + steps.length * stepMs)}</span>
      </div>
      <p className="mt-2 text-muted">
        {total} in all{highest}.
        {peak?.spread &&
          ` A jitter of ${peak.spread.jitter} on the ${peak.spread.schedules.toLocaleString("en")} schedules without one that fire then would bring it to about ${peak.spread.fires.toLocaleString("en")}.`}
      </p>
      <details className="mt-1 text-xs">
        <summary className="text-muted">As a table</summary>
        <table className="mt-1 text-left tabular-nums">
          <caption className="sr-only">Coming fires, the times without one left out</caption>
          <thead>
            <tr>
              <th scope="col" className="pr-6">
                From
              </th>
              <th scope="col">Fires</th>
            </tr>
          </thead>
          <tbody>
            {steps
              .filter(({ fires }) => fires > 0)
              .map(({ at, fires }) => (
                <tr key={at}>
                  <td className="pr-6">{time(at)}</td>
                  <td>{fires.toLocaleString("en")}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </div>
  );
}

const crowds = ({ peaks }: ScheduleLoad, at: number): boolean =>
  peaks.some((peak) => peak.spread !== null && Date.parse(peak.at) === at);
