import { isAbsolute } from "node:path";
import { CarillonError, Worker } from "@carillon/client";
import type { Command } from "commander";
import { commandTask } from "../command-task.ts";
import type { GlobalOptions } from "../connect.ts";
import { loadTasks } from "../load-tasks.ts";

interface WorkerFlags {
  concurrency: number;
  queues?: string[];
  labels?: string[];
  name?: string;
  drainTimeout: string;
  allowCommand?: string[];
}

export function workerCommand(program: Command): void {
  program
    .command("worker [files...]")
    .description("Run the tasks that these modules export")
    .option("--concurrency <n>", "tasks at once", Number, 10)
    .option("--queues <name...>", "instead of the queues of the tasks and `default`")
    .option("--labels <key=value...>")
    .option("--name <name>", "shown to people; default host name and process id")
    .option("--drain-timeout <duration>", "how long running tasks get at SIGTERM", "30s")
    .option("--allow-command <path...>", "executables that `command` tasks may run (absolute paths)")
    .action(async (files: string[], flags: WorkerFlags, command: Command) => {
      const { url, apiKey } = command.optsWithGlobals<GlobalOptions>();
      const tasks = await loadTasks(files);
      if (flags.allowCommand) tasks.push(commandTask(flags.allowCommand.map(absolute)));
      if (tasks.length === 0) {
        throw new CarillonError("invalid_request", {
          detail: "nothing to run: name a module with tasks, or --allow-command",
        });
      }
      const worker = new Worker({
        tasks,
        concurrency: flags.concurrency,
        drainTimeout: flags.drainTimeout,
        ...(url === undefined ? {} : { url }),
        ...(apiKey === undefined ? {} : { apiKey }),
        ...(flags.queues === undefined ? {} : { queues: flags.queues }),
        ...(flags.name === undefined ? {} : { name: flags.name }),
        ...(flags.labels === undefined ? {} : { labels: Object.fromEntries(flags.labels.map(label)) }),
      });
      console.error(`worker ${worker.name} runs ${tasks.map(({ type }) => type).join(", ")}`);
      await worker.run();
    });
}

function absolute(path: string): string {
  if (!isAbsolute(path))
    throw new CarillonError("invalid_request", { detail: `--allow-command ${path}: give the absolute path` });
  return path;
}

function label(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new CarillonError("invalid_request", { detail: `--labels ${text}: give key=value` });
  return [text.slice(0, at), text.slice(at + 1)];
}
