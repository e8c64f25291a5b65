/** One attempt in a worker: runs the handler, aborts it in time, and turns what came of it into a report. */
import type { AttemptReport, Clock } from "@carillon/core";
import { parseDuration } from "@carillon/core/duration";
import { formatId } from "@carillon/core/id";
import { limits } from "@carillon/core/limits";
import { createLogQuota, type LogQuota } from "@carillon/core/log-quota";
import { type TaskErrorCode, taskErrorCodes } from "@carillon/core/outcome";
import { AttemptAborted } from "./errors.ts";
import type { AssignedTask, ReportedLogLine, ReportedProgress } from "./protocol.ts";
import { resultProblem } from "./result.ts";
import { type AnyTask, checkPayload, type TaskContext, type TaskLog } from "./task.ts";
import { clip, logText, textOf } from "./text.ts";

type Failed = Extract<AttemptReport, { kind: "failed" }>;

export interface AttemptDeps {
  clock: Clock;
  /** The nodes' time in epoch milliseconds, for log lines. */
  now: () => number;
  writeLog: (line: ReportedLogLine) => void;
  reportProgress: (report: ReportedProgress) => void;
}

/** An attempt as its worker sees it. */
export interface RunningAttempt {
  readonly task: AssignedTask;
  /** The handler's signal fires; what it then returns still counts, unless the lease was lost. */
  stop(why: AttemptAborted["why"], detail?: string | null): void;
  /** Calls back once. Never throws. */
  run(done: (report: AttemptReport) => void): void;
}

export class Attempt implements RunningAttempt {
  readonly task: AssignedTask;
  readonly #definition: AnyTask;
  readonly #deps: AttemptDeps;
  #stopReason: AttemptAborted | null = null;
  /** Made when somebody asks for the signal. */
  #abort: AbortController | null = null;
  #logQuota: LogQuota | null = null;

  constructor(task: AssignedTask, definition: AnyTask, deps: AttemptDeps) {
    this.task = task;
    this.#definition = definition;
    this.#deps = deps;
  }

  /** The handler's signal fires; what it then returns still counts, unless the lease was lost. */
  stop(why: AttemptAborted["why"], detail?: string | null): void {
    this.#stopReason ??= new AttemptAborted(why, detail);
    this.#abort?.abort(this.#stopReason);
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#stopReason) this.#abort.abort(this.#stopReason);
    return this.#abort.signal;
  }

