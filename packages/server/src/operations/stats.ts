/** What waits, runs and moves, over all nodes. Every figure is bounded: counts are capped, rates are sampled or told by the nodes. */
import { formatDuration, formatInstant, latenessQuantile } from "@carillon/core";
import type { Depth, LaneFilter, QueueLateness, ZoneChange } from "@carillon/store";
import type { QueueStatsAnswer, StatsAnswer } from "../http/schemas/stats.ts";
import { ownZoneData } from "../zone-data-version.ts";
import type { Deps } from "./deps.ts";
import { findQueue, toPause } from "./queues.ts";

/** Of a task type and state; so many are counted. */
const CAP = 10_000;
const RATE_MS = 60_000;
/** Tasks looked at to find out how fast they come. */
const RATE_CAP = 5_000;
/** Where that many came at once, the rate is not that of the last millisecond. */
const SHORTEST_RATE_MS = 100;
/** Lateness is kept in steps of five minutes: the present one and the one before. */
const STEP_MS = 5 * 60_000;
const LATENESS_MS = 2 * STEP_MS;
const ZONE_CHANGES = 100;

type Figures = Omit<QueueStatsAnswer, "name" | "paused" | "pause">;
type Reads = Pick<Deps, "store" | "clock">;

/** Zeros for a queue in which there never was anything: queues exist by being used. */
export async function getQueueStats(deps: Reads, namespace: string, name: string): Promise<QueueStatsAnswer> {
  const [{ paused, pause }, nodes] = await Promise.all([findQueue(deps, namespace, name), deps.store.nodeFigures()]);
  return { name, paused, pause: toPause(pause), ...(await figuresOf(deps, { namespace, queue: name }, nodes)) };
}

export async function getStats(deps: Reads & { version: string }, namespace: string): Promise<StatsAnswer> {
  const nodes = await deps.store.nodeFigures();
  const [figures, changes] = await Promise.all([
    figuresOf(deps, { namespace }, nodes),
    deps.store.zoneChanges(namespace, { limit: ZONE_CHANGES }),
  ]);
  const nodesByTzdata: Record<string, number> = {};
  for (const { zoneData } of nodes) if (zoneData !== null) nodesByTzdata[zoneData] = (nodesByTzdata[zoneData] ?? 0) + 1;
  return {
    version: deps.version,
    tzdata: Object.keys(nodesByTzdata).sort().at(-1) ?? ownZoneData,
    nodes: nodes.length,
    workers: nodes.reduce((sum, { workers }) => sum + workers, 0),
    ...figures,
    nodesByTzdata,
    zoneChanges: changes.map(toZoneChange),
  };
}

type NodeFigures = Awaited<ReturnType<Deps["store"]["nodeFigures"]>>;

async function figuresOf(
  { store, clock }: Reads,
  filter: LaneFilter & { namespace: string },
  nodes: NodeFigures,
): Promise<Figures> {
  const now = clock.now();
  const since = Math.floor(now / STEP_MS) * STEP_MS - STEP_MS;
  const [depths, created, lateness] = await Promise.all([
    store.depths({ now, cap: CAP, ...filter }),
    store.created({ from: now - RATE_MS, cap: RATE_CAP, ...filter }),
    store.lateness(filter.namespace, { from: since, to: now + STEP_MS }),
  ]);
  const asked = ({ namespace, queue }: { namespace: string; queue: string }) =>
    namespace === filter.namespace && (filter.queue === undefined || queue === filter.queue);
  const moving = nodes.flatMap(({ queues }) => queues).filter(asked);
  const sum = (numbers: number[]) => Math.round(numbers.reduce((total, one) => total + one, 0) * 1_000) / 1_000;
  return {
    ...countsOf(depths, now),
    perSecond: {
      created: sum(created.lanes.map(({ count }) => (count / Math.max(SHORTEST_RATE_MS, now - created.from)) * 1_000)),
      started: sum(moving.map(({ startedPerSecond }) => startedPerSecond)),
      finished: sum(moving.map(({ finishedPerSecond }) => finishedPerSecond)),
    },
    lateness: latenessOf(lateness.filter(({ queue }) => filter.queue === undefined || queue === filter.queue)),
  };
}

function countsOf(depths: Depth[], now: number) {
  let [due, scheduled, running, blocked, oldest] = [0, 0, 0, 0, now];
  let waits = false;
  for (const depth of depths) {
    if (depth.state === "running") running += depth.count;
    else if (depth.state === "blocked") blocked += depth.count;
    else {
      due += depth.due;
      scheduled += depth.count - depth.due;
    }
    if (depth.waitsSince === null) continue;
    waits = true;
    oldest = Math.min(oldest, depth.waitsSince);
  }
  return {
    due,
    scheduled,
    running,
    blocked,
    depth: due + scheduled + running + blocked,
    capped: depths.some(({ count }) => count >= CAP),
    oldestAgeMs: waits ? Math.round(now - oldest) : null,
  };
}

function latenessOf(queues: QueueLateness[]): Figures["lateness"] {
  const counts: number[] = [];
  for (const queue of queues)
    for (const [index, count] of queue.counts.entries()) counts[index] = (counts[index] ?? 0) + count;
  const maxMs = Math.max(0, ...queues.map((queue) => queue.maxMs));
  const started = counts.some((count) => count > 0);
  const rounded = (ms: number | null) => (ms === null || !started ? null : Math.round(ms * 1_000) / 1_000);
  return {
    p50Ms: rounded(latenessQuantile(counts, 0.5, maxMs)),
    p99Ms: rounded(latenessQuantile(counts, 0.99, maxMs)),
    maxMs: rounded(maxMs),
    window: formatDuration(LATENESS_MS),
  };
}

function toZoneChange({
  at,
  schedule,
  from,
  to,
  removed,
  added,
  nextFireAt,
}: ZoneChange): StatsAnswer["zoneChanges"][0] {
  const text = (instant: number | null) => (instant === null ? null : formatInstant(instant));
  return {
    at: formatInstant(at),
    schedule,
    from,
    to,
    removed: removed.map(formatInstant),
    added: added.map(formatInstant),
    nextFireAt: { before: text(nextFireAt.before), after: text(nextFireAt.after) },
  };
}
