import { formatDuration } from "../format/duration.ts";
import { type LatenessSpread, type Phase, phases, type QueueLateness, type Spread } from "../services/lateness.ts";
import { LATE_MS, LatenessValue } from "./lateness.tsx";

/** `p50 1 ms · p99 4 ms · max 20 ms`; a dash when nothing was counted. */
export function SpreadValues({ spread, late = false }: { spread: Spread; late?: boolean }) {
  const values = [
    ["p50", spread.p50Ms],
    ["p99", spread.p99Ms],
    ["max", spread.maxMs],
  ] as const;
  if (spread.maxMs === null) return <span className="text-muted">–</span>;
  return (
    <span className="flex flex-wrap gap-x-3">
      {values.map(([name, ms]) => (
        <span key={name} className="whitespace-nowrap">
          <span className="text-xs text-muted">{name}</span>{" "}
          {late ? <LatenessValue ms={ms ?? 0} /> : <span className="tabular-nums">{formatDuration(ms ?? 0)}</span>}
        </span>
      ))}
    </span>
  );
}

/** One bar for each step, the rightmost for what is later than all; heights by the root, so that a few late ones are seen beside many. */
export function LatenessChart({ lateness: { histogram, maxMs } }: { lateness: LatenessSpread }) {
  const most = Math.max(1, ...histogram.map(({ count }) => count));
  return (
    <div
      role="img"
      aria-label={`How many started how late: ${words(histogram)}`}
      className="flex h-10 max-w-60 items-end gap-px border-b border-field"
    >
      {maxMs !== null &&
        histogram.map(({ toMs, count }, step) => (
          <div
            key={toMs ?? "more"}
            title={`${stepName(histogram, step)}: ${count}`}
            data-count={count}
            className={`min-w-1 flex-1 rounded-t-sm ${toMs === null || toMs > LATE_MS ? "bg-warn" : "bg-accent-solid"}`}
            style={{ height: count === 0 ? 0 : `max(2px, ${(100 * Math.sqrt(count / most)).toFixed(1)}%)` }}
          />
        ))}
    </div>
  );
}

function stepName(histogram: LatenessSpread["histogram"], step: number): string {
  const toMs = histogram[step]?.toMs ?? null;
  if (toMs !== null) return `up to ${formatDuration(toMs)}`;
  return `more than ${formatDuration(histogram[step - 1]?.toMs ?? 0)}`;
}

function words(histogram: LatenessSpread["histogram"]): string {
  const some = histogram.flatMap(({ count }, step) => (count === 0 ? [] : `${count} ${stepName(histogram, step)}`));
  return some.length === 0 ? "none" : some.join(", ");
}

export const phaseWords: Record<Phase, string> = {
  planner: "The fire's task was made after its instant",
  claim: "Due, and still in the store: no worker had a slot, or the claim was slow",
  dispatch: "With a node, on its way to a worker",
  transport: "Between node and worker",
  start: "In the worker, until its turn came",
};

const colours: Record<Phase, string> = {
  planner: "bg-bad",
  claim: "bg-warn",
  dispatch: "bg-accent-solid",
  transport: "bg-info",
  start: "bg-good",
};

/** Where lateness arose, on the average: to scale, and in numbers. */
export function PhaseSplit({ meanMs }: { meanMs: QueueLateness["meanMs"] }) {
  const shown = phases.filter((phase) => meanMs[phase] >= SMALLEST_MS);
  if (shown.length === 0) return <span className="text-muted">none to speak of</span>;
  return (
    <div className="min-w-40">
      <div className="flex h-2 gap-px overflow-hidden rounded-full" aria-hidden="true">
        {shown.map((phase) => (
          <div key={phase} className={`min-w-0.5 ${colours[phase]}`} style={{ flexGrow: meanMs[phase] }} />
        ))}
      </div>
      <ul className="mt-1 flex flex-wrap gap-x-3 text-xs text-muted">
        {shown.map((phase) => (
          <li key={phase} title={phaseWords[phase]} data-phase={phase} className="whitespace-nowrap">
            <span className={`mr-1 inline-block size-2 rounded-full ${colours[phase]}`} aria-hidden="true" />
            {phase} <span className="tabular-nums">{formatMean(meanMs[phase])}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

const SMALLEST_MS = 0.01;

const formatMean = (ms: number): string => (ms < 10 ? `${ms.toFixed(2)} ms` : formatDuration(ms));
