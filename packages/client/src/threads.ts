/**
 * Threads in which handlers run that may block (`thread` of their definition). A thread runs one attempt at a time. Afterwards it is kept
 * for a while for the next one of its module, unless the attempt was stopped: then something of it may still be going on.
 */
import { Worker as NodeThread } from "node:worker_threads";
import type { AttemptReport, Clock } from "@carillon/core";
import type { AttemptAborted } from "./errors.ts";
import type { AssignedTask, ReportedLogLine, ReportedProgress } from "./protocol.ts";

export type ToThread =
  | { kind: "run"; task: AssignedTask /** What the nodes' time is ahead of ours. */; offsetMs: number }
  | { kind: "stop"; why: AttemptAborted["why"]; detail: string | null };

export type FromThread =
  | { kind: "log"; line: ReportedLogLine }
  | { kind: "progress"; report: ReportedProgress }
  | { kind: "ended"; report: AttemptReport };

export interface ThreadListener {
  message(message: FromThread): void;
  /** It ended by itself or was ended. */
  gone(error: Error): void;
}

const IDLE_MS = 10_000;

/** Also from the sources a thread runs what was built, without the options that lead to sources: not every Node reads TypeScript. */
const fromSources = import.meta.url.endsWith(".ts");
const main = new URL(fromSources ? "../dist/thread-main.js" : "./thread-main.js", import.meta.url);

export class Thread {
  readonly module: string;
  readonly #thread: NodeThread;
  #listener: ThreadListener | null = null;
  #over = false;

  constructor(module: string, onGone: (thread: Thread) => void) {
    this.module = module;
    this.#thread = new NodeThread(main, { workerData: { module }, ...(fromSources ? { execArgv: [] } : {}) });
    this.#thread.on("message", (message: FromThread) => this.#listener?.message(message));
    const over = (error: Error) => {
      if (this.#over) return;
      this.#over = true;
      onGone(this);
      this.#listener?.gone(error);
    };
    this.#thread.on("error", (error) => over(error instanceof Error ? error : new Error(String(error))));
    this.#thread.on("exit", (code) => over(new Error(`the handler's thread ended with exit code ${code}`)));
  }

  /** Who hears it from now on; null: nobody, and the process need not wait for it. */
  listen(listener: ThreadListener | null): void {
    this.#listener = listener;
    if (listener) this.#thread.ref();
    else this.#thread.unref();
  }

  post(message: ToThread): void {
    this.#thread.postMessage(message);
  }

  async end(): Promise<void> {
    await this.#thread.terminate();
  }
}

export class Threads {
  readonly #clock: Clock;
  readonly #all = new Set<Thread>();
  readonly #idle = new Map<Thread, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(module: string): Thread {
    for (const [thread, keep] of this.#idle) {
      if (thread.module !== module) continue;
      keep();
      this.#idle.delete(thread);
      return thread;
    }
    const thread = new Thread(module, (gone) => {
      this.#all.delete(gone);
      this.#idle.get(gone)?.();
      this.#idle.delete(gone);
    });
    this.#all.add(thread);
    return thread;
  }

  /** It has ended its attempt, and nothing of that goes on. */
  giveBack(thread: Thread): void {
    thread.listen(null);
    this.#idle.set(
      thread,
      this.#clock.after(IDLE_MS, () => void thread.end()),
    );
  }

  async close(): Promise<void> {
    for (const cancel of this.#idle.values()) cancel();
    await Promise.all([...this.#all].map((thread) => thread.end()));
  }
}
