import type { Fire, Schedule, ScheduleOptions, Spread } from "@carillon/client";
import { type CronDialect, cronDialects } from "@carillon/core/cron-fields";
import { type OverlapPolicy, overlapPolicies } from "@carillon/core/overlap";
import { type Command, Option } from "commander";
import { connect } from "../connect.ts";
import { readPayload } from "../input.ts";
import { collect, duration, labels, wholeNumber } from "../options.ts";
import { type Column, print, printRecord, printRows, say } from "../output.ts";
import { printPreview } from "../print-preview.ts";
import { operationEnd } from "./operations.ts";

interface RuleFlags {
  cron?: string;
  every?: string;
  afterEnd?: boolean;
  rrule?: string;
  dialect?: CronDialect;
  tz?: string;
  exclude?: string[];
  include?: string[];
  roll?: "none" | "next" | "previous";
}

interface PutFlags extends RuleFlags {
  type: string;
  payload?: string;
  queue?: string;
  priority?: number;
  startWithin?: string;
  finishWithin?: string;
  concurrencyKey?: string;
  fairKey?: string;
  requires?: Record<string, string>;
  overlap?: OverlapPolicy;
  pauseAfterFailures?: number;
}

export function schedulesCommand(program: Command): void {
  const schedules = program.command("schedules").description("Create, find and steer schedules");

  withRule(schedules.command("put <name>"))
    .description("Create a schedule or replace its definition")
    .requiredOption("--type <type>", "type of the task that each fire creates")
    .option("--payload <json>", "JSON, @FILE, or - for standard input")
    .option("--queue <name>", "where the tasks wait")
    .option("--priority <n>", "1 urgent to 9 idle", wholeNumber(1, 9))
    .option("--start-within <duration>", "skip a task that has not started so long after it was due", duration)
    .option("--finish-within <duration>", "fail a task that is not final so long after it was due", duration)
    .option("--concurrency-key <key>", "of its tasks; their queue may limit how many of one key run at once")
    .option("--fair-key <key>", "of its tasks; those of different keys take turns, however many of one key wait")
    .option("--requires <key=value,...>", "only workers with these labels run its tasks", labels)
    .addOption(
      new Option(
        "--overlap <policy>",
        "what happens to a fire while other tasks of the schedule are not final",
      ).choices(overlapPolicies),
    )
    .option("--pause-after-failures <n>", "pause it when so many tasks in a row have failed", wholeNumber(1, 1_000))
    .action(async (name: string, flags: PutFlags, command: Command) => {
      const { carillon, json } = connect(command);
      printRecord(await carillon.schedules.put(name, definition(flags)), json);
    });

  schedules
    .command("ls")
    .description("List schedules by name")
    .action(async (_flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      const rows: Schedule[] = [];
      let pageToken: string | null = null;
      do {
        const page = await carillon.schedules.list({ pageSize: 200, ...(pageToken === null ? {} : { pageToken }) });
        rows.push(...page.items);
        pageToken = page.nextPageToken;
      } while (pageToken !== null);
      printRows(rows, scheduleColumns, json);
    });

  schedules
    .command("get <name>")
    .description("Show a schedule")
    .action(async (name: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      printRecord(await carillon.schedules.get(name), json);
    });

  schedules
    .command("pause <name>")
    .description("Create no tasks until it is resumed, or until then; fires meanwhile are skipped")
    .option("--reason <text>", "kept with the schedule")
    .option("--until <instant>", "it ends by itself then")
    .action(async (name: string, flags: { reason?: string; until?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const schedule = await carillon.schedules.pause(name, flags);
      const { paused, pause } = schedule;
      printRecord(json ? schedule : { name, paused, reason: pause?.reason ?? null, until: pause?.until ?? null }, json);
    });

  schedules
    .command("resume <name>")
    .description("Create tasks again from now on")
    .action(async (name: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      const schedule = await carillon.schedules.resume(name);
      printRecord(json ? schedule : { name, paused: schedule.paused, nextFireAt: schedule.nextFireAt }, json);
    });

  schedules
    .command("trigger <name>")
    .description("Create its task now, beside its fires")
    .option("--payload <json>", "instead of the schedule's own: JSON, @FILE, or -")
    .action(async (name: string, { payload }: { payload?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const body = payload === undefined ? {} : { payload: readPayload(payload) };
      const task = await carillon.schedules.trigger(name, body);
      printRecord(json ? task : { id: task.id, state: task.state }, json);
    });

  schedules
    .command("backfill <name>")
    .description("Create the tasks of past fires that have none, in the background")
    .requiredOption("--from <instant>", "the first instant")
    .requiredOption("--to <instant>", "the end, itself not included; at most now")
    .option("--wait", "wait until it has ended")
    .action(
      async (name: string, { from, to, wait }: { from: string; to: string; wait?: boolean }, command: Command) => {
        const { carillon, json } = connect(command);
        const operation = await carillon.schedules.backfill(name, { from, to });
        if (wait) say(`${operation.id} began, waiting`);
        printRecord(wait ? await operationEnd(carillon, operation) : operation, json);
      },
    );

  schedules
    .command("stats <name>")
    .description("How it has done: what became of its fires, how late their tasks started and how long they ran")
    .option("--window <duration>", "until now, 1m to 366d; default 24h", duration)
    .action(async (name: string, flags: { window?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const stats = await carillon.schedules.stats(name, flags);
      if (json) return printRecord(stats, json);
      const { window, from, to, fires, outcomes, tasks, successRate, lateness, duration } = stats;
      const spread = ({ p50Ms, p99Ms, maxMs }: Spread) =>
        p50Ms === null ? null : `p50 ${p50Ms} ms, p99 ${p99Ms} ms, max ${maxMs} ms`;
      const record = {
        window,
        from,
        to,
        fires,
        outcomes: counts(outcomes),
        tasks: counts(tasks),
        successRate,
        lateness: spread(lateness),
        duration: spread(duration),
      };
      printRecord(record, json);
    });

  schedules
    .command("explain <name>")
    .description("Say why it fired as it did at an instant, or what will happen then")
    .option("--at <instant>", "its next fire if left out")
    .action(async (name: string, flags: { at?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const explanation = await carillon.schedules.explain(name, flags);
      if (json) printRecord(explanation, json);
      else print(explanation.summary);
    });

  schedules
    .command("fires <name>")
    .description("What became of its fires; without a range those of the last 24 h and the next 10")
    .option("--from <instant>", "the first instant")
    .option("--to <instant>", "the end, itself not included")
    .option("--limit <n>", "how many at most", wholeNumber(1, 100_000), 200)
    .action(
      async (name: string, { limit, ...range }: { from?: string; to?: string; limit: number }, command: Command) => {
        const { carillon, json } = connect(command);
        const rows: Fire[] = [];
        let pageToken: string | null = null;
        do {
          const page = await carillon.schedules.fires(name, {
            ...range,
            pageSize: Math.min(200, limit - rows.length),
            ...(pageToken === null ? {} : { pageToken }),
          });
          rows.push(...page.items);
          pageToken = page.nextPageToken;
        } while (pageToken !== null && rows.length < limit);
        printRows(rows, fireColumns, json);
      },
    );

  withRule(schedules.command("preview"))
    .description("When a rule would fire; creates nothing")
    .option("--name <name>", "of the schedule that it is for: what H is spread by")
    .option("--count <n>", "how many fires", wholeNumber(1, 1_000), 10)
    .action(async ({ count, name, ...flags }: RuleFlags & { count: number; name?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      printPreview(
        await carillon.schedules.preview({ ...rule(flags), ...(name === undefined ? {} : { name }), count }),
        json,
      );
    });

  schedules
    .command("rm <name>")
    .description("Delete a schedule; its tasks that have not started are withdrawn")
    .action(async (name: string, _flags: object, command: Command) => {
      await connect(command).carillon.schedules.delete(name);
      say(`${name} deleted`);
    });
}

function withRule(command: Command): Command {
  return command
    .option("--cron <expression>", 'such as "0 2 * * *"')
    .option("--every <duration>", "such as 5m")
    .option("--after-end", "count --every from the end of the task before")
    .option("--rrule <rule>", 'such as "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17" (RFC 5545)')
    .addOption(new Option("--dialect <name>", "how --cron is read").choices(cronDialects))
    .option("--tz <zone>", "IANA time zone (UTC)")
    .option("--exclude <calendar>", "skip what this calendar covers, several by repeating it", collect)
    .option("--include <calendar>", "skip what none of these covers, several by repeating it", collect)
    .addOption(
      new Option("--roll <direction>", "to which day goes what calendars take out, instead of being skipped").choices([
        "none",
        "next",
        "previous",
      ]),
    )
    .hook("preAction", (given) => {
      const { afterEnd, every } = given.opts<RuleFlags>();
      if (afterEnd && every === undefined) given.error("error: option '--after-end' goes with '--every <duration>'");
    });
}

function rule({ cron, every, afterEnd, rrule, dialect, tz, exclude, include, roll }: RuleFlags) {
  return {
    ...(cron === undefined ? {} : { cron }),
    ...(every === undefined ? {} : { every: afterEnd ? ({ interval: every, after: "end" } as const) : every }),
    ...(rrule === undefined ? {} : { rrule }),
    ...(dialect === undefined ? {} : { dialect }),
    ...(tz === undefined ? {} : { timeZone: tz }),
    ...(exclude === undefined ? {} : { excludes: exclude }),
    ...(include === undefined ? {} : { includes: include }),
    ...(roll === undefined ? {} : { roll }),
  };
}

function definition({
  type,
  payload,
  queue,
  priority,
  startWithin,
  finishWithin,
  concurrencyKey,
  fairKey,
  requires,
  overlap,
  pauseAfterFailures,
  ...flags
}: PutFlags): ScheduleOptions {
  return {
    ...rule(flags),
    ...(overlap === undefined ? {} : { overlap }),
    ...(pauseAfterFailures === undefined ? {} : { pauseAfterFailures }),
    task: {
      type,
      ...(payload === undefined ? {} : { payload: readPayload(payload) }),
      ...(queue === undefined ? {} : { queue }),
      ...(priority === undefined ? {} : { priority }),
      ...(startWithin === undefined ? {} : { startWithin }),
      ...(finishWithin === undefined ? {} : { finishWithin }),
      ...(concurrencyKey === undefined ? {} : { concurrencyKey }),
      ...(fairKey === undefined ? {} : { fairKey }),
      ...(requires === undefined ? {} : { requires }),
    },
  };
}

const scheduleColumns: Column<Schedule>[] = [
  { title: "NAME", value: ({ name }) => name },
  { title: "WHEN", value: ({ words }) => words },
  { title: "ZONE", value: ({ timeZone }) => timeZone },
  { title: "TYPE", value: ({ task }) => task.type },
  { title: "NEXT FIRE", value: ({ paused, nextFireAt }) => (paused ? "paused" : nextFireAt) },
  { title: "LAST", value: ({ lastTask }) => lastTask?.state ?? null },
];

const fireColumns: Column<Fire>[] = [
  { title: "FIRE", value: ({ local }) => local },
  { title: "OUTCOME", value: ({ outcome }) => outcome },
  {
    title: "TASK",
    value: ({ task, reason }) => [task && `${task.id} ${task.state}`, reason].filter(Boolean).join(" ") || null,
  },
  { title: "LATE", value: ({ task }) => (task?.latenessMs == null ? null : `${task.latenessMs} ms`) },
];

/** Those that are not 0; null: all are. */
function counts(of: Record<string, number>): string | null {
  const some = Object.entries(of).filter(([, count]) => count > 0);
  return some.length === 0 ? null : some.map(([name, count]) => `${count} ${name}`).join(", ");
}
