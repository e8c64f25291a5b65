/**
 * What a node counts. Metric names are public (`/metrics`); the rest of the server sees only these verbs, so that the library behind them
 * can be replaced here. Labels are bounded: queues and types, never ids or namespaces.
 */
import { latenessBucketsMs, latenessPhases } from "@carillon/core";
import type { Lane } from "@carillon/store";
import { collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { hotCounter, hotHistogram, showHistogram } from "./hot-series.ts";
import { createLatenessBook, type LatenessBook, type LatenessCounts } from "./lateness-book.ts";

const LATENESS_BUCKETS = latenessBucketsMs.map((ms) => ms / 1_000);
const DURATION_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30, 60, 300, 1_800, 3_600];
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
  taskEnded(queue: string, type: string, outcome: string, durationSeconds: number | null): void;
  claimed(batchSize: number): void;
  statementTook(statement: string, seconds: number): void;
  loopRan(loop: string, atSeconds: number): void;
  /** Values read when somebody scrapes. */
  workers(read: () => { queue: string; state: "free" | "busy"; count: number }[]): void;
  /** When it fails, its series are left out. */
  depths(read: () => Promise<QueueDepth[]>): void;
  /** The Prometheus text format. */
  render(): Promise<{ contentType: string; body: string }>;
}

/** @param lateness counts starts, also for others than who scrapes */
export function createMetrics(version: string, lateness: LatenessBook = createLatenessBook()): Metrics {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  collectDefaultMetrics({ register: registry });

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
  const ended = hotCounter(registry, {
    name: "carillon_tasks_total",
    help: "Ended attempts by outcome",
    labelNames: ["queue", "type", "outcome"],
  });
  const duration = hotHistogram(registry, {
    name: "carillon_task_duration_seconds",
    help: "From start to end of an attempt",
    labelNames: ["queue", "type"],
    buckets: DURATION_BUCKETS,
  });
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
    taskEnded(queue, type, outcome, seconds) {
      ended(queue, type, outcome);
      if (seconds !== null) duration(seconds, queue, type);
    },
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
          for (const { queue, state, count } of read()) this.set({ queue, state }, count);
        },
      });
    },
    depths(read) {
      readDepths = read;
    },
    async render() {
      const rows = await readDepths().catch(() => []);
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

const inSeconds = ({ counts, sumMs }: LatenessCounts) => ({ counts, sum: sumMs / 1_000 });
