/**
 * What each entry of a crontab becomes: a schedule of `command` tasks, or a reason why not. A name follows from what the entry says, not
 * from where it stands: importing the file again changes nothing, and moving lines about renames nothing.
 */
import { createHash } from "node:crypto";
import { isAbsolute } from "node:path";
import { type CrontabEntry, previewSchedule, validateRule } from "@carillon/core";
import { type CommandPayload, commandTask, isVariableName } from "./command-task.ts";
import { cronRule } from "./cron-rule.ts";

export { parseCrontab } from "@carillon/core";

export interface ImportSource {
  /** The schedules' names begin with it. */
  prefix: string;
  /** For entries without `CRON_TZ`. */
  timeZone: string;
  /** Null: what the worker declares, else `default`. */
  queue: string | null;
}

export interface ImportedEntry {
  line: number;
  expression: string;
  user: string | null;
  command: string;
  /** Why there is no schedule; null: there is one. */
  problem: string | null;
  schedule: ImportedSchedule | null;
  /** In plain words; null where there is no schedule, as the fields below are empty. */
  words: string | null;
  /** The next three, in the schedule's zone. */
  fires: string[];
  /** What is different from cron, or may surprise. */
  notes: string[];
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
      payload: CommandPayload;
      queue?: string;
      tags: string[];
    };
  };
}

export function importEntries(entries: readonly CrontabEntry[], source: ImportSource, now: number): ImportedEntry[] {
  const uses = new Map<string, number>();
  return entries.map((entry) => {
    const { line, expression, user, command } = entry;
    const rule = cronRule(expression, entry.timeZone ?? source.timeZone, "vixie");
    const shell = entry.environment.SHELL ?? "/bin/sh";
    const problem =
      entry.problem ??
      (isAbsolute(shell) ? null : `SHELL=${shell} is no absolute path.`) ??
      validateRule(rule, now)[0]?.message ??
      null;
    const shown = { line, expression, user, command };
    const nothing = { schedule: null, words: null, fires: [], notes: [] };
    if (problem !== null) return { ...shown, ...nothing, problem };
    const definition = definitionOf(entry, shell, rule.timeZone, source);
    const refusal = refusedByWorkers(definition.task.payload);
    if (refusal !== null) return { ...shown, ...nothing, problem: refusal };

    const name = nameOf(entry, source.prefix);
    const use = (uses.get(name) ?? 0) + 1;
    uses.set(name, use);
    const preview = previewSchedule(rule, now, 3);
    return {
      ...shown,
      problem: null,
      // The same line twice runs twice, as in cron.
      schedule: {
        name: use === 1 ? name : `${name}-${use}`,
        definition,
      },
      words: preview.words,
      fires: preview.fires.map(({ local }) => local),
      notes: [...preview.warnings.filter(({ code }) => code !== "herd").map(({ message }) => message), ...notes(entry)],
    };
  });
}

/** Anacron's table looks much the same but has other fields: period in days, delay in minutes, name, command. */
export function isAnacrontab(text: string): boolean {
  return /^[ \t]*\d+[ \t]+\d+[ \t]+[A-Za-z][\w.-]*[ \t]+\S/m.test(text);
}

function definitionOf(
  entry: CrontabEntry,
  shell: string,
  timeZone: string,
  source: ImportSource,
): ImportedSchedule["definition"] {
  const { SHELL: _shell, MAILTO: _mailTo, CRON_TZ: _zone, ...rest } = entry.environment;
  const env = Object.fromEntries(Object.entries(rest).filter(([name]) => isVariableName(name)));
  return {
    cron: entry.expression,
    timeZone,
    dialect: "vixie",
    catchUp: { policy: "skip" },
    task: {
      type: "command",
      payload: {
        argv: [shell, "-c", entry.command],
        ...(Object.keys(env).length === 0 ? {} : { env }),
        ...(entry.stdin === null ? {} : { stdin: entry.stdin }),
      },
      ...(source.queue === null ? {} : { queue: source.queue }),
      tags: ["crontab", ...(entry.user === null ? [] : [`user-${entry.user}`.slice(0, 64)])],
    },
  };
}

/** Workers check a command before they run it; what they would refuse each time, whatever they allow, is said now. */
function refusedByWorkers(payload: CommandPayload): string | null {
  const allowEnv = Object.keys(payload.env ?? {});
  const checked = commandTask([payload.argv[0]], { allowEnv }).schema?.["~standard"].validate(payload);
  if (checked === undefined || checked instanceof Promise || !checked.issues) return null;
  return checked.issues.map(({ path, message }) => `${String(path?.at(-1))}: ${message}.`).join(" ");
}

function notes({ environment, user }: CrontabEntry): string[] {
  return [
    ...(environment.MAILTO ? ["The output is kept with the task; nobody is mailed."] : []),
    ...(environment.RANDOM_DELAY ? ["RANDOM_DELAY is not applied; a schedule's jitter does that."] : []),
    ...Object.keys(environment)
      .filter((name) => !isVariableName(name))
      .map((name) => `"${name}" is left out: no shell could read a variable of this name.`),
    ...(user === null ? [] : [`It runs as the worker's user, not as ${user}.`]),
  ];
}

function nameOf({ expression, user, command, stdin, timeZone }: CrontabEntry, prefix: string): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([expression, user, command, stdin, timeZone]))
    .digest("hex");
  return `${prefix.slice(0, 64)}.${programOf(command)}-${hash.slice(0, 8)}`;
}

const shellWords = new Set(["cd", "if", "then", "else", "fi", "exec", "command", "nice", "env", "sudo", "time", "do"]);

/** The first word that looks like the program that does the work, without the tests that guard it. For people only. */
function programOf(command: string): string {
  const bare = command.replaceAll(/\[ .*? \]/g, " ").replaceAll(/\btest\s.*?(?:&&|\|\||;)/g, " ");
  for (const word of bare.split(/[\s;|&(){}]+/)) {
    if (!/^[\w./~][\w./~+-]*$/.test(word) || shellWords.has(word)) continue;
    const base = (word.split("/").at(-1) ?? "").replaceAll(/[^A-Za-z0-9._-]/g, "").replace(/^[^A-Za-z0-9]+/, "");
    if (base !== "") return base.slice(0, 40);
  }
  return "entry";
}
