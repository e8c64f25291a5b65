/**
 * The whole command line: one command per file in `commands/`, and the options that all of them take. What starts a node, opens a
 * database or computes fires is imported by the action that needs it: the other commands answer a second sooner.
 */
import { version } from "@carillon/client";
import { Command } from "commander";
import { applyCommand } from "./commands/apply.ts";
import { configCommand } from "./commands/config.ts";
import { cronCommand } from "./commands/cron.ts";
import { devCommand } from "./commands/dev.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { eventsCommand } from "./commands/events.ts";
import { importCommand } from "./commands/import.ts";
import { migrateCommand } from "./commands/migrate.ts";
import { operationsCommand } from "./commands/operations.ts";
import { queuesCommand } from "./commands/queues.ts";
import { schedulesCommand } from "./commands/schedules.ts";
import { serverCommand } from "./commands/server.ts";
import { tasksCommand } from "./commands/tasks.ts";
import { workerCommand } from "./commands/worker.ts";
import { workersCommand } from "./commands/workers.ts";
import { workflowsCommand } from "./commands/workflows.ts";
import { exitCodes } from "./exit.ts";
import { address } from "./options.ts";
import { printable } from "./output.ts";

export function createProgram(): Command {
  const program = new Command("carillon")
    .description("A distributed task scheduler. Without a command: dev.")
    .version(version)
    .option("--url <url>", "address of a node, several by repeating it (CARILLON_URL, http://127.0.0.1:7070)", address)
    .option("--api-key <key>", "sent with each request (CARILLON_API_KEY)")
    .option("--json", "print data as JSON, a line for each object")
    .configureOutput({
      writeOut: (text) => process.stdout.write(text),
      writeErr: (text) => process.stderr.write(printable(text)),
    })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .addHelpText("after", () => `\nExit codes:\n${formatExitCodes()}`);
  for (const add of [
    devCommand,
    serverCommand,
    workerCommand,
    migrateCommand,
    doctorCommand,
    tasksCommand,
    workflowsCommand,
    schedulesCommand,
    queuesCommand,
    operationsCommand,
    workersCommand,
    cronCommand,
    importCommand,
    applyCommand,
    eventsCommand,
    configCommand,
  ]) {
    add(program);
  }
  return program;
}

/**
 * `carillon` and `carillon --port 0` are `carillon dev …`. Done here and not by a default command, which would take a mistyped
 * command for a file.
 */
export function withDefaultCommand(program: Command, args: string[]): string[] {
  const valued = program.options.filter((option) => option.required).map(({ long }) => long);
  let at = 0;
  while (at < args.length) {
    const argument = args[at] as string;
    const known = program.options.find(({ long }) => long === argument.split("=")[0]);
    if (!known || known.long === "--version") break;
    at += valued.includes(argument) ? 2 : 1;
  }
  const first = args[at];
  const isDev = first === undefined || (first.startsWith("-") && !["-h", "--help", "-V", "--version"].includes(first));
  return isDev ? [...args.slice(0, at), "dev", ...args.slice(at)] : args;
}

function formatExitCodes(): string {
  return Object.entries(exitCodes)
    .map(([code, meaning]) => `  ${code}  ${meaning}`)
    .join("\n");
}
