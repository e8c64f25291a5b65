/** Reads crontabs as the cron of Linux systems does (Vixie, ISC, cronie): a user's own, and the system's with a user in each entry. */
import { parseCron } from "./cron.ts";
import { canonicalTimeZone } from "./zone.ts";

export interface CrontabEntry {
  /** From 1. */
  line: number;
  /** Five fields, one blank between them, or a nickname such as `@daily` or `@reboot`; what stands there when it is not understood. */
  expression: string;
  /** Of system crontabs only. */
  user: string | null;
  /** For the shell; `\%` has become `%`. */
  command: string;
  /** What follows the first unescaped `%`, each further one a new line, ended by a new line; null: no `%`. */
  stdin: string | null;
  /** The lines `NAME=value` above this entry, the last of each name; `SHELL`, `MAILTO` and `PATH` too. */
  environment: Record<string, string>;
  /** From `CRON_TZ`, for the expression. `TZ` is for the command alone, as in cron. */
  timeZone: string | null;
  /** Why no schedule can be made of it; null: one can. */
  problem: string | null;
}

export type CrontabFormat = "user" | "system";

export interface Crontab {
  format: CrontabFormat;
  entries: CrontabEntry[];
}

export interface CrontabOptions {
  /** Left out: guessed from the text. */
  format?: CrontabFormat;
  /** Names of accounts that help the guess, beside those that systems usually have. */
  users?: readonly string[];
}

export function parseCrontab(text: string, { format, users = [] }: CrontabOptions = {}): Crontab {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const decided = format ?? guessFormat(lines, users);
  const environment = new Map<string, string>();
  const entries: CrontabEntry[] = [];
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const setting = readSetting(line);
    if (setting) environment.set(setting.name, setting.value);
    else entries.push(readEntry(line, index + 1, decided, environment));
  }
  return { format: decided, entries };
}

/** `NAME=value`, blanks around the sign, either side in quotes if it likes. Nothing is expanded. */
function readSetting(line: string): { name: string; value: string } | null {
  const match = /^(?:"([^"]+)"|'([^']+)'|([A-Za-z_][A-Za-z0-9_]*))[ \t]*=[ \t]*(.*)$/.exec(line);
  if (!match) return null;
  const value = match[4]!;
  const quoted = /^"(.*)"$|^'(.*)'$/.exec(value);
  return { name: (match[1] ?? match[2] ?? match[3])!, value: quoted ? (quoted[1] ?? quoted[2])! : value };
}

function readEntry(
  line: string,
  number: number,
  format: CrontabFormat,
  environment: Map<string, string>,
): CrontabEntry {
  const entry: CrontabEntry = {
    line: number,
    expression: line,
    user: null,
    command: "",
    stdin: null,
    environment: Object.fromEntries(environment),
    timeZone: null,
    problem: null,
  };
  const time = splitTime(line);
  if (!time) return { ...entry, problem: "Neither five fields and a command, nor NAME=value." };
  const expression = time.fields.join(" ");
  const { user, rest } = format === "system" ? splitUser(time.rest) : { user: null, rest: time.rest };
  const { command, stdin } = splitInput(rest);
  const zoneName = environment.get("CRON_TZ") ?? null;
  const timeZone = zoneName === null ? null : canonicalTimeZone(zoneName);
  return { ...entry, expression, user, command, stdin, timeZone, problem: findProblem() };

  function findProblem(): string | null {
    const cron = parseCron(expression, { dialect: "vixie" });
    if ("code" in cron) return cron.message;
    if (command === "") return "There is no command.";
    if (zoneName !== null && timeZone === null) return `CRON_TZ=${zoneName} is no IANA time zone.`;
    return null;
  }
}

/** A minus in front of the fields only asks cron not to log. */
function splitTime(line: string): { fields: string[]; rest: string } | null {
  const match = /^-?(@\S+)(?:[ \t]+(.*))?$/.exec(line) ?? /^-?((?:\S+[ \t]+){4}\S+)(?:[ \t]+(.*))?$/.exec(line);
  return match ? { fields: match[1]!.split(/[ \t]+/), rest: match[2] ?? "" } : null;
}

function splitUser(text: string): { user: string | null; rest: string } {
  const match = /^(\S+)(?:[ \t]+(.*))?$/.exec(text);
  return { user: match?.[1] ?? null, rest: match?.[2] ?? "" };
}

/** Only `\%` is an escape; every other backslash is the shell's. */
function splitInput(text: string): { command: string; stdin: string | null } {
  const parts = [""];
  for (const piece of text.match(/\\.|./gs) ?? []) {
    if (piece === "%") parts.push("");
    else parts[parts.length - 1] += piece === "\\%" ? "%" : piece;
  }
  const [command = "", ...input] = parts;
  if (input.length === 0) return { command, stdin: null };
  const stdin = input.join("\n");
  return { command: command.trimEnd(), stdin: stdin === "" || stdin.endsWith("\n") ? stdin : `${stdin}\n` };
}

/**
 * The two formats cannot be told apart for certain: `php /srv/job.php` may be a command, or the user `php`. A system crontab is one
 * whose heading names the column, one with an entry of root's, or one where the word in that place is always a known account.
 */
function guessFormat(lines: string[], users: readonly string[]): CrontabFormat {
  if (lines.some((line) => /^#.*\bdow\s+user(-?name)?\b/i.test(line.trim()))) return "system";
  const known = new Set([...usualAccounts, ...users]);
  const names = lines.flatMap((raw) => {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || readSetting(line)) return [];
    const time = splitTime(line);
    const { user, rest } = splitUser(time?.rest ?? "");
    return time ? [rest === "" ? null : user] : [];
  });
  const system =
    names.includes("root") || (names.length > 0 && names.every((name) => name !== null && known.has(name)));
  return system ? "system" : "user";
}

const usualAccounts = (
  "root daemon bin sys man lp mail news uucp proxy www-data backup list irc _apt nobody adm ftp " +
  "apache nginx postgres mysql redis mongodb rabbitmq git logcheck munin smmsp postfix nagios zabbix ubuntu debian admin"
).split(" ");
