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
import { isName } from "@carillon/core/limits";
import { Attempt } from "./attempt.ts";
import { grpcTransport } from "./grpc-transport.ts";
import { processClock } from "./process-clock.ts";
import type {
  AssignedTask,
  Hello,
  Link,
  NodeMessage,
  ReportedLogLine,
  ReportedOutcome,
  WorkerMessage,
  WorkerTransport,
} from "./protocol.ts";
import { durationMs, toRetryPolicy } from "./retry-options.ts";
import type { AnyTask } from "./task.ts";
import { version } from "./version.ts";

const PING_MS = 500;
/** A node that says nothing for so long is gone, whatever its socket says. */
const SILENCE_MS = 1_500;
const RECONNECT_MAX_MS = 2_000;
const LOG_FLUSH_MS = 200;
/** Without a node, the oldest lines make room. */
const MAX_BUFFERED_LOG_LINES = 10_000;
/** What a handler gets to stop after its signal fired because the worker leaves. */
const STOP_GRACE_MS = 1_000;

export interface WorkerOptions {
  /** Address of a node, or several. Default `CARILLON_URL`, else `http://127.0.0.1:7070`. */
  url?: string | string[];
  /** Default `CARILLON_API_KEY`. */
  apiKey?: string;
  tasks: readonly AnyTask[];
  /** How many tasks run at once. Default 10. */
  concurrency?: number;
  /** Default: the queues of the definitions, and `default`. */
  queues?: readonly string[];
  labels?: Record<string, string>;
  /** Shown to people; default host name and process id. */
  name?: string;
  /** Drain at SIGTERM and SIGINT while `run()` is awaited. Default true. */
  signals?: boolean;
  /** How long running tasks get to finish when the worker closes. Default `30s`. */
  drainTimeout?: string;
  /** How to reach a node; default gRPC. */
  transport?: WorkerTransport;
  clock?: Clock;
  /** In [0, 1); spreads reconnects. */
  random?: () => number;
}

interface Held {
  attempt: Attempt;
  receivedAt: number;
  /** Set once the handler has ended; kept until a node has recorded it. */
  outcome: ReportedOutcome | null;
}

export class Worker {
  readonly name: string;
  readonly #definitions: Map<string, AnyTask>;
  readonly #hello: Omit<Hello, "slots" | "held">;
  readonly #concurrency: number;
  readonly #transport: WorkerTransport;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #signals: boolean;
  readonly #drainTimeoutMs: number;

