/** What a handler's thread runs (`threads.ts`): the module that exports the definition, and one attempt at a time. */
import { parentPort, workerData } from "node:worker_threads";
import type { AttemptReport } from "@carillon/core";
import { Attempt, failed } from "./attempt.ts";
import { processClock } from "./process-clock.ts";
import type { AnyTask } from "./task.ts";
import type { FromThread, ToThread } from "./threads.ts";

type Stop = Extract<ToThread, { kind: "stop" }>;

const { module } = workerData as { module: string };
const port = parentPort!;
const clock = processClock();
const post = (message: FromThread) => port.postMessage(message);
let current: Attempt | null = null;
/** A stop that came while the module was being loaded. */
let early: Stop | null = null;

port.on("message", (message: ToThread) => {
  if (message.kind === "run") void run(message);
  else if (current) current.stop(message.why, message.detail);
  else early = message;
});

async function run({ task, offsetMs }: Extract<ToThread, { kind: "run" }>): Promise<void> {
  const ended = (report: AttemptReport) => {
    current = null;
    post({ kind: "ended", report });
  };
  early = null;
  let definition: AnyTask;
  try {
    definition = await definitionOf(task.type);
  } catch (error) {
    return ended(failed("handler_error", error, true));
  }
  current = new Attempt(task, definition, {
    clock,
    now: () => clock.now() + offsetMs,
    writeLog: (line) => post({ kind: "log", line }),
    reportProgress: (report) => post({ kind: "progress", report }),
  });
  const stopped = early as Stop | null;
  if (stopped) current.stop(stopped.why, stopped.detail);
  current.run(ended);
}

/** Among the module's exports. */
async function definitionOf(type: string): Promise<AnyTask> {
  const exported: unknown[] = Object.values((await import(module)) as object);
  const found = exported.find((value) => isDefinition(value) && value.type === type);
  if (!isDefinition(found)) throw new Error(`${module} exports no task of type "${type}"`);
  return found;
}

function isDefinition(value: unknown): value is AnyTask {
  if (typeof value !== "object" || value === null) return false;
  const { type, run } = value as Partial<AnyTask>;
  return typeof type === "string" && typeof run === "function";
}
