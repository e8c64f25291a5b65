import type { Schedule, ScheduleOptions } from "@carillon/client";
import type { Command } from "commander";
import { connect } from "../connect.ts";
import { printRecord, printRows } from "../output.ts";
import { readPayload } from "./tasks.ts";

interface PutFlags {
  cron?: string;
  every?: string;
  tz?: string;
  type: string;
  payload?: string;
  queue?: string;
  priority?: number;
}

export function schedulesCommand(program: Command): void {
  const schedules = program.command("schedules").description("Create, find and steer schedules");

  schedules
    .command("put <name>")
    .description("Create a schedule or replace its definition")
    .option("--cron <expression>")
    .option("--every <duration>", "e.g. 5m")
    .option("--tz <zone>", "IANA time zone (default UTC)")
    .requiredOption("--type <type>", "type of the task that each fire creates")
    .option("--payload <json>", "JSON, @FILE, or -")
    .option("--queue <name>")
    .option("--priority <n>", "1 urgent … 9 idle", Number)
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
      let pageToken: string | undefined;
      do {
        const page = await carillon.schedules.list({
          pageSize: 200,
          ...(pageToken === undefined ? {} : { pageToken }),
        });
        rows.push(...page.items);
        pageToken = page.nextPageToken ?? undefined;
      } while (pageToken !== undefined);
      printRows(
        rows,
        [
          { title: "NAME", value: (schedule) => schedule.name },
          { title: "WHEN", value: (schedule) => schedule.words },
          { title: "ZONE", value: (schedule) => schedule.timeZone },
          { title: "TYPE", value: (schedule) => schedule.task.type },
          { title: "NEXT FIRE", value: (schedule) => (schedule.paused ? "paused" : schedule.nextFireAt) },
          { title: "LAST", value: (schedule) => schedule.lastTask?.state ?? null },
        ],
        json,
      );
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
    .description("Stop firing; fires meanwhile are recorded as skipped")
    .option("--reason <text>")
    .action(async (name: string, { reason }: { reason?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const { version, paused } = await carillon.schedules.pause(name, reason === undefined ? {} : { reason });
      printRecord({ name, paused, version }, json);
    });

  schedules
    .command("resume <name>")
    .description("Fire again from now on")
    .action(async (name: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      const { paused, nextFireAt } = await carillon.schedules.resume(name);
      printRecord({ name, paused, nextFireAt }, json);
    });

  schedules
    .command("trigger <name>")
    .description("Create its task now, beside its fires")
    .option("--payload <json>", "instead of the schedule's own")
    .action(async (name: string, { payload }: { payload?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const task = await carillon.schedules.trigger(
        name,
        payload === undefined ? {} : { payload: readPayload(payload) },
      );
      printRecord(json ? task : { id: task.id, state: task.state }, json);
    });

  schedules
    .command("fires <name>")
    .description("What became of its fires in the last 24 h, and the next ones")
    .option("--from <instant>")
    .option("--to <instant>")
    .action(async (name: string, query: { from?: string; to?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const page = await carillon.schedules.fires(name, { ...query, pageSize: 200 });
      printRows(
        page.items,
        [
          { title: "FIRE", value: (fire) => fire.local },
          { title: "OUTCOME", value: (fire) => fire.outcome },
          { title: "TASK", value: (fire) => (fire.task ? `${fire.task.id} ${fire.task.state}` : fire.reason) },
          { title: "LATE", value: (fire) => (fire.task?.latenessMs == null ? null : `${fire.task.latenessMs} ms`) },
        ],
        json,
      );
    });

  schedules
    .command("preview")
    .description("When a rule would fire, without creating anything")
    .option("--cron <expression>")
    .option("--every <duration>")
    .option("--tz <zone>")
    .option("--count <n>", "how many fires", Number, 10)
    .action(
      async ({ tz, ...rule }: { cron?: string; every?: string; tz?: string; count: number }, command: Command) => {
        const { carillon, json } = connect(command);
        const preview = await carillon.schedules.preview({ ...rule, ...(tz === undefined ? {} : { timeZone: tz }) });
        if (json) return printRecord(preview, true);
        console.log(preview.words);
        for (const fire of preview.fires) console.log(`  ${fire.local}`);
        for (const warning of preview.warnings) console.error(`warning: ${warning.message}`);
      },
    );

  schedules
    .command("rm <name>")
    .description("Delete a schedule; planned tasks that have not started are withdrawn")
    .action(async (name: string, _flags: object, command: Command) => {
      const { carillon } = connect(command);
      await carillon.schedules.delete(name);
      console.error(`${name} deleted`);
    });
}

function definition({ tz, type, payload, queue, priority, ...rule }: PutFlags): ScheduleOptions {
  return {
    ...rule,
    ...(tz === undefined ? {} : { timeZone: tz }),
    task: {
      type,
      ...(payload === undefined ? {} : { payload: readPayload(payload) }),
      ...(queue === undefined ? {} : { queue }),
      ...(priority === undefined ? {} : { priority }),
    },
  };
}
