import { basename } from "node:path";
import { CarillonError } from "@carillon/core/errors";
import type { Command } from "commander";
import { isShell } from "../command-task.ts";
import { connect, wantsJson } from "../connect.ts";
import type { ImportedEntry, ImportedSchedule } from "../crontab-import.ts";
import { USAGE } from "../exit.ts";
import { readText, usageError } from "../input.ts";
import { name } from "../options.ts";
import { print, printJson, say } from "../output.ts";

interface ImportFlags {
  dryRun?: boolean;
  system?: boolean;
  user?: boolean;
  name?: string;
  tz?: string;
  queue?: string;
}

export function importCommand(program: Command): void {
  program
    .command("import")
    .description("Bring schedules from elsewhere")
    .command("crontab <file>")
    .description("Create a schedule of `command` tasks for each entry of a crontab (- for standard input)")
    .option("--dry-run", "only print what would be created, in plain words with the next fires; needs no node")
    .option("--system", "entries name a user (found out from the text)")
    .option("--user", "entries name no user (found out from the text)")
    .option("--name <prefix>", "the schedules' names begin with it (the file's name)", name)
    .option("--tz <zone>", "time zone of entries without CRON_TZ (this machine's)")
    .option("--queue <name>", "queue of the tasks", name)
    .action(async (file: string, flags: ImportFlags, command: Command) => {
      if (flags.system && flags.user) throw usageError("give --system or --user, not both");
      const { importEntries, isAnacrontab, parseCrontab } = await import("../crontab-import.ts");
      const text = readText(file);
      if (text.includes("\0")) throw usageError(`${file} is no text file`);
      if (isAnacrontab(text)) throw usageError(`${file} is an anacrontab, which names periods instead of times`);
      const format = flags.system ? "system" : flags.user ? "user" : undefined;
      const { entries } = parseCrontab(text, format === undefined ? {} : { format });
      const source = {
        prefix: flags.name ?? prefixOf(file),
        timeZone: flags.tz ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
        queue: flags.queue ?? null,
      };
      const imported = importEntries(entries, source, Date.now());
      for (const entry of imported) {
        if (wantsJson(command)) printJson(entry);
        else for (const line of describe(entry)) print(line);
      }
      const understood = imported.flatMap(({ schedule }) => schedule ?? []);
      const schedules = flags.dryRun ? understood : await putAll(understood, command);
      const left = imported.length - schedules.length;
      say(
        `${schedules.length} of ${imported.length} entries ${flags.dryRun ? "would become" : "are now"} schedules${left > 0 ? `, ${left} not` : ""}`,
      );
      if (schedules.length > 0) {
        const payloads = schedules.map(({ definition }) => definition.task.payload);
        const shells = [...new Set(payloads.map(({ argv }) => argv[0]))].sort();
        const others = payloads.filter(({ argv }) => !isShell(argv[0]));
        const variables = [...new Set(others.flatMap(({ env = {} }) => Object.keys(env)))].sort();
        say("Their tasks run only on a worker that allows the shell, with that worker's user and rights:");
        say(`  carillon worker --allow-command ${shells.join(" ")}${["", ...variables].join(" --allow-env ")}`);
      }
    });
}

/** One that the node refuses does not keep the others away. */
async function putAll(schedules: ImportedSchedule[], command: Command): Promise<ImportedSchedule[]> {
  const { carillon } = connect(command);
  const put: ImportedSchedule[] = [];
  for (const schedule of schedules) {
    try {
      const { version } = await carillon.schedules.put(schedule.name, schedule.definition);
      say(`${schedule.name}: version ${version}`);
      put.push(schedule);
    } catch (error) {
      if (!CarillonError.is(error) || error.code !== "invalid_request") throw error;
      say(`${schedule.name}: ${error.message}`);
      process.exitCode = USAGE;
    }
  }
  return put;
}

/** For people: the entry, its plain words and next fires, or why there is no schedule. */
function describe({
  line,
  expression,
  user,
  command,
  problem,
  schedule,
  words,
  fires,
  notes,
}: ImportedEntry): string[] {
  const head = `line ${line}: ${command === "" ? expression : [expression, user, command].filter(Boolean).join("  ")}`;
  if (!schedule) return [head, `  not created: ${problem}`];
  return [
    head,
    `  ${schedule.name}`,
    `  ${words} (${schedule.definition.timeZone})`,
    ...fires.map((fire) => `  next ${fire}`),
    ...notes.map((note) => `  note: ${note}`),
  ];
}

function prefixOf(file: string): string {
  const text = file === "-" ? "crontab" : basename(file);
  return text.replaceAll(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "crontab";
}
