/** What an entry of a crontab becomes: a schedule of `command` tasks, under a name that stays the same when the file is imported again. */
import { createHash } from "node:crypto";
import {
  type CrontabEntry,
  defaultDst,
  formatLocal,
  previewSchedule,
  type ScheduleRule,
  validateRule,
} from "@carillon/core";

export interface ImportSource {
  prefix: string;
  /** For entries without `CRON_TZ`. */
  timeZone: string;
  queue: string | null;
}

export interface ImportedSchedule {
  name: string;
  definition: {
    cron: string;
    timeZone: string;
    dialect: "vixie";
    catchUp: { policy: "skip" };
    task: {
      type: "command";
      payload: { argv: [string, ...string[]]; env?: Record<string, string>; stdin?: string };
      queue?: string;
      tags: string[];
    };
  };
}

/** Null for an entry that cannot be a schedule; `entry.problem` says why. */
export function scheduleOf(entry: CrontabEntry, source: ImportSource): ImportedSchedule | null {
  if (entry.problem !== null || entry.expression === "@reboot") return null;
  const { SHELL = "/bin/sh", MAILTO: _mail, CRON_TZ: _zone, ...env } = entry.environment;
  return {
    name: `${source.prefix}.${entryKey(entry)}`.slice(0, 128),
    definition: {
      cron: entry.expression,
      timeZone: entry.timeZone ?? source.timeZone,
      dialect: "vixie",
      catchUp: { policy: "skip" },
      task: {
        type: "command",
        payload: {
          argv: [SHELL, "-c", entry.command],
          ...(Object.keys(env).length === 0 ? {} : { env }),
          ...(entry.stdin === null ? {} : { stdin: entry.stdin }),
        },
        ...(source.queue === null ? {} : { queue: source.queue }),
        tags: ["crontab", ...(entry.user === null ? [] : [`user-${entry.user}`])],
      },
    },
  };
}

/** From what the entry says, not from where it stands: moving lines about renames nothing. */
function entryKey({ expression, user, command }: CrontabEntry): string {
  const words = /[A-Za-z0-9][A-Za-z0-9._-]*(?=[^/]*$)/.exec(command.split(/[\s;|&]/)[0] ?? "")?.[0] ?? "entry";
  const hash = createHash("sha256")
    .update(JSON.stringify([expression, user, command]))
    .digest("hex")
    .slice(0, 8);
  return `${words.slice(0, 40)}-${hash}`;
}

/** For people: the entry, its plain words, its next fires, or what was not understood. */
export function describeEntry(entry: CrontabEntry, schedule: ImportedSchedule | null, now: number): string[] {
  const head = `line ${entry.line}: ${entry.expression}${entry.user === null ? "" : ` (${entry.user})`}  ${entry.command}`;
  if (!schedule)
    return [head, `  not created: ${entry.problem ?? "runs when the machine starts; Carillon has no such instant"}`];
  const { name, definition } = schedule;
  const rule: ScheduleRule = {
    cron: definition.cron,
    every: null,
    timeZone: definition.timeZone,
    dialect: definition.dialect,
    dst: defaultDst,
    jitter: null,
    startAt: null,
    endAt: null,
    maxFires: null,
  };
  const [error] = validateRule(rule);
  if (error) return [head, `  not created: ${error.message}`];
  const preview = previewSchedule(rule, now, 3);
  return [
    head,
    `  ${name}: ${preview.words} (${definition.timeZone})`,
    ...preview.fires.map(({ at }) => `  next ${formatLocal(Date.parse(at), definition.timeZone)}`),
    ...preview.warnings.filter(({ code }) => code !== "herd").map(({ message }) => `  note: ${message}`),
    ...(entry.environment.MAILTO ? ["  note: output is kept with the task instead of being mailed"] : []),
    ...(entry.user === null ? [] : [`  note: runs as the worker's user, not as ${entry.user}`]),
  ];
}
