/**
 * What every contender is asked to do. Each role runs in a process of its own (`actor.ts`), so that a producer does not share an event loop
 * with a worker, and the processor time of each is known.
 */
export interface Contender {
  /** What it ran with, for the report: version and settings. */
  readonly settings: string;
  /** Once, in an empty database: tables, queues. */
  prepare(): Promise<void>;
  openProducer(): Promise<Producer>;
  /** Resolves when it takes tasks. `onStart` is what the handler does. */
  openWorker(options: WorkerOptions): Promise<Closable>;
  /** A process that makes tasks of schedules and does nothing else; left out where there is none. */
  openPlanner?(): Promise<Closable>;
  /** A process that calls URLs and takes tasks for that; left out where there is none. */
  openCaller?(options: Pick<WorkerOptions, "concurrency">): Promise<Caller>;
}

export interface Caller extends Closable {
  /** Each a task, due at its instant. */
  call(calls: { url: string; due: number }[]): Promise<void>;
}

export interface Closable {
  close(): Promise<void>;
}

export interface WorkerOptions {
  concurrency: number;
  /** `lateness`: few tasks and each on time; `throughput`: as many as possible. Peers poll and batch accordingly. */
  tuned: "lateness" | "throughput";
  /** What it returns holds the task. */
  onStart(dueAt: number | null): unknown;
}

export interface Producer extends Closable {
  /** One call. A due instant in epoch milliseconds, or null: now. */
  bulk(dueAts: (number | null)[]): Promise<void>;
  single(): Promise<void>;
  /**
   * `count` schedules that fire every `seconds` from now on, or an edit of each of them when there are others by their names; left out
   * where there are none.
   */
  schedules?(count: number, seconds: number, edition?: number): Promise<void>;
}

/** Where a contender finds its store, from the actor's environment. */
export const databaseUrl = (): string => process.env.BENCH_DATABASE_URL ?? "";
export const redisPort = (): number => Number(process.env.BENCH_REDIS_PORT);

/** What a task carries: its number and when it was due, as the handler needs it to measure. */
export interface Payload {
  n: number;
  due: number | null;
}