  /**
   * Calls back once: at once for a handler that returns at once, which costs neither a promise nor a timer; at the timeout without waiting
   * for a handler that ignores its signal. Never throws.
   */
  run(done: (report: AttemptReport) => void): void {
    const report = this.#start();
    if (!(report instanceof Promise)) {
      done(report);
      return;
    }
    let over = false;
    const end = (report: AttemptReport) => {
      if (over) return;
      over = true;
      cancelTimer();
      done(report);
    };
    const { timeoutMs } = this.task;
    const cancelTimer = this.#deps.clock.after(timeoutMs, () => {
      this.stop("timeout");
      end(this.#stopped() ?? failed("timeout", new Error(`timed out after ${timeoutMs} ms`), true));
    });
    void report.then(end);
  }

  #start(): AttemptReport | Promise<AttemptReport> {
    const { schema } = this.#definition;
    let payload: unknown;
    try {
      payload = this.task.payload === null ? null : JSON.parse(this.task.payload);
    } catch (error) {
      return failed("invalid_payload", error, false);
    }
    if (schema === undefined) return this.#handle(payload);
    return checkPayload(schema, payload).then(
      (checked) => this.#handle(checked),
      (error: unknown) => failed("invalid_payload", error, false),
    );
  }

  #handle(payload: unknown): AttemptReport | Promise<AttemptReport> {
    const broke = (error: unknown) => this.#stopped() ?? thrown(error);
    try {
      const value: unknown = this.#definition.run(payload, new HandlerContext(this));
      return isThenable(value) ? Promise.resolve(value).then(succeeded, broke) : succeeded(value);
    } catch (error) {
      return broke(error);
    }
  }

  /** What an attempt that was told to stop, and did not return a result, is reported as; null when nobody told it or its time was up. */
  #stopped(): AttemptReport | null {
    if (!this.#stopReason || this.#stopReason.why === "timeout") return null;
    return { kind: this.#stopReason.why === "cancelled" ? "cancelled" : "released" };
  }

  log(level: ReportedLogLine["level"], parts: unknown[]): void {
    this.#logQuota ??= createLogQuota();
    if (this.#logQuota.full()) return;
    const text = this.#logQuota.keep(clip(parts.map(logText).join(" "), limits.logLineBytes));
    if (text === null) return;
    const { id, token, attempt } = this.task;
    this.#deps.writeLog({ id, token, attempt, at: this.#deps.now(), level, message: text });
  }

  progress(fraction: number, message?: string): void {
    if (typeof fraction !== "number" || Number.isNaN(fraction)) throw new TypeError("progress is a number from 0 to 1");
    const { id, token } = this.task;
    const text = message === undefined ? null : clip(textOf(message), limits.progressMessageBytes) || null;
    this.#deps.reportProgress({ id, token, fraction: Math.min(1, Math.max(0, fraction)), message: text });
  }
}

/** Made for every attempt, so nothing in it is computed before a handler asks. */
class HandlerContext implements TaskContext {
  readonly #attempt: Attempt;
  #log: TaskLog | null = null;
  #parents: Record<string, unknown> | null = null;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  get taskId(): string {
    return formatId("task", this.#attempt.task.id);
  }

  get type(): string {
    return this.#attempt.task.type;
  }

  get queue(): string {
    return this.#attempt.task.queue;
  }

  get attempt(): number {
    return this.#attempt.task.attempt;
  }

  get idempotencyKey(): string {
    return this.taskId;
  }

  get fencingToken(): string {
    return String(this.#attempt.task.token);
  }

  get dueAt(): Date {
    return new Date(this.#attempt.task.dueAt);
  }

  get fireAt(): Date | null {
    const { fireAt } = this.#attempt.task;
    return fireAt === null ? null : new Date(fireAt);
  }

  get schedule(): string | null {
    return this.#attempt.task.schedule;
  }

  get parents(): Readonly<Record<string, unknown>> {
    this.#parents ??= JSON.parse(this.#attempt.task.parents ?? "{}") as Record<string, unknown>;
    return this.#parents;
  }

  get workflow(): TaskContext["workflow"] {
    const { workflow } = this.#attempt.task;
    return workflow ? { id: formatId("workflow", workflow.id), key: workflow.key } : null;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get log(): TaskLog {
    const attempt = this.#attempt;
    this.#log ??= {
      debug: (...parts) => attempt.log("debug", parts),
      info: (...parts) => attempt.log("info", parts),
      warn: (...parts) => attempt.log("warn", parts),
      error: (...parts) => attempt.log("error", parts),
    };
    return this.#log;
  }

  get progress(): TaskContext["progress"] {
    const attempt = this.#attempt;
    return (fraction, message) => attempt.progress(fraction, message);
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";

function succeeded(value: unknown): AttemptReport {
  let result: string | null;
  try {
    result = value === undefined ? null : (JSON.stringify(value) ?? null);
  } catch (error) {
    return failed("handler_error", error, false);
  }
  const problem = result === null ? null : resultProblem(result);
  return problem ? failed(problem.code, new Error(problem.message), false) : { kind: "succeeded", result };
}

/** Told apart by name, so that a second copy of this package in the process does no harm. */
function thrown(error: unknown): AttemptReport {
  const { name, message, delay } = (typeof error === "object" && error !== null ? error : {}) as Record<
    string,
    unknown
  >;
  switch (name) {
    case "Discard":
      return { kind: "discarded", reason: clip(textOf(message), limits.reasonBytes) };
    case "Fatal":
      return failed("handler_error", error, false);
    case "Snooze": {
      const delayMs = wait(delay);
      return delayMs === null ? failed("handler_error", error, true) : { kind: "snoozed", delayMs };
    }
    case "RetryAfter":
      return { ...failed("handler_error", error, true), retryAfterMs: wait(delay) };
    default:
      return failed("handler_error", error, true);
  }
}

function wait(duration: unknown): number | null {
  const ms = parseDuration(String(duration));
  return ms === null ? null : Math.min(ms, limits.delayMs[1]);
}

/** Errors of built-in types carry their own code (`http_status`, `exit_code` …), and with it whether and when to try again. */
export function failed(code: TaskErrorCode, caught: unknown, retryable: boolean): Failed {
  const error = caught instanceof Error ? caught : new Error(textOf(caught));
  const own = error as { taskErrorCode?: TaskErrorCode; retryable?: boolean; retryAfterMs?: number | null };
  const builtin = own.taskErrorCode !== undefined && taskErrorCodes.includes(own.taskErrorCode);
  return {
    kind: "failed",
    error: {
      code: builtin ? own.taskErrorCode! : code,
      name: clip(textOf(error.name), limits.reasonBytes),
      message: clip(textOf(error.message), limits.logLineBytes),
      stack: clip(stackOf(error), limits.errorStackBytes) || null,
    },
    retryable: builtin ? (own.retryable ?? retryable) : retryable,
    retryAfterMs: builtin ? (own.retryAfterMs ?? null) : null,
  };
}

/** With the causes: "fetch failed" alone says nothing. */
function stackOf(error: Error): string {
  const parts: string[] = [];
  for (let each: unknown = error; each !== undefined && each !== null && parts.length < 5; ) {
    parts.push(each instanceof Error ? textOf(each.stack ?? each.message) : textOf(each));
    each = each instanceof Error ? each.cause : undefined;
  }
  return parts.join("\ncaused by: ");
}
