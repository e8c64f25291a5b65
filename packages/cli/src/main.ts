#!/usr/bin/env node
/** `carillon`: one command per file in `commands/`. Data goes to stdout, talk to stderr; exit codes are in `exit.ts`. */
import { version } from "@carillon/client";
import { Command } from "commander";
import { configCommand } from "./commands/config.ts";
import { cronCommand } from "./commands/cron.ts";
import { devCommand } from "./commands/dev.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { eventsCommand } from "./commands/events.ts";
import { importCommand } from "./commands/import.ts";
import { migrateCommand } from "./commands/migrate.ts";
import { schedulesCommand } from "./commands/schedules.ts";
import { serverCommand } from "./commands/server.ts";
import { tasksCommand } from "./commands/tasks.ts";
import { workerCommand } from "./commands/worker.ts";
import { exitWith, USAGE } from "./exit.ts";

const program = new Command("carillon")
  .description("A distributed task scheduler. Without a command: dev.")
  .version(version)
  .option(
    "--url <url>",
    "address of a node; several by repeating it (CARILLON_URL)",
    (url: string, urls: string[] = []) => [...urls, url],
  )
  .option("--api-key <key>", "API key (CARILLON_API_KEY)")
  .option("--json", "print data as JSON")
  .showSuggestionAfterError()
  .exitOverride();

const commands = [
  devCommand,
  serverCommand,
  workerCommand,
  migrateCommand,
  doctorCommand,
  tasksCommand,
  schedulesCommand,
  cronCommand,
  importCommand,
  eventsCommand,
  configCommand,
];
for (const add of commands) add(program);
for (const command of allCommands(program)) command.exitOverride();

program.parseAsync(withDefaultCommand(process.argv.slice(2)), { from: "user" }).catch((error: unknown) => {
  const code = (error as { code?: unknown }).code;
  if (typeof code === "string" && code.startsWith("commander.")) {
    process.exitCode = (error as { exitCode: number }).exitCode === 0 ? 0 : USAGE;
  } else {
    exitWith(error);
  }
});

/** `carillon` and `carillon --port 0` are `carillon dev …`. */
function withDefaultCommand(args: string[]): string[] {
  const [first] = args;
  if (first === undefined) return ["dev"];
  const global = ["--help", "-h", "--version", "-V", "--url", "--api-key", "--json"];
  return first.startsWith("-") && !global.includes(first.split("=")[0] as string) ? ["dev", ...args] : args;
}

function allCommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allCommands)];
}
