import { isAbsolute } from "node:path";
import { Worker } from "@carillon/client";
import type { Command } from "commander";
import { commandTask, isVariableName } from "../command-task.ts";
import { target } from "../connect.ts";
import { usageError } from "../input.ts";
import { loadTasks } from "../load-tasks.ts";
import { duration, labels, list, name, wholeNumber } from "../options.ts";
import { say } from "../output.ts";

interface WorkerFlags {
  concurrency: number;
  queues?: string[];
  labels?: Record<string, string>;
  name?: string;
  drainTimeout: string;
  allowCommand?: string[];
  allowEnv?: string[];
}

/** So long a node may take to answer before we say that none does. */
const SILENCE_MS = 3_000;

export function workerCommand(program: Command): void {
  program
    .command("worker [files...]")
    .description("Run the tasks that these modules export")
    .option("--concurrency <n>", "tasks at once", wholeNumber(1, 10_000), 10)
    .option("--queues <list>", "instead of the queues of the tasks and `default`", list)
    .option("--labels <key=value,...>", "what is special about this worker, for tasks that require it", labels)
    .option("--name <name>", "shown to people (host name and process id)", name)
    .option("--drain-timeout <duration>", "how long running tasks get at SIGTERM", duration, "30s")
    .option("--allow-command <path...>", "executables that tasks of the type `command` may run")
    .option("--allow-env <name...>", "variables that these tasks may set; for a shell they may set any")
    .action(async (files: string[], flags: WorkerFlags, command: Command) => {
      const tasks = await loadTasks(files);
      const { allowCommand, allowEnv = [] } = flags;
      if (allowCommand) tasks.push(commandTask(allowCommand.map(absolute), { allowEnv: allowEnv.map(variable) }));
      if (tasks.length === 0) throw usageError("nothing to run: name a module with tasks, or --allow-command");
      const worker = new Worker({
        ...target(command),
        tasks,
        concurrency: flags.concurrency,
        drainTimeout: flags.drainTimeout,
        ...(flags.queues === undefined ? {} : { queues: flags.queues }),
        ...(flags.name === undefined ? {} : { name: flags.name }),
        ...(flags.labels === undefined ? {} : { labels: flags.labels }),
      });
      say(`worker ${worker.name} runs ${tasks.map(({ type }) => type).join(", ")}`);
      const running = worker.run();
      sayWhenConnected(worker);
      await running;
    });
}

function sayWhenConnected(worker: Worker): void {
  const silence = setTimeout(() => say("no node answers yet; trying on"), SILENCE_MS);
  worker
    .connected()
    .then(
      () => say("connected"),
      () => say("stopped before a node answered"),
    )
    .finally(() => clearTimeout(silence));
}

function absolute(path: string): string {
  if (isAbsolute(path)) return path;
  throw usageError(
    `--allow-command ${path}: give the absolute path of an executable; modules stand before the options`,
  );
}

function variable(text: string): string {
  if (isVariableName(text)) return text;
  throw usageError(`--allow-env ${text}: give the name of a variable; modules stand before the options`);
}
