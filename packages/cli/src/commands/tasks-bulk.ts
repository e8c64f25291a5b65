/** What is said of many tasks, and done to them. */
import type { BulkAction, FailureGroup, TaskState } from "@carillon/client";
import { Argument, type Command } from "commander";
import { connect } from "../connect.ts";
import { FAILED } from "../exit.ts";
import { usageError } from "../input.ts";
import { list, wholeNumber } from "../options.ts";
import { type Column, printRecord, printRows, say } from "../output.ts";
import { operationEnd } from "./operations.ts";

export interface TaskFilterFlags {
  state?: TaskState[];
  type?: string;
  queue?: string;
  schedule?: string;
  workflow?: string;
  tag?: string;
  q?: string;
}

interface BulkFlags extends TaskFilterFlags {
  fingerprint?: string;
  priority?: number;
  reason?: string;
  all?: boolean;
  dryRun?: boolean;
  wait?: boolean;
}

const actions = ["cancel", "retry", "run-now", "set"];

export function addBulkCommands(tasks: Command): void {
  tasks
    .command("failures")
    .description("List what tasks fail of, the most frequent first, among the newest 10,000 that failed")
    .option("--type <type>", "of this type")
    .option("--queue <name>", "of this queue")
    .option("--schedule <name>", "made by this schedule")
    .option("--tag <tag>", "with this tag")
    .action(async (flags: Pick<TaskFilterFlags, "type" | "queue" | "schedule" | "tag">, command: Command) => {
      const { carillon, json } = connect(command);
      const { failures, read, complete } = await carillon.tasks.failures(flags);
      printRows(failures, failureColumns, json);
      if (!complete) say(`there are more; the newest ${read} failed tasks were looked at`);
    });

  withFilter(
    tasks
      .command("bulk")
      .addArgument(new Argument("<action>", "what is done to all tasks that match").choices(actions))
      .description("Cancel, retry or hurry all tasks that match, or set their priority; in the background"),
  )
    .option("--fingerprint <hex>", "that failed of this, as tasks failures names it")
    .option("--priority <n>", "with set: 1 urgent to 9 idle", wholeNumber(1, 9))
    .option("--reason <text>", "with cancel: kept with each task")
    .option("--all", "without any filter: every task")
    .option("--dry-run", "only count them")
    .option("--wait", "until it is done; exit code 1 when it was stopped or some could not be")
    .action(async (action: string, { priority, reason, dryRun, wait, all, ...filter }: BulkFlags, command: Command) => {
      const { carillon, json } = connect(command);
      if (Object.keys(filter).length === 0 && !all)
        throw usageError("which tasks? Without a filter it is about all of them: say --all");
      const chosen = bulkAction(action, priority);
      if (dryRun) {
        printRecord(await carillon.tasks.countForBulk(filter, chosen), json);
        return;
      }
      const begun = await carillon.tasks.bulk(filter, chosen, reason === undefined ? {} : { reason });
      const operation = wait ? await operationEnd(carillon, begun) : begun;
      printRecord(operation, json);
      if (wait && (operation.state !== "done" || operation.failed > 0)) process.exitCode = FAILED;
    });
}

function bulkAction(name: string, priority: number | undefined): BulkAction {
  if (name !== "set") {
    if (priority !== undefined) throw usageError("only set takes --priority");
    return name as "cancel" | "retry" | "run-now";
  }
  if (priority === undefined) throw usageError("set what? Give --priority N");
  return { priority };
}

export const withFilter = (command: Command): Command =>
  command
    .option(
      "--state <list>",
      "blocked, scheduled, queued, running, retrying, succeeded, failed, cancelled, skipped",
      list,
    )
    .option("--type <type>", "of this type")
    .option("--queue <name>", "of this queue")
    .option("--schedule <name>", "made by this schedule")
    .option("--workflow <id>", "of this workflow")
    .option("--tag <tag>", "with this tag")
    .option("--q <text>", "with this id, or this text in type, payload or error");

const failureColumns: Column<FailureGroup>[] = [
  { title: "FINGERPRINT", value: ({ fingerprint }) => fingerprint },
  { title: "COUNT", value: ({ count }) => String(count) },
  { title: "TYPE", value: ({ type }) => type },
  { title: "ERROR", value: ({ error }) => `${error.code}: ${error.message.split("\n", 1)[0]}` },
  { title: "LAST", value: ({ lastAt }) => lastAt },
  { title: "TASK", value: ({ tasks }) => tasks[0]! },
];
