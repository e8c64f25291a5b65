import { readFileSync } from "node:fs";
import { CarillonError, type CreateOptions, type TaskSummary } from "@carillon/client";
import type { Command } from "commander";
import { connect } from "../connect.ts";
import { printable, printRecord, printRows } from "../output.ts";

export function tasksCommand(program: Command): void {
  const tasks = program.command("tasks").description("Create, find and steer tasks");

  tasks
    .command("create <type> [payload]")
    .description("Create a task; the payload is JSON, @FILE, or - for standard input")
    .option("--delay <duration>", "due this long from now, e.g. 10m")
    .option("--due <instant>", "due at this instant, e.g. 2027-01-01T08:00:00Z")
    .option("--queue <name>")
    .option("--priority <n>", "1 urgent … 9 idle", Number)
    .option("--unique-key <key>", "at most one task that is not final per key")
    .option("--tag <tag...>")
    .option("--wait [timeout]", "wait until it is final and print its result")
    .action(async (type: string, payload: string | undefined, flags: CreateFlags, command: Command) => {
      const { carillon, json } = connect(command);
      const handle = await carillon.tasks.create(type, readPayload(payload), createOptions(flags));
      if (flags.wait === undefined) {
        printRecord(json ? await handle.get() : { id: handle.id, created: handle.created }, json);
        return;
      }
      console.error(`${handle.id} created, waiting`);
      const result = await handle.result(typeof flags.wait === "string" ? { timeout: flags.wait } : {});
      console.log(JSON.stringify(result));
    });

  tasks
    .command("ls")
    .description("List tasks, newest first")
    .option("--state <state...>")
    .option("--type <type>")
    .option("--queue <name>")
    .option("--schedule <name>")
    .option("--tag <tag>")
    .option("--q <text>", "part of type, payload or error")
    .option("--limit <n>", "how many at most", Number, 50)
    .action(async ({ limit, ...query }: { limit: number }, command: Command) => {
      const { carillon, json } = connect(command);
      const rows: TaskSummary[] = [];
      let pageToken: string | undefined;
      do {
        const page = await carillon.tasks.list({
          ...query,
          pageSize: Math.min(200, limit - rows.length),
          ...(pageToken === undefined ? {} : { pageToken }),
        });
        rows.push(...page.items);
        pageToken = page.nextPageToken ?? undefined;
      } while (pageToken !== undefined && rows.length < limit);
      printRows(
        rows,
        [
          { title: "ID", value: (task) => task.id },
          { title: "TYPE", value: (task) => task.type },
          { title: "QUEUE", value: (task) => task.queue },
          { title: "STATE", value: (task) => task.state },
          { title: "DUE", value: (task) => task.dueAt },
          { title: "LATE", value: (task) => (task.latenessMs === null ? null : `${task.latenessMs} ms`) },
          { title: "ATTEMPT", value: (task) => `${task.attempt}/${task.maxAttempts}` },
        ],
        json,
      );
    });

  tasks
    .command("get <id>")
    .description("Show a task")
    .action(async (id: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      printRecord(await carillon.tasks.get(id), json);
    });

  tasks
    .command("wait <id>")
    .description("Wait until a task is final; exit code 1 when it did not succeed")
    .option("--timeout <duration>", "give up waiting after this long (exit code 7)")
    .action(async (id: string, { timeout }: { timeout?: string }, command: Command) => {
      const { carillon } = connect(command);
      const { state, result, error } = await carillon.tasks.wait(id, timeout === undefined ? {} : { timeout });
      if (state === "succeeded") console.log(JSON.stringify(result));
      else {
        console.error(`${id} ${state}${error ? `: ${printable(error.message)}` : ""}`);
        process.exitCode = 1;
      }
    });

  tasks
    .command("logs <id>")
    .description("Print a task's log lines")
    .action(async (id: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      let pageToken: string | undefined;
      do {
        const page = await carillon.tasks.logs(id, pageToken === undefined ? {} : { pageToken });
        for (const line of page.items) {
          console.log(json ? JSON.stringify(line) : `${line.at} ${line.level.padEnd(5)} ${printable(line.message)}`);
        }
        pageToken = page.nextPageToken ?? undefined;
      } while (pageToken !== undefined);
    });

  tasks
    .command("cancel <id>")
    .description("Cancel a task; a running one is asked to stop")
    .option("--reason <text>")
    .action(async (id: string, { reason }: { reason?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const task = await carillon.tasks.cancel(id, reason === undefined ? {} : { reason });
      if (task.state !== "cancelled") console.error("asked to stop; it ends with its handler's outcome, or after 30 s");
      printRecord(json ? task : { id, state: task.state }, json);
    });

  for (const [name, verb, description] of [
    ["retry", "retry", "Run a failed, cancelled or skipped task again"],
    ["run-now", "runNow", "Make a scheduled or retrying task due now"],
  ] as const) {
    tasks
      .command(`${name} <id>`)
      .description(description)
      .action(async (id: string, _flags: object, command: Command) => {
        const { carillon, json } = connect(command);
        const task = await carillon.tasks[verb](id);
        printRecord(json ? task : { id, state: task.state, dueAt: task.dueAt }, json);
      });
  }

  tasks
    .command("set <id>")
    .description("Change a task that is not running")
    .option("--priority <n>", "1 urgent … 9 idle", Number)
    .option("--due <instant>")
    .option("--queue <name>")
    .option("--payload <json>", "JSON, @FILE, or -")
    .action(
      async (
        id: string,
        flags: { priority?: number; due?: string; queue?: string; payload?: string },
        command: Command,
      ) => {
        const { carillon, json } = connect(command);
        const task = await carillon.tasks.patch(id, {
          ...(flags.priority === undefined ? {} : { priority: flags.priority }),
          ...(flags.due === undefined ? {} : { dueAt: flags.due }),
          ...(flags.queue === undefined ? {} : { queue: flags.queue }),
          ...(flags.payload === undefined ? {} : { payload: readPayload(flags.payload) }),
        });
        printRecord(task, json);
      },
    );
}

interface CreateFlags {
  delay?: string;
  due?: string;
  queue?: string;
  priority?: number;
  uniqueKey?: string;
  tag?: string[];
  wait?: string | true;
}

function createOptions({ due, tag, wait: _wait, ...flags }: CreateFlags): CreateOptions {
  return { ...flags, ...(due === undefined ? {} : { dueAt: due }), ...(tag === undefined ? {} : { tags: tag }) };
}

/** JSON text, `@FILE`, or `-` for standard input. */
export function readPayload(argument: string | undefined): unknown {
  if (argument === undefined) return undefined;
  const text =
    argument === "-"
      ? readFileSync(0, "utf8")
      : argument.startsWith("@")
        ? readFileSync(argument.slice(1), "utf8")
        : argument;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CarillonError("invalid_request", {
      detail: `the payload is not JSON: ${(error as Error).message}`,
      cause: error,
    });
  }
}
