/** One attempt in a worker: runs the handler, aborts it in time, and turns what came of it into a report. */
import type { AttemptReport, Clock } from "@carillon/core";
import { parseDuration } from "@carillon/core/duration";
import { formatId } from "@carillon/core/id";
import { limits } from "@carillon/core/limits";
import { AttemptAborted } from "./errors.ts";
import type { AssignedTask, ReportedLogLine } from "./protocol.ts";
import { type AnyTask, checkPayload, type TaskContext } from "./task.ts";

type Level = ReportedLogLine["level"];

export interface AttemptDeps {
  clock: Clock;
  writeLog: (line: ReportedLogLine) => void;
}

export class Attempt {
  readonly task: AssignedTask;
  readonly #definition: AnyTask;
  readonly #deps: AttemptDeps;
  readonly #abort = new AbortController();
  #loggedBytes = 0;
  #logFull = false;

  constructor(task: AssignedTask, definition: AnyTask, deps: AttemptDeps) {
    this.task = task;
    this.#definition = definition;
    this.#deps = deps;
  }

  /** The handler's signal fires; what it then returns or throws still counts, unless the lease was lost. */
  stop(why: AttemptAborted["why"], detail?: string | null): void {
    this.#abort.abort(new AttemptAborted(why, detail));
  }

  /** Never rejects. At the timeout it reports without waiting for a handler that ignores its signal. */
  run(): Promise<AttemptReport> {
    return new Promise((resolve) => {
      const cancelTimer = this.#deps.clock.after(this.task.timeoutMs, () => {
        this.stop("timeout");
        resolve(failed("timeout", new Error(`timed out after ${this.task.timeoutMs} ms`), true));
      });
      this.#handle().then((report) => {
        cancelTimer();
        resolve(report);
      });
    });
  }

  async #handle(): Promise<AttemptReport> {
    let payload: unknown;
    try {
      payload = await checkPayload(
        this.#definition.schema,
        this.task.payload === null ? null : JSON.parse(this.task.payload),
      );
    } catch (error) {
      return failed("invalid_payload", error, false);
    }
    try {
      return succeeded(await this.#definition.run(payload, this.#context()));
    } catch (error) {
      return this.#thrown(error);
    }
  }

  #thrown(error: unknown): AttemptReport {
    const reason: unknown = this.#abort.signal.reason;
    if (reason instanceof AttemptAborted) {
      if (reason.why === "cancelled") return { kind: "cancelled" };
      if (reason.why === "shutdown" || reason.why === "lease_lost") return { kind: "released" };
    }
    const thrown = error as { name?: unknown; message?: unknown; delay?: unknown } | null;
    switch (thrown?.name) {
      case "Discard":
        return { kind: "discarded", reason: String(thrown.message).slice(0, limits.reasonBytes) };
      case "Fatal":
        return failed("handler_error", error, false);
      case "Snooze":
        return { kind: "snoozed", delayMs: parseDuration(String(thrown.delay)) ?? 0 };
      case "RetryAfter":
        return { ...failed("handler_error", error, true), retryAfterMs: parseDuration(String(thrown.delay)) };
      default:
        return failed("handler_error", error, true);
    }
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
        debug: (message) => this.#log("debug", message),
        info: (message) => this.#log("info", message),
        warn: (message) => this.#log("warn", message),
        error: (message) => this.#log("error", message),
      },
    };
  }

  #log(level: Level, message: string): void {
    if (this.#logFull) return;
    let text = clip(String(message), limits.logLineBytes);
    this.#loggedBytes += Buffer.byteLength(text);
    if (this.#loggedBytes > limits.taskLogBytes) {
      this.#logFull = true;
      text = "The log is full; what follows is left out.";
    }
    const { id, token, attempt } = this.task;
    this.#deps.writeLog({ id, token, attempt, at: this.#deps.clock.now(), level, message: text });
  }
}

function succeeded(value: unknown): AttemptReport {
  let result: string | null;
  try {
    result = value === undefined ? null : (JSON.stringify(value) ?? null);
  } catch (error) {
    return failed("handler_error", error, false);
  }
  if (result !== null && Buffer.byteLength(result) > limits.resultBytes) {
    return failed("result_too_large", new Error(`the result is larger than ${limits.resultBytes} bytes`), false);
  }
  return { kind: "succeeded", result };
}

type Failed = Extract<AttemptReport, { kind: "failed" }>;

/** Errors of built-in types carry their own `code` (`http_status`, `exit_code` …) and may say `retryable: false`. */
function failed(code: Failed["error"]["code"], caught: unknown, retryable: boolean): Failed {
  const error = caught instanceof Error ? caught : new Error(String(caught));
  const own = error as { taskErrorCode?: Failed["error"]["code"]; retryable?: boolean; retryAfterMs?: number };
  return {
    kind: "failed",
    error: {
      code: own.taskErrorCode ?? code,
      name: error.name,
      message: clip(error.message, limits.logLineBytes),
      stack: error.stack === undefined ? null : clip(error.stack, limits.errorStackBytes),
    },
    retryable: own.retryable ?? retryable,
    retryAfterMs: own.retryAfterMs ?? null,
  };
}

/** NUL cannot be stored, and a cut must not leave half a character. */
function clip(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text.replaceAll("\u0000", "\uFFFD"));
  return bytes.length <= maxBytes
    ? bytes.toString()
    : `${bytes
        .subarray(0, maxBytes - 4)
        .toString()
        .replace(/\uFFFD$/, "")}…`;
}
