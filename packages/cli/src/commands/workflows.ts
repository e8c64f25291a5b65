import type { Workflow, WorkflowOptions, WorkflowSummary, WorkflowTask, WorkflowTaskOptions } from "@carillon/client";
import type { Command } from "commander";
import { connect } from "../connect.ts";
import { FAILED } from "../exit.ts";
import { readPayload, usageError } from "../input.ts";
import { collect, duration, wholeNumber } from "../options.ts";
import { type Column, printJson, printRecord, printRows, say } from "../output.ts";

const MOST_ROWS = 10_000;

interface CreateFlags {
  wait?: boolean;
  waitTimeout?: string;
}

export function workflowsCommand(program: Command): void {
  const workflows = program.command("workflows").description("Tasks that come after one another, submitted together");

  workflows
    .command("create <workflow>")
    .description(
      "Create a workflow; it is JSON, @FILE, or - for standard input: {name, tasks: [{key, type, after?, …}]}",
    )
    .option("--wait", "wait until all of its tasks are final; exit code 1 when it did not succeed")
    .option("--wait-timeout <duration>", "wait no longer than this (exit code 7)", duration)
    .action(async (text: string, { wait, waitTimeout }: CreateFlags, command: Command) => {
      const { carillon, json } = connect(command);
      const options = readWorkflow(text);
      const created = await carillon.workflows.create(options);
      if (!wait && waitTimeout === undefined) {
        printRecord(created, json);
        return;
      }
      say(`${created.id} created, waiting`);
      const timeout = waitTimeout === undefined ? {} : { timeout: waitTimeout };
      const ended = await carillon.workflows.wait(created.id, timeout);
      printGraph(ended, json);
      if (ended.state !== "succeeded") process.exitCode = FAILED;
    });

  workflows
    .command("add <id> <tasks>")
    .description(
      "Add tasks to a workflow that runs; they are JSON, @FILE, or - for standard input: [{key, type, after?, …}]. Keys that it has are left out",
    )
    .option("--parent <key>", "what comes after this task, and still waits for it, waits for these too")
    .action(async (id: string, text: string, flags: { parent?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      printRecord(await carillon.workflows.add(id, { ...flags, tasks: readTasks(text) }), json);
    });

  workflows
    .command("ls")
    .description("List workflows, newest first")
    .option("--limit <n>", "how many at most", wholeNumber(1, MOST_ROWS), 50)
    .action(async ({ limit }: { limit: number }, command: Command) => {
      const { carillon, json } = connect(command);
      const rows: WorkflowSummary[] = [];
      for await (const workflow of carillon.workflows.listAll({ pageSize: Math.min(200, limit) })) {
        rows.push(workflow);
        if (rows.length === limit) break;
      }
      printRows(rows, columns, json);
    });

  workflows
    .command("get <id>")
    .description("Show the tasks of a workflow, in the order in which they were submitted")
    .action(async (id: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      printGraph(await carillon.workflows.get(id), json);
    });

  workflows
    .command("cancel <id>")
    .description("Cancel the tasks of a workflow; those that run are asked to stop")
    .option("--reason <text>", "kept with them")
    .action(async (id: string, flags: { reason?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const workflow = await carillon.workflows.cancel(id, flags);
      printRecord(json ? workflow : { id, state: workflow.state }, json);
    });

  workflows
    .command("retry <id>")
    .description("Run what failed, was cancelled or was skipped again")
    .option("--from <key>", "only this task and what comes after it, several by repeating it", collect)
    .action(async (id: string, flags: { from?: string[] }, command: Command) => {
      const { carillon, json } = connect(command);
      const workflow = await carillon.workflows.retry(id, flags);
      printRecord(json ? workflow : { id, state: workflow.state }, json);
    });
}

function readWorkflow(text: string): WorkflowOptions {
  const options = readPayload(text);
  if (typeof options !== "object" || options === null || !Array.isArray((options as { tasks?: unknown }).tasks))
    throw usageError(
      'this is no workflow such as {"name": "order", "tasks": [{"key": "charge", "type": "charge-card"}]}',
    );
  return options as WorkflowOptions;
}

/** A list, or an object with one, as for `create`. */
function readTasks(text: string): WorkflowTaskOptions[] {
  const given = readPayload(text);
  const tasks = Array.isArray(given) ? given : (given as { tasks?: unknown } | null)?.tasks;
  if (!Array.isArray(tasks)) throw usageError('these are no tasks such as [{"key": "page-1", "type": "convert"}]');
  return tasks as WorkflowTaskOptions[];
}

function printGraph(workflow: Workflow, json: boolean): void {
  if (json) {
    printJson(workflow);
    return;
  }
  const { id, name, state, counts } = workflow;
  say(`${id} ${name}: ${state}, ${counts.total - counts.open} of ${counts.total} ended`);
  printRows(workflow.tasks, taskColumns, false);
}

const columns: Column<WorkflowSummary>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "NAME", value: ({ name }) => name },
  { title: "STATE", value: ({ state }) => state },
  { title: "ENDED", value: ({ counts }) => `${counts.total - counts.open}/${counts.total}` },
  { title: "FAILED", value: ({ counts }) => counts.failed },
  { title: "CREATED", value: ({ createdAt }) => createdAt },
];

const taskColumns: Column<WorkflowTask>[] = [
  { title: "KEY", value: ({ key }) => key },
  { title: "ID", value: ({ id }) => id },
  { title: "TYPE", value: ({ type }) => type },
  { title: "STATE", value: ({ state }) => state ?? "forgotten" },
  { title: "AFTER", value: ({ after }) => (after.length === 0 ? null : after.join(",")) },
  { title: "WHEN", value: ({ when }) => when },
  { title: "ERROR", value: ({ error, reason }) => error?.message ?? reason },
];
