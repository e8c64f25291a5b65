/**
 * Runs tasks. A worker opens one link to a node, says what it runs and how much it can hold, receives tasks, and reports outcomes.
 *
 * It survives its node: when the link breaks or falls silent, it goes to another address and presents what it still runs, so that nothing
 * is aborted. An outcome is kept until a node has said that it is recorded. Only `lost` (somebody else decides about this task now) makes
 * it drop one.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { AttemptReport, Clock } from "@carillon/core";
import { delay } from "@carillon/core/clock";
import { invalid } from "@carillon/core/errors";
import { labelValueProblem, WORKER_LABEL } from "@carillon/core/labels";
import { isName, limits } from "@carillon/core/limits";
import { checkOptions } from "@carillon/core/suggest";
import { Attempt, type RunningAttempt } from "./attempt.ts";
import { collecting } from "./batch.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { grpcTransport } from "./grpc-transport.ts";
import { LogBuffer } from "./log-buffer.ts";
import { processClock } from "./process-clock.ts";
import { ProgressBuffer } from "./progress-buffer.ts";
import type {
  AssignedTask,
  Hello,
  ReportedLogLine,
  ReportedOutcome,
  ReportedProgress,
  TaskRef,
  WorkerTransport,
} from "./protocol.ts";
import { durationMs, toRetryPolicy } from "./retry-options.ts";
import type { AnyTask } from "./task.ts";
import { ThreadAttempt } from "./thread-attempt.ts";
import { Threads } from "./threads.ts";
import { version } from "./version.ts";

const LOG_FLUSH_MS = 200;
/** At most so many lines in so long: to encode more would keep outcomes and timeouts waiting. */
const MAX_LINES = 1_000;
const LINES_PERIOD_MS = 20;
/** Between two messages about progress; the first after a quiet time comes sooner. */
const PROGRESS_PERIOD_MS = 1_000;
const PROGRESS_SOON_MS = 50;
/** What a handler gets to stop after its signal fired because the worker leaves. */
const STOP_GRACE_MS = 1_000;
/** So many tasks are told that the event loop stood still. */
const MAX_TOLD = 100;
const MAX_CONCURRENCY = 10_000;

export interface WorkerOptions {
  /** Address of a node, or several. Default `CARILLON_URL`, else `http://127.0.0.1:7070`. */
  url?: string | string[];
  /** Default `CARILLON_API_KEY`. */
  apiKey?: string;
  tasks: readonly AnyTask[];
  /** How many tasks run at once, 1 … 10,000. Default 10. */
  concurrency?: number;
  /** Default: the queues of the definitions, and `default`. */
  queues?: readonly string[];
  /** What is special about it, at most 64: tasks may require them. It also has the label `worker`, with its name. */
  labels?: Record<string, string>;
  /** Shown to people; default host name and process id. */
  name?: string;
  /** Drain at SIGTERM and SIGINT while `run()` is awaited; a second one ends the process at once. Default true. */
  signals?: boolean;
  /** How long running tasks get to finish when the worker closes. Default `30s`. */
  drainTimeout?: string;
  /** False: handlers that ask for a thread of their own run here all the same, as in tests with a clock of their own. Default true. */
  threads?: boolean;
  /** How to reach a node; default gRPC. */
  transport?: WorkerTransport;
  clock?: Clock;
  /** In [0, 1); spreads reconnects. */
  random?: () => number;
}

const knownOptions = Object.keys({
  url: true,
  apiKey: true,
  tasks: true,
  concurrency: true,
  queues: true,
  labels: true,
  name: true,
  signals: true,
  drainTimeout: true,
  threads: true,
  transport: true,
  clock: true,
  random: true,
} satisfies Record<keyof WorkerOptions, true>);

interface Held {
  attempt: RunningAttempt;
  /** From receiving it until its turn came: tasks of one message start one after the other. */
  waitedMs: number;
  startedAt: number;
  endedAt: number;
  /** Set once the handler has ended; kept until a node has recorded it. */
  outcome: ReportedOutcome | null;
}

export class Worker {
  readonly name: string;
  readonly #definitions: Map<string, AnyTask>;
  readonly #hello: Omit<Hello, "slots" | "held">;
  readonly #concurrency: number;
  readonly #clock: Clock;
  readonly #signals: boolean;
  readonly #drainTimeoutMs: number;
  readonly #connection: Connection;

