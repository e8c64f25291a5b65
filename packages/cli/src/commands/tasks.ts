import type { AfterCondition, Carillon, CreateOptions, LogLine, LogQuery, Task, TaskSummary } from "@carillon/client";
import { type Command, Option } from "commander";
import { connect } from "../connect.ts";
import { FAILED } from "../exit.ts";
import { readPayload } from "../input.ts";
import { collect, duration, labels, list, wholeNumber } from "../options.ts";
import { type Column, print, printJson, printRecord, printRows, say } from "../output.ts";
import { addBroadcastCommand } from "./tasks-broadcast.ts";
import { addBulkCommands, type TaskFilterFlags, withFilter } from "./tasks-bulk.ts";

const MOST_ROWS = 100_000;

export function tasksCommand(program: Command): void {
  const tasks = program.command("tasks").description("Create, find and steer tasks");

  tasks
    .command("create <type> [payload]")
    .description("Create a task; the payload is JSON, @FILE, or - for standard input")
    .option("--delay <duration>", "due so long from now, such as 10m")
    .option("--due <instant>", "due then, such as 2027-01-01T08:00:00Z or 2027-01-01T08:00[Europe/Paris]")
    .option("--queue <name>", "where it waits")
    .option("--priority <n>", "1 urgent to 9 idle", wholeNumber(1, 9))
    .option("--start-within <duration>", "skip it unless it has started so long after it was due", duration)
    .option("--finish-within <duration>", "fail it unless it is final so long after it was due", duration)
    .option("--unique-key <key>", "at most one task that is not final has this key")
    .addOption(
      new Option(
        "--unique-policy <policy>",
        "what happens when a task has the key: it stays, takes this payload and time, or this one is refused",
      ).choices(["keep", "replace", "reject"]),
    )
    .option("--unique-for <duration>", "the key stays taken for so long, also when its task is final before", duration)
    .option("--concurrency-key <key>", "its queue may limit how many tasks of one key run at once")
    .option("--fair-key <key>", "tasks of different keys take turns, however many of one key wait")
    .option("--tag <tag>", "for people to find it by, several by repeating it", collect)
    .option("--requires <key=value,...>", "only a worker with these labels runs it", labels)
    .option("--after <id>", "this task comes first, several by repeating it", collect)
    .addOption(
      new Option("--when <condition>", "with --after: which ends it waits for (all)").choices([
        "all",
        "any",
        "all-done",
        "on-failure",
      ]),
    )
    .option("--wait", "wait until it is final and print its result; exit code 1 when it did not succeed")
    .option("--wait-timeout <duration>", "wait no longer than this (exit code 7)", duration)
    .action(async (type: string, payload: string | undefined, flags: CreateFlags, command: Command) => {
      const { carillon, json } = connect(command);
      const handle = await carillon.tasks.create(type, readPayload(payload), createOptions(flags));
      if (!flags.wait && flags.waitTimeout === undefined) {
        printRecord(json ? await handle.get() : { id: handle.id, created: handle.created }, json);
        return;
      }
      say(`${handle.id} ${handle.created ? "created" : "was there already"}, waiting`);
      const timeout = flags.waitTimeout === undefined ? {} : { timeout: flags.waitTimeout };
      printEnd(await carillon.tasks.wait(handle.id, timeout), json);
    });

  withFilter(tasks.command("ls").description("List tasks, newest first"))
    .option("--limit <n>", "how many at most", wholeNumber(1, MOST_ROWS), 50)
    .action(async ({ limit, ...query }: TaskFilterFlags & { limit: number }, command: Command) => {
      const { carillon, json } = connect(command);
      const rows: TaskSummary[] = [];
      let pageToken: string | null = null;
      do {
        const page = await carillon.tasks.list({
          ...query,
          pageSize: Math.min(200, limit - rows.length),
          ...(pageToken === null ? {} : { pageToken }),
        });
        rows.push(...page.items);
        pageToken = page.nextPageToken;
      } while (pageToken !== null && rows.length < limit);
      printRows(rows, taskColumns, json);
    });

  tasks
    .command("get <id>")
    .description("Show a task")
    .action(async (id: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      printRecord(await carillon.tasks.get(id), json);
    });

  tasks
    .command("explain <id>")
    .description("Say why a task does not run, or what became of it")
    .action(async (id: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      const explanation = await carillon.tasks.explain(id);
      if (json) printRecord(explanation, json);
      else print(explanation.summary);
    });

  tasks
    .command("wait <id>")
    .description("Wait until a task is final and print its result; exit code 1 when it did not succeed")
    .option("--timeout <duration>", "wait no longer than this (exit code 7)", duration)
    .action(async (id: string, flags: { timeout?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      printEnd(await carillon.tasks.wait(id, flags), json);
    });

  tasks
    .command("logs <id>")
    .description("Print a task's log lines")
    .addOption(levelOption())
    .option("--q <text>", "only lines with this text")
    .option("--follow", "and those that come, until the task is final")
    .action(async (id: string, { follow, ...query }: LogQuery & { follow?: boolean }, command: Command) => {
      const { carillon, json } = connect(command);
      for await (const line of follow ? carillon.tasks.followLogs(id, query) : allLogs(carillon.tasks, id, query)) {
        if (json) printJson(line);
        else print(logText(line));
      }
    });

  tasks
    .command("search-logs [text]")
    .description("Print log lines of many tasks, those of the newest tasks first, of each the first 20")
    .addOption(levelOption())
    .option("--state <list>", "of tasks in these states", list)
    .option("--type <type>", "of tasks of this type")
    .option("--queue <name>", "of tasks of this queue")
    .option("--schedule <name>", "of tasks made by this schedule")
    .option("--tag <tag>", "of tasks with this tag")
    .option("--limit <n>", "how many lines at most", wholeNumber(1, MOST_ROWS), 100)
    .action(async (text: string | undefined, { limit, ...query }: LogSearchFlags, command: Command) => {
      const { carillon, json } = connect(command);
      let left = limit;
      for await (const line of carillon.tasks.searchAllLogs(text === undefined ? query : { ...query, q: text })) {
        if (json) printJson(line);
        else print(`${line.task.id}  ${logText(line)}`);
        if (--left === 0) break;
      }
    });

  tasks
    .command("cancel <id>")
    .description("Cancel a task; a running one is asked to stop")
    .option("--reason <text>", "kept with the task")
    .action(async (id: string, flags: { reason?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const task = await carillon.tasks.cancel(id, flags);
      if (task.state !== "cancelled") say("asked to stop; it ends with its handler's outcome, or after 30 s");
      printRecord(json ? task : { id, state: task.state }, json);
    });

  tasks
    .command("retry <id>")
    .description("Run a failed, cancelled or skipped task again")
    .action(async (id: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      const task = await carillon.tasks.retry(id);
      printRecord(json ? task : { id, state: task.state }, json);
    });

  tasks
    .command("replay <id>")
    .description("Do again what a task did, as a new task, in whatever state that one is")
    .option("--payload <json>", "another payload: JSON, @FILE, or - for standard input")
    .option("--delay <duration>", "due so long from now (default: now)")
    .option("--due <instant>", "due then")
    .option("--queue <name>", "where it waits (default: as before)")
    .option("--priority <n>", "1 urgent to 9 idle (default: as before)", wholeNumber(1, 9))
    .action(async (id: string, { due, payload, ...flags }: SetFlags & { delay?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const task = await carillon.tasks.replay(id, {
        ...flags,
        ...(due === undefined ? {} : { dueAt: due }),
        ...(payload === undefined ? {} : { payload: readPayload(payload) }),
      });
      printRecord(json ? task : { id: task.id, state: task.state, replayOf: task.replayOf }, json);
    });

  tasks
    .command("run-now <id>")
    .description("Make a scheduled or retrying task due now")
    .action(async (id: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      const task = await carillon.tasks.runNow(id);
      printRecord(json ? task : { id, state: task.state }, json);
    });

  tasks
    .command("set <id>")
    .description("Change a task that is not running")
    .option("--priority <n>", "1 urgent to 9 idle", wholeNumber(1, 9))
    .option("--due <instant>", "due then")
    .option("--queue <name>", "where it waits")
    .option("--payload <json>", "JSON, @FILE, or - for standard input")
    .action(async (id: string, { due, payload, ...flags }: SetFlags, command: Command) => {
      const { carillon, json } = connect(command);
      const task = await carillon.tasks.patch(id, {
        ...flags,
        ...(due === undefined ? {} : { dueAt: due }),
        ...(payload === undefined ? {} : { payload: readPayload(payload) }),
      });
      printRecord(task, json);
    });

  addBroadcastCommand(tasks);
  addBulkCommands(tasks);
}

interface LogSearchFlags extends LogQuery, Omit<TaskFilterFlags, "q"> {
  limit: number;
}

const levelOption = () =>
  new Option("--level <level>", "only this level and those above it").choices(["debug", "info", "warn", "error"]);

const logText = ({ at, level, message }: LogLine): string =>
  `${at}  ${level.padEnd(5)}  ${message.replaceAll("\n", "\n    ")}`;

async function* allLogs(tasks: Carillon["tasks"], id: string, query: LogQuery): AsyncGenerator<LogLine> {
  let pageToken: string | null = null;
  do {
    const page = await tasks.logs(id, pageToken === null ? query : { ...query, pageToken });
    yield* page.items;
    pageToken = page.nextPageToken;
  } while (pageToken !== null);
}

interface CreateFlags {
  delay?: string;
  due?: string;
  queue?: string;
  priority?: number;
  startWithin?: string;
  finishWithin?: string;
  uniqueKey?: string;
  uniquePolicy?: "keep" | "replace" | "reject";
  uniqueFor?: string;
  concurrencyKey?: string;
  fairKey?: string;
  tag?: string[];
  requires?: Record<string, string>;
  after?: string[];
  when?: AfterCondition;
  wait?: boolean;
  waitTimeout?: string;
}

interface SetFlags {
  priority?: number;
  due?: string;
  queue?: string;
  payload?: string;
}

const taskColumns: Column<TaskSummary>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "TYPE", value: ({ type }) => type },
  { title: "QUEUE", value: ({ queue }) => queue },
  { title: "STATE", value: ({ state }) => state },
  { title: "DUE", value: ({ dueAt }) => dueAt },
  { title: "LATE", value: ({ latenessMs }) => (latenessMs === null ? null : `${latenessMs} ms`) },
  { title: "ATTEMPT", value: ({ attempt, maxAttempts }) => `${attempt}/${maxAttempts}` },
];

function createOptions({ due, tag, wait: _wait, waitTimeout: _timeout, ...flags }: CreateFlags): CreateOptions {
  return { ...flags, ...(due === undefined ? {} : { dueAt: due }), ...(tag === undefined ? {} : { tags: tag }) };
}

/** The result of a task that succeeded; why, for one that did not. With `--json` the task either way. */
function printEnd(task: Task, json: boolean): void {
  const { id, state, result, error, reason } = task;
  if (json) printJson(task);
  else if (state === "succeeded") printJson(result);
  if (state === "succeeded") return;
  const why = error?.message ?? reason;
  say(`${id} ${state}${why ? `: ${why}` : ""}`);
  process.exitCode = FAILED;
}