  readonly #held = new Map<bigint, Held>();
  #outcomes: ReportedOutcome[] = [];
  #logs: ReportedLogLine[] = [];
  #logTimer: (() => void) | null = null;
  #link: Link<WorkerMessage> | null = null;
  #welcomed = false;
  readonly #whenWelcomed: (() => void)[] = [];
  #heardAt = 0;
  #nodes: string[] = [];
  #failures = 0;
  #draining = false;
  #idle: (() => void) | null = null;
  readonly #stopped = new AbortController();
  #running: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: WorkerOptions) {
    this.name =
      options.name ?? `${hostname().replaceAll(/[^A-Za-z0-9._-]/g, "-")}-${process.pid}-${randomUUID().slice(0, 4)}`;
    if (!isName(this.name)) throw invalid("/name", "invalid_name", `"${this.name}" is not a name`);
    this.#definitions = new Map(options.tasks.map((definition) => [definition.type, definition]));
    this.#concurrency = options.concurrency ?? 10;
    this.#clock = options.clock ?? processClock();
    this.#random = options.random ?? Math.random;
    this.#transport = options.transport ?? grpcTransport({ url: options.url, apiKey: options.apiKey });
    this.#signals = options.signals ?? true;
    this.#drainTimeoutMs = durationMs(options.drainTimeout ?? "30s", "/drainTimeout");
    const queues = options.queues ?? [
      "default",
      ...options.tasks.flatMap(({ queue }) => (queue === undefined ? [] : [queue])),
    ];
    this.#hello = {
      worker: this.name,
      version,
      labels: options.labels ?? {},
      queues: [...new Set(queues)],
      types: options.tasks.map(({ type, queue, retry, timeout }) => ({
        type,
        queue: queue ?? null,
        retry: retry === undefined ? null : toRetryPolicy(retry),
        timeoutMs: timeout === undefined ? null : durationMs(timeout, "/timeout"),
      })),
    };
  }

  /** Works until `close()`, or until SIGTERM or SIGINT. */
  async run(): Promise<void> {
    const stop = () => void this.close();
    if (this.#signals) for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, stop);
    try {
      this.start();
      await this.#running;
      await this.#closing;
    } finally {
      if (this.#signals) for (const signal of ["SIGTERM", "SIGINT"] as const) process.off(signal, stop);
    }
  }

  /** Like `run`, without waiting and without signal handlers. */
  start(): void {
    this.#running ??= this.#stayConnected();
  }

  /** Resolves when a node has welcomed it. */
  connected(): Promise<void> {
    return this.#welcomed ? Promise.resolve() : new Promise((resolve) => this.#whenWelcomed.push(resolve));
  }

  /** How many tasks it holds, outcomes that no node has recorded yet included. */
  get held(): number {
    return this.#held.size;
  }

  /** Takes nothing new, lets running tasks finish for up to the drain timeout, stops the rest and gives them back. */
  close(options: { timeout?: string } = {}): Promise<void> {
    this.#closing ??= this.#close(
      options.timeout === undefined ? this.#drainTimeoutMs : durationMs(options.timeout, "/timeout"),
    );
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#draining = true;
    this.#link?.send({ kind: "capacity", slots: 0 });
    await this.#untilIdle(timeoutMs);
    if (this.#held.size > 0) {
      for (const { attempt } of this.#held.values()) attempt.stop("shutdown");
      await this.#untilIdle(STOP_GRACE_MS);
      for (const held of this.#held.values()) if (!held.outcome) this.#report(held, { kind: "released" });
      await this.#untilIdle(STOP_GRACE_MS);
    }
    this.#flush();
    this.#link?.send({ kind: "leaving" });
    this.#stopped.abort();
    this.#link?.close();
    await this.#running;
  }

  async #untilIdle(timeoutMs: number): Promise<void> {
    if (this.#held.size === 0 || timeoutMs <= 0) return;
    const ended = new AbortController();
    this.#idle = () => ended.abort();
    await delay(this.#clock, timeoutMs, ended.signal);
    this.#idle = null;
  }

  // ------------------------------------------------------------------------------------------------------------ connection

  async #stayConnected(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#connection();
      this.#link = null;
      this.#welcomed = false;
      // The first try elsewhere is immediate: the node gives a lost worker's tasks away after less than a second.
      const pauseMs =
        this.#failures <= 1 ? 0 : Math.min(RECONNECT_MAX_MS, 50 * 2 ** this.#failures) * (0.5 + this.#random() / 2);
      if (pauseMs > 0) await delay(this.#clock, pauseMs, this.#stopped.signal);
    }
  }

  /** One link's life; resolves when it is over. */
  #connection(): Promise<void> {
    return new Promise((resolve) => {
      let over = false;
      const end = () => {
        if (over) return;
        over = true;
        stopPinging();
        this.#failures++;
        resolve();
      };
      const link = this.#transport.connect(
        { message: (message) => !over && this.#receive(message, leave), closed: end },
        this.#nodes,
      );
      const leave = () => {
        link.close();
        end();
      };
      this.#link = link;
      this.#heardAt = this.#clock.monotonic();
      const stopPinging = this.#ping(link, leave);
      this.#stopped.signal.addEventListener("abort", end, { once: true });
      link.send({ kind: "hello", hello: { ...this.#hello, slots: this.#slots(), held: this.#refs() } });
    });
  }

  #ping(link: Link<WorkerMessage>, leave: () => void): () => void {
    let cancel = () => {};
    const tick = () => {
      if (this.#clock.monotonic() - this.#heardAt > SILENCE_MS) return leave();
      link.send({ kind: "ping" });
      cancel = this.#clock.after(PING_MS, tick);
    };
    cancel = this.#clock.after(PING_MS, tick);
    return () => cancel();
  }

  #slots(): number {
    return this.#draining ? 0 : this.#concurrency;
  }

  #refs() {
    return [...this.#held.values()].map(({ attempt: { task } }) => ({ id: task.id, token: task.token }));
  }

  #receive(message: NodeMessage, leave: () => void): void {
    this.#heardAt = this.#clock.monotonic();
    switch (message.kind) {
      case "welcome":
        this.#welcome(message.nodes);
        return;
      case "tasks":
        for (const task of message.tasks) this.#take(task);
        return;
      case "recorded":
        for (const { id, token } of message.outcomes) this.#forget(id, token);
        return;
      case "cancels":
        for (const { id, token, reason } of message.cancels) this.#find(id, token)?.attempt.stop("cancelled", reason);
        return;
      case "lost":
        for (const { id, token } of message.tasks) this.#lose(id, token);
        return;
      case "go-elsewhere":
        this.#nodes = message.nodes;
        this.#link?.send({ kind: "leaving" });
        leave();
        return;
      case "pong":
        return;
    }
  }

  #welcome(nodes: string[]): void {
    this.#welcomed = true;
    for (const resolve of this.#whenWelcomed.splice(0)) resolve();
    this.#failures = 0;
    this.#nodes = nodes;
    this.#outcomes = [...this.#held.values()].flatMap(({ outcome }) => (outcome ? [outcome] : []));
    this.#flush();
  }

  // ----------------------------------------------------------------------------------------------------------------- tasks

  #take(task: AssignedTask): void {
    const definition = this.#definitions.get(task.type) ?? undeclared(task.type);
    const attempt = new Attempt(task, definition, { clock: this.#clock, writeLog: this.#writeLog });
    const held: Held = { attempt, receivedAt: this.#clock.monotonic(), outcome: null };
    this.#held.set(task.id, held);
    attempt.run().then((report) => this.#report(held, report));
  }

  #report(held: Held, report: AttemptReport): void {
    const { id, token } = held.attempt.task;
    if (held.outcome || this.#held.get(id) !== held) return;
    held.outcome = { id, token, report, waitedMs: 0, ranMs: this.#clock.monotonic() - held.receivedAt };
    this.#outcomes.push(held.outcome);
    // Handlers that end in the same turn report together.
    if (this.#outcomes.length === 1) queueMicrotask(() => this.#flush());
  }

  /** Logs first: they count only while the task is still held. */
  #flush(): void {
    if (!this.#welcomed || !this.#link) return;
    if (this.#logs.length > 0) {
      const lines = this.#logs;
      this.#logs = [];
      this.#link.send({ kind: "logs", lines });
    }
    if (this.#outcomes.length > 0) {
      const outcomes = this.#outcomes;
      this.#outcomes = [];
      this.#link.send({ kind: "outcomes", outcomes });
    }
  }

  readonly #writeLog = (line: ReportedLogLine): void => {
    if (this.#logs.length >= MAX_BUFFERED_LOG_LINES) this.#logs.shift();
    this.#logs.push(line);
    this.#logTimer ??= this.#clock.after(LOG_FLUSH_MS, () => {
      this.#logTimer = null;
      this.#flush();
    });
  };

  #find(id: bigint, token: bigint): Held | null {
    const held = this.#held.get(id);
    return held && held.attempt.task.token === token ? held : null;
  }

  #lose(id: bigint, token: bigint): void {
    this.#find(id, token)?.attempt.stop("lease_lost");
    this.#forget(id, token);
  }

  #forget(id: bigint, token: bigint): void {
    if (this.#find(id, token)) this.#held.delete(id);
    if (this.#held.size === 0) this.#idle?.();
  }
}

/** A node sends only what was declared; should one not, the task goes on elsewhere. */
function undeclared(type: string): AnyTask {
  return {
    type,
    run() {
      throw new Error(`this worker does not run tasks of type "${type}"`);
    },
  };
}
