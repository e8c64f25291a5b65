/** One attempt in a worker: runs the handler, aborts it in time, and turns what came of it into a report. */
import type { AttemptReport, Clock } from "@carillon/core";
import { parseDuration } from "@carillon/core/duration";
import { formatId } from "@carillon/core/id";
import { limits } from "@carillon/core/limits";
import { createLogQuota } from "@carillon/core/log-quota";
import { type TaskErrorCode, taskErrorCodes } from "@carillon/core/outcome";
import { AttemptAborted } from "./errors.ts";
import type { AssignedTask, ReportedLogLine } from "./protocol.ts";
import { resultProblem } from "./result.ts";
import { type AnyTask, checkPayload, type TaskContext } from "./task.ts";
import { clip, logText, textOf } from "./text.ts";

type Failed = Extract<AttemptReport, { kind: "failed" }>;

export interface AttemptDeps {
  clock: Clock;
  /** The nodes' time in epoch milliseconds, for log lines. */
  now: () => number;
  writeLog: (line: ReportedLogLine) => void;
}

export class Attempt {
  readonly task: AssignedTask;
  readonly #definition: AnyTask;
  readonly #deps: AttemptDeps;
  readonly #abort = new AbortController();
  readonly #logQuota = createLogQuota();

  constructor(task: AssignedTask, definition: AnyTask, deps: AttemptDeps) {
    this.task = task;
    this.#definition = definition;
    this.#deps = deps;
  }

  /** The handler's signal fires; what it then returns still counts, unless the lease was lost. */
  stop(why: AttemptAborted["why"], detail?: string | null): void {
    this.#abort.abort(new AttemptAborted(why, detail));
  }

  /** Never rejects. At the timeout it reports without waiting for a handler that ignores its signal. */
  run(): Promise<AttemptReport> {
    return new Promise((resolve) => {
      const { timeoutMs } = this.task;
      const cancelTimer = this.#deps.clock.after(timeoutMs, () => {
        this.stop("timeout");
        resolve(this.#stopped() ?? failed("timeout", new Error(`timed out after ${timeoutMs} ms`), true));
      });
      void this.#handle().then((report) => {
        cancelTimer();
        resolve(report);
      });
    });
  }

  async #handle(): Promise<AttemptReport> {
    let payload: unknown;
    try {
      const parsed: unknown = this.task.payload === null ? null : JSON.parse(this.task.payload);
      payload = await checkPayload(this.#definition.schema, parsed);
    } catch (error) {
      return failed("invalid_payload", error, false);
    }
    try {
      return succeeded(await this.#definition.run(payload, this.#context()));
    } catch (error) {
      return this.#stopped() ?? thrown(error);
    }
  }

  /** What an attempt that was told to stop, and did not return a result, is reported as; null when nobody told it or its time was up. */
  #stopped(): AttemptReport | null {
    const { reason } = this.#abort.signal as { reason: unknown };
    if (!(reason instanceof AttemptAborted) || reason.why === "timeout") return null;
    return { kind: reason.why === "cancelled" ? "cancelled" : "released" };
  }

  #context(): TaskContext {
    const { task } = this;
    const taskId = formatId("task", task.id);
    return {
      taskId,
      type: task.type,
      queue: task.queue,
      attempt: task.attempt,
      idempotencyKey: taskId,
      fencingToken: String(task.token),
      dueAt: new Date(task.dueAt),
      fireAt: task.fireAt === null ? null : new Date(task.fireAt),
      schedule: task.schedule,
      signal: this.#abort.signal,
      log: {
        debug: (...parts) => this.#log("debug", parts),
        info: (...parts) => this.#log("info", parts),
        warn: (...parts) => this.#log("warn", parts),
        error: (...parts) => this.#log("error", parts),
      },
    };
  }

  #log(level: ReportedLogLine["level"], parts: unknown[]): void {
    if (this.#logQuota.full()) return;
    const text = this.#logQuota.keep(clip(parts.map(logText).join(" "), limits.logLineBytes));
    if (text === null) return;
    const { id, token, attempt } = this.task;
    this.#deps.writeLog({ id, token, attempt, at: this.#deps.now(), level, message: text });
  }
}

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
function failed(code: TaskErrorCode, caught: unknown, retryable: boolean): Failed {
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
