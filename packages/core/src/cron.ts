/** Cron expressions as rules about the wall clock. */
import { type CronDialect, type CronFields, type CronProblem, isHashed, parseFields } from "./cron-fields.ts";
import { nextWall } from "./cron-wall.ts";
import { EARLIEST, type WallRule } from "./wall-rule.ts";

export interface Cron extends WallRule {
  readonly expression: string;
  readonly fields: CronFields;
}

const parsed = new Map<string, Cron | CronProblem>();

/** An expression that no date can ever match is a problem too. Equal expressions are parsed once. `hashKey`: what `H` is spread by. */
export function parseCron(
  expression: string,
  { dialect, hashKey = "" }: { dialect: CronDialect; hashKey?: string },
): Cron | CronProblem {
  const key = `${dialect} ${isHashed(expression) ? hashKey : ""} ${expression}`;
  const known = parsed.get(key);
  if (known) return known;
  const cron = readCron(expression, dialect, hashKey);
  if (parsed.size >= 5_000) parsed.clear();
  if (expression.length <= 256) parsed.set(key, cron);
  return cron;
}

function readCron(expression: string, dialect: CronDialect, hashKey: string): Cron | CronProblem {
  const fields = parseFields(expression, dialect, hashKey);
  if ("code" in fields) return fields;
  if (nextWall(fields, EARLIEST) === null) {
    return { code: "cron_never_fires", message: "No date from 1970 to 2199 matches this expression." };
  }
  return { expression, fields, rhythm: fields.rhythm, nextWall: (wall) => nextWall(fields, wall) };
}
