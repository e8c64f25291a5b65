/** One attempt whose handler runs in a thread of its own. What it says passes through; a thread that does not stop is ended. */
import type { AttemptReport } from "@carillon/core";
import { type AttemptDeps, failed, type RunningAttempt } from "./attempt.ts";
import type { AttemptAborted } from "./errors.ts";
import type { AssignedTask } from "./protocol.ts";
import type { FromThread, Thread, Threads } from "./threads.ts";

/** What a handler gets to stop after its signal fired; a blocking one never sees it. */
const STOP_MS = 5_000;

export class ThreadAttempt implements RunningAttempt {
  readonly task: AssignedTask;
  readonly #module: string;
  readonly #threads: Threads;
  readonly #deps: AttemptDeps;
  #thread: Thread | null = null;
  #stopped: AttemptAborted["why"] | null = null;
  #cancelEnd = () => {};

  constructor(task: AssignedTask, { module, threads, ...deps }: AttemptDeps & { module: string; threads: Threads }) {
    this.task = task;
    this.#module = module;
    this.#threads = threads;
    this.#deps = deps;
  }

  stop(why: AttemptAborted["why"], detail: string | null = null): void {
    if (this.#stopped) return;
    this.#stopped = why;
    const thread = this.#thread;
    if (!thread) return;
    thread.post({ kind: "stop", why, detail });
    this.#cancelEnd = this.#deps.clock.after(STOP_MS, () => void thread.end());
  }

  /** Calls back once: with what the handler came to, at the timeout, or when its thread is gone. */
  run(done: (report: AttemptReport) => void): void {
    const { clock, now, writeLog, reportProgress } = this.#deps;
    const { timeoutMs } = this.task;
    let over = false;
    const end = (report: AttemptReport) => {
      if (over) return;
      over = true;
      cancelTimer();
      done(report);
    };
    const cancelTimer = clock.after(timeoutMs, () => {
      this.stop("timeout");
      end(failed("timeout", new Error(`timed out after ${timeoutMs} ms`), true));
    });
    const thread = this.#threads.take(this.#module);
    this.#thread = thread;
    thread.listen({
      message: (message: FromThread) => {
        if (message.kind === "ended") {
          this.#release(thread);
          end(message.report);
        } else if (over) {
          return;
        } else if (message.kind === "log") {
          writeLog(message.line);
        } else {
          reportProgress(message.report);
        }
      },
      gone: (error) => {
        this.#thread = null;
        this.#cancelEnd();
        end(this.#stopReport() ?? failed("handler_error", error, true));
      },
    });
    thread.post({ kind: "run", task: this.task, offsetMs: now() - clock.now() });
  }

  #release(thread: Thread): void {
    this.#thread = null;
    this.#cancelEnd();
    if (this.#stopped) void thread.end();
    else this.#threads.giveBack(thread);
  }

  #stopReport(): AttemptReport | null {
    if (!this.#stopped || this.#stopped === "timeout") return null;
    return { kind: this.#stopped === "cancelled" ? "cancelled" : "released" };
  }
}