  readonly #threads: Threads | null;
  readonly #held = new Map<bigint, Held>();
  /** Ended since the last flush. */
  #ended: Held[] = [];
  readonly #logs = new LogBuffer();
  #cancelLogFlush: (() => void) | null = null;
  /** How many lines may still be sent in this period. */
  #linesLeft = MAX_LINES;
  readonly #progress = new ProgressBuffer();
  #cancelProgress: (() => void) | null = null;
  #progressSentAt = Number.NEGATIVE_INFINITY;
  #flushQueued = false;
  /** What the nodes' time is ahead of ours. */
  #nodeOffsetMs = 0;
  #draining = false;
  #idle: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: WorkerOptions) {
    checkOptions(options, knownOptions);
    this.name =
      options.name ?? `${hostname().replaceAll(/[^A-Za-z0-9._-]/g, "-")}-${process.pid}-${randomUUID().slice(0, 4)}`;
    checkName(this.name, "/name");
    const isFull = () => this.#held.size >= this.#concurrency;
    const clock = options.clock ?? processClock();
    const tasks = options.tasks.map((definition) => {
      const { runMany, batch } = definition;
      return runMany && batch ? collecting({ ...definition, runMany, batch }, { clock, isFull }) : definition;
    });
    this.#definitions = byType(tasks);
    this.#concurrency = options.concurrency ?? 10;
    if (!Number.isInteger(this.#concurrency) || this.#concurrency < 1 || this.#concurrency > MAX_CONCURRENCY)
      throw invalid("/concurrency", "out_of_range", `concurrency is a whole number from 1 to ${MAX_CONCURRENCY}`);
    this.#clock = clock;
    this.#threads = (options.threads ?? true) ? new Threads(this.#clock) : null;
    this.#signals = options.signals ?? true;
    this.#drainTimeoutMs = durationMs(options.drainTimeout ?? "30s", "/drainTimeout");
    const types = [...this.#definitions.values()];
    const queues = new Set(options.queues ?? ["default", ...types.flatMap(({ queue }) => queue ?? [])]);
    for (const queue of queues) checkName(queue, "/queues");
    checkLabels(options.labels ?? {});
    this.#hello = {
      worker: this.name,
      version,
      labels: options.labels ?? {},
      queues: [...queues],
      types: types.map(({ type, queue, retry, timeout }) => ({
        type,
        queue: queue ?? null,
        retry: retry === undefined ? null : toRetryPolicy(retry),
        timeoutMs: timeout === undefined ? null : durationMs(timeout, "/timeout"),
      })),
    };
    this.#connection = new Connection(this.#owner(), {
      transport: options.transport ?? grpcTransport({ url: options.url, apiKey: options.apiKey }),
      clock: this.#clock,
      random: options.random ?? Math.random,
    });
  }

  /** Works until `close()`, or until SIGTERM or SIGINT. */
  async run(): Promise<void> {
    const signals = this.#signals ? (["SIGTERM", "SIGINT"] as const) : [];
    const unlisten = () => {
      for (const signal of signals) process.off(signal, stop);
    };
    const stop = () => {
      unlisten();
      void this.close();
    };
    for (const signal of signals) process.on(signal, stop);
    try {
      this.start();
      await this.#running;
      await this.#closing;
    } finally {
      unlisten();
    }
  }

  /** Like `run`, without waiting and without signal handlers. */
  start(): void {
    this.#running ??= this.#connection.run();
  }

  /** Resolves when a node has welcomed it; rejects with `unavailable` when it is closed before. */
  connected(): Promise<void> {
    return this.#connection.whenOpen();
  }

  /** How many tasks it holds, outcomes that no node has recorded yet included. */
  get held(): number {
    return this.#held.size;
  }

  /** Takes nothing new, lets running tasks finish for up to the drain timeout, stops the rest and gives them back. */
  close(options: { timeout?: string } = {}): Promise<void> {
    const timeoutMs = options.timeout === undefined ? this.#drainTimeoutMs : durationMs(options.timeout, "/timeout");
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#connection.send({ kind: "capacity", slots: 0 });
    await this.#untilIdle(timeoutMs);
    for (const { attempt } of this.#unfinished()) attempt.stop("shutdown");
    await this.#untilIdle(STOP_GRACE_MS);
    // A handler that ignores its signal goes on in a process that is about to end; its task starts again elsewhere.
    for (const held of this.#unfinished()) this.#report(held, { kind: "released" });
    await this.#untilIdle(STOP_GRACE_MS);
    // Lines that are still unsent are given up; outcomes are not.
    this.#logs.clear();
    this.#flush();
    this.#cancelLogFlush?.();
    this.#cancelProgress?.();
    this.#connection.stop();
    await this.#threads?.close();
    await this.#running;
  }

  #unfinished(): Held[] {
    return [...this.#held.values()].filter(({ outcome }) => outcome === null);
  }

  async #untilIdle(timeoutMs: number): Promise<void> {
    if (this.#held.size === 0 || timeoutMs <= 0) return;
    const idle = new AbortController();
    this.#idle = () => idle.abort();
    await delay(this.#clock, timeoutMs, idle.signal);
    this.#idle = null;
  }

  #owner(): ConnectionOwner {
    return {
      hello: () => ({
        ...this.#hello,
        slots: this.#draining ? 0 : this.#concurrency,
        held: [...this.#held.values()].map(({ attempt: { task } }) => ({ id: task.id, token: task.token })),
      }),
      welcomed: (now) => {
        this.#nodeOffsetMs = now - this.#clock.now();
        if (this.#draining) this.#connection.send({ kind: "capacity", slots: 0 });
        // What the node before may not have recorded is said again.
        this.#ended = [...this.#held.values()].filter(({ outcome }) => outcome !== null);
        this.#flush();
      },
      stoodStill: (ms) => this.#tellStandstill(ms),
      received: (message) => {
        switch (message.kind) {
          case "tasks": {
            const receivedAt = this.#clock.monotonic();
            for (const task of message.tasks) this.#take(task, receivedAt);
            return;
          }
          case "recorded":
            for (const ref of message.outcomes) this.#forget(ref);
            return;
          case "cancels":
            for (const { reason, ...ref } of message.cancels) this.#find(ref)?.attempt.stop("cancelled", reason);
            return;
          case "lost":
            for (const ref of message.tasks) {
              this.#find(ref)?.attempt.stop("lease_lost");
              this.#forget(ref);
            }
        }
      },
    };
  }

  #take(task: AssignedTask, receivedAt: number): void {
    const earlier = this.#held.get(task.id);
    // Said twice. A newer token means that the earlier lease was lost.
    if (earlier && earlier.attempt.task.token >= task.token) return;
    earlier?.attempt.stop("lease_lost");
    const definition = this.#definitions.get(task.type) ?? undeclared(task.type);
    const attempt = this.#attempt(task, definition);
    const startedAt = this.#clock.monotonic();
    const held: Held = { attempt, waitedMs: startedAt - receivedAt, startedAt, endedAt: startedAt, outcome: null };
    this.#held.set(task.id, held);
    // Sent before the node knew that this worker leaves. Zero milliseconds say that it did not start.
    if (this.#draining) this.#report(held, { kind: "released" }, 0);
    else attempt.run((report) => this.#report(held, report));
  }

  #attempt(task: AssignedTask, definition: AnyTask): RunningAttempt {
    const deps = {
      now: this.#now,
      clock: this.#clock,
      writeLog: this.#writeLog,
      reportProgress: this.#reportProgress,
    };
    if (definition.thread === undefined || !this.#threads) return new Attempt(task, definition, deps);
    return new ThreadAttempt(task, { ...deps, module: String(definition.thread), threads: this.#threads });
  }

  #report(held: Held, report: AttemptReport, ranMs?: number): void {
    const { id, token } = held.attempt.task;
    if (held.outcome || this.#held.get(id) !== held) return;
    held.endedAt = this.#clock.monotonic();
    const { waitedMs, startedAt, endedAt } = held;
    held.outcome = { id, token, report, waitedMs, ranMs: ranMs ?? endedAt - startedAt, keptMs: 0 };
    this.#ended.push(held);
    // Handlers that end in the same turn report together.
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    queueMicrotask(() => {
      this.#flushQueued = false;
      this.#flush();
    });
  }

  /** A task's log before its outcome: it counts only while the task is still held. Nobody waits for another task's log. */
  #flush(): void {
    if (!this.#connection.open) return;
    const lines = this.#logs.take(this.#linesLeft);
    if (lines.length > 0) {
      this.#connection.send({ kind: "logs", lines });
      this.#linesLeft -= lines.length;
      this.#cancelLogFlush?.();
      this.#cancelLogFlush = null;
      this.#flushLogsIn(LINES_PERIOD_MS);
    }
    const outcomes: ReportedOutcome[] = [];
    const now = this.#ended.length > 0 ? this.#clock.monotonic() : 0;
    this.#ended = this.#ended.filter((held) => {
      if (!held.outcome || this.#held.get(held.outcome.id) !== held) return false;
      if (this.#logs.has(held.outcome)) return true;
      held.outcome.keptMs = now - held.endedAt;
      outcomes.push(held.outcome);
      return false;
    });
    if (outcomes.length === 0) return;
    if (!this.#progress.empty) this.#sendProgress(this.#progress.takeOf(outcomes));
    this.#connection.send({ kind: "outcomes", outcomes });
  }

  readonly #now = (): number => this.#clock.now() + this.#nodeOffsetMs;

  readonly #writeLog = (line: ReportedLogLine): void => {
    this.#logs.add(line);
    this.#flushLogsIn(LOG_FLUSH_MS);
  };

  #flushLogsIn(delayMs: number): void {
    this.#cancelLogFlush ??= this.#clock.after(delayMs, () => {
      this.#cancelLogFlush = null;
      this.#linesLeft = MAX_LINES;
      this.#flush();
    });
  }

  /** Those that run on the event loop: one of them may have kept it, and the others were kept waiting. */
  #tellStandstill(ms: number): void {
    const seconds = (ms / 1_000).toFixed(1);
    const message = `The worker's event loop stood still for ${seconds} s, for a handler that blocks it or with the machine. A handler that blocks can run in a thread of its own (\`thread\`).`;
    const here = this.#unfinished().filter(({ attempt }) => attempt instanceof Attempt);
    for (const { attempt } of here.slice(0, MAX_TOLD)) {
      const { id, token, attempt: number } = attempt.task;
      this.#writeLog({ id, token, attempt: number, at: this.#now(), level: "warn", message });
    }
  }

  readonly #reportProgress = (report: ReportedProgress): void => {
    const held = this.#find(report);
    if (!held || held.outcome) return;
    this.#progress.set(report);
    this.#sendProgressLater();
  };

  #sendProgressLater(): void {
    const sinceMs = this.#clock.monotonic() - this.#progressSentAt;
    this.#cancelProgress ??= this.#clock.after(Math.max(PROGRESS_SOON_MS, PROGRESS_PERIOD_MS - sinceMs), () => {
      this.#cancelProgress = null;
      this.#progressSentAt = this.#clock.monotonic();
      // Without a node the latest is kept until there is one.
      if (this.#connection.open) this.#sendProgress(this.#progress.takeAll());
      else if (!this.#progress.empty) this.#sendProgressLater();
    });
  }

  #sendProgress(reports: ReportedProgress[]): void {
    if (reports.length > 0) this.#connection.send({ kind: "progress", reports });
  }

  #find({ id, token }: TaskRef): Held | null {
    const held = this.#held.get(id);
    return held && held.attempt.task.token === token ? held : null;
  }

  #forget(ref: TaskRef): void {
    if (this.#find(ref)) this.#held.delete(ref.id);
    if (!this.#progress.empty) this.#progress.takeOf([ref]);
    if (this.#held.size === 0) this.#idle?.();
  }
}

function checkName(text: string, pointer: string): void {
  if (!isName(text)) throw invalid(pointer, "invalid_name", `"${text}" is not a name`);
}

function checkLabels(labels: Record<string, string>): void {
  const entries = Object.entries(labels);
  if (entries.length > limits.labels)
    throw invalid("/labels", "too_many", `a worker has at most ${limits.labels} labels`);
  for (const [key, value] of entries) {
    checkName(key, `/labels/${key}`);
    const wrong = typeof value === "string" ? labelValueProblem(value) : "A label's value is text.";
    if (wrong !== null) throw invalid(`/labels/${key}`, "invalid_label", wrong);
    if (key === WORKER_LABEL)
      throw invalid("/labels/worker", "reserved", "the label `worker` is the worker's name, which is given as `name`");
  }
}

function byType(tasks: readonly AnyTask[]): Map<string, AnyTask> {
  const definitions = new Map<string, AnyTask>();
  for (const definition of tasks) {
    const other = definitions.get(definition.type);
    if (other && other !== definition)
      throw invalid("/tasks", "duplicate_type", `two definitions of the type "${definition.type}"`);
    definitions.set(definition.type, definition);
  }
  return definitions;
}

/** A node sends only what was declared; should one not, the attempt fails and the task is tried again later. */
function undeclared(type: string): AnyTask {
  return {
    type,
    run() {
      throw new Error(`this worker does not run tasks of type "${type}"`);
    },
  };
}
