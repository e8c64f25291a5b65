import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { CarillonError, parseCrontab } from "@carillon/core";
import type { Command } from "commander";
import { connect } from "../connect.ts";
import { describeEntry, scheduleOf } from "../crontab-import.ts";

export function importCommand(program: Command): void {
  program
    .command("import")
    .description("Bring schedules from elsewhere")
    .command("crontab <file>")
    .description("Read a crontab (- for standard input) and create a schedule of `command` tasks for each entry")
    .option("--dry-run", "only print what would be created, in plain words, with the next fires")
    .option("--system", "entries name a user (default: found out from the text)")
    .option("--user", "entries name no user")
    .option("--name <prefix>", "prefix of the schedules' names (default: the file's name)")
    .option("--tz <zone>", "time zone of entries without CRON_TZ (default: this machine's)")
    .option("--queue <name>", "queue of the tasks")
    .action(async (file: string, flags: ImportFlags, command: Command) => {
      const text = readFileSync(file === "-" ? 0 : file, "utf8");
      if (text.includes("\0")) throw new CarillonError("invalid_request", { detail: `${file} is not a text file` });
      const format = flags.system ? "system" : flags.user ? "user" : undefined;
      const { entries } = parseCrontab(text, format === undefined ? {} : { format });
      const source = {
        prefix: flags.name ?? nameOf(file),
        timeZone: flags.tz ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
        queue: flags.queue ?? null,
      };
      const { carillon, json } = connect(command);
      const shells = new Set<string>();
      let understood = 0;
      for (const entry of entries) {
        const schedule = scheduleOf(entry, source);
        if (json) console.log(JSON.stringify({ line: entry.line, problem: entry.problem, ...schedule }));
        else for (const line of describeEntry(entry, schedule, Date.now())) console.log(line);
        if (!schedule) continue;
        understood++;
        shells.add(schedule.definition.task.payload.argv[0]);
        if (flags.dryRun) continue;
        const { version } = await carillon.schedules.put(schedule.name, schedule.definition);
        console.error(`${schedule.name}: version ${version}`);
      }
      const left = entries.length - understood;
      console.error(
        `${understood} of ${entries.length} entries ${flags.dryRun ? "would become" : "are"} schedules${left > 0 ? `, ${left} not` : ""}`,
      );
      if (understood > 0) {
        const allowed = [...shells].sort().join(" ");
        console.error(`They run only on a worker that allows the shell: carillon worker --allow-command ${allowed}`);
      }
    });
}

interface ImportFlags {
  dryRun?: boolean;
  system?: boolean;
  user?: boolean;
  name?: string;
  tz?: string;
  queue?: string;
}

function nameOf(file: string): string {
  const name = file === "-" ? "crontab" : basename(file);
  return name.replaceAll(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "crontab";
}
