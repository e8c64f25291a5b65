/**
 * What a node counts. Metric names are public (`/metrics`); the rest of the server sees only these verbs, so that the library behind them
 * can be replaced here. Labels are queues and types, never ids or namespaces, and bounded: what users name beyond a limit is counted
 * together as `_other`.
 */
import { latenessBucketsMs, latenessPhases, type TargetState } from "@carillon/core";
import type { Lane } from "@carillon/store";
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { createEndedBook, durationBuckets, type EndedBook } from "./ended-book.ts";
import { showCounter, showHistogram } from "./hot-series.ts";
import {
  createLatenessBook,
  type LatenessBook,
  type LatenessCounts,
  MAX_QUEUES,
  OTHER_QUEUES,
} from "./lateness-book.ts";

const LATENESS_BUCKETS = latenessBucketsMs.map((ms) => ms / 1_000);
const STATEMENT_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5];
const BATCH_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_000];

export interface QueueDepth {
  queue: string;
  state: string;
  count: number;
  /** How long the first task that is due waits; null when none is. */
  oldestAgeSeconds: number | null;
}

export interface Metrics {
  /** How late, and for how much of it each of core's `latenessPhases` is to blame; read at once. */
  taskStarted(lane: Lane, lateMs: number, phasesMs: Float64Array): void;
  /** One attempt's recorded end. `outcome` is a final state or `retried`, `snoozed`, `lost`. */
  taskEnded(lane: Lane, outcome: string, durationSeconds: number | null): void;
  claimed(batchSize: number): void;
  statementTook(statement: string, seconds: number): void;
  loopRan(loop: string, atSeconds: number): void;
  /** Values read when somebody scrapes. */
  workers(read: () => { queue: string; state: "free" | "busy"; count: number }[]): void;
  targets(read: () => { name: string; state: TargetState }[]): void;
  /** When it fails, its series are left out. */
  depths(read: () => Promise<QueueDepth[]>): void;
  /** The Prometheus text format. */
  render(): Promise<{ contentType: string; body: string }>;
}

/** @param books count starts and ends, also for others than who scrapes */
export function createMetrics(
  version: string,
  { lateness = createLatenessBook(), ended = createEndedBook() }: { lateness?: LatenessBook; ended?: EndedBook } = {},
): Metrics {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  // At its default of 10 ms, looking at the event loop takes a tenth of what an idle node takes in all.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 50 });

  new Gauge({
    name: "carillon_build_info",
    help: "1, with the version as a label",
    labelNames: ["version"],
    registers,
  }).set({ version }, 1);
  showHistogram(
    registry,
    {
      name: "carillon_task_lateness_seconds",
      help: "Start of an attempt minus its due instant, or the task's creation where that was later",
      buckets: LATENESS_BUCKETS,
    },
    () => [...lateness.queues()].map(([queue, counted]) => ({ labels: { queue }, ...inSeconds(counted) })),
  );
  showHistogram(
    registry,
    {
      name: "carillon_task_lateness_phase_seconds",
      help: "The same by where it arose; planner stands before the others, which add up to it",
      buckets: LATENESS_BUCKETS,
    },
    () =>
      lateness.phases().map((counted, index) => ({ labels: { phase: latenessPhases[index]! }, ...inSeconds(counted) })),
  );
  showCounter(registry, { name: "carillon_tasks_total", help: "Ended attempts by outcome" }, () =>
    [...ended.series()].flatMap(({ queue, type, outcomes }) =>
      [...outcomes].map(([outcome, count]) => ({ labels: { queue, type, outcome }, count })),
    ),
  );
  showHistogram(
    registry,
    {
      name: "carillon_task_duration_seconds",
      help: "From start to end of an attempt",
      buckets: durationBuckets,
    },
    () =>
      [...ended.series()].map(({ queue, type, durations, sumSeconds }) => {
        return { labels: { queue, type }, counts: durations, sum: sumSeconds };
      }),
  );
  const batch = new Histogram({
    name: "carillon_claim_batch_size",
    help: "Tasks taken by one claim",
    buckets: BATCH_BUCKETS,
    registers,
  });
  const statement = new Histogram({
    name: "carillon_db_statement_seconds",
    help: "Time from sending a statement to its answer",
    labelNames: ["statement"],
    buckets: STATEMENT_BUCKETS,
    registers,
  });
  const loop = new Gauge({
    name: "carillon_loop_last_run_seconds",
    help: "When each loop last finished a round, as a Unix time",
    labelNames: ["loop"],
    registers,
  });

  const depth = new Gauge({
    name: "carillon_queue_depth",
    help: "Tasks that are not final (counts are capped)",
    labelNames: ["queue", "state"],
    registers,
  });
  const oldest = new Gauge({
    name: "carillon_queue_oldest_age_seconds",
    help: "How long the first task that is due waits",
    labelNames: ["queue"],
    registers,
  });
  let readDepths = async (): Promise<QueueDepth[]> => [];

  return {
    taskStarted: lateness.started,
    taskEnded: ended.ended,
    claimed: (size) => batch.observe(size),
    statementTook: (name, seconds) => statement.observe({ statement: name }, seconds),
    loopRan: (name, at) => loop.set({ loop: name }, at),
    workers(read) {
      new Gauge({
        name: "carillon_workers",
        help: "Slots of connected workers by queue",
        labelNames: ["queue", "state"],
        registers,
        collect() {
          this.reset();
          for (const { queue, state, count } of boundedQueues(read())) this.inc({ queue, state }, count);
        },
      });
    },
    targets(read) {
      new Gauge({
        name: "carillon_breaker_state",
        help: "Of targets that tasks call and that had trouble lately: 0 closed, 1 half-open, 2 open",
        labelNames: ["target"],
        registers,
        collect() {
          this.reset();
          for (const { name, state } of read().slice(0, MAX_TARGETS)) this.set({ target: name }, breakerValues[state]);
        },
      });
    },
    depths(read) {
      readDepths = read;
    },
    async render() {
      const rows = boundedQueues(await readDepths().catch(() => []));
      depth.reset();
      oldest.reset();
      const ages = new Map<string, number>();
      for (const { queue, state, count, oldestAgeSeconds } of rows) {
        depth.inc({ queue, state }, count);
        ages.set(queue, Math.max(ages.get(queue) ?? 0, oldestAgeSeconds ?? 0));
      }
      for (const [queue, age] of ages) oldest.set({ queue }, age);
      return { contentType: registry.contentType, body: await registry.metrics() };
    },
  };
}

/** Those that are not shown any more are closed. */
const MAX_TARGETS = 1_000;
const breakerValues = { closed: 0, "half-open": 1, open: 2 } as const satisfies Record<TargetState, number>;

/** The fullest queues by name, the rest together. */
function boundedQueues<Row extends { queue: string; count: number }>(rows: Row[]): Row[] {
  const counts = new Map<string, number>();
  for (const { queue, count } of rows) counts.set(queue, (counts.get(queue) ?? 0) + count);
  if (counts.size <= MAX_QUEUES) return rows;
  const fullest = [...counts].sort(([, a], [, b]) => b - a).slice(0, MAX_QUEUES);
  const named = new Set(fullest.map(([queue]) => queue));
  return rows.map((row) => (named.has(row.queue) ? row : { ...row, queue: OTHER_QUEUES }));
}

const inSeconds = ({ counts, sumMs }: LatenessCounts) => ({ counts, sum: sumMs / 1_000 });
