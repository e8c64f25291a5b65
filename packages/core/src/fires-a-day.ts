/** How many fires a rule can have on one day, told from its parts alone: an upper bound, without RDATE. */
import { parseDuration } from "./duration.ts";
import type { Rrule } from "./rrule.ts";
import { unitSeconds } from "./rrule-wall.ts";
import { parseSource, type RuleSource, type ScheduleRule, sourcesOf } from "./schedule.ts";

const DAY_MS = 86_400_000;

export function mostFiresADay(rule: ScheduleRule): number {
  return sourcesOf(rule).reduce((sum, { source }) => sum + ofSource(source, rule), 0);
}

function ofSource(source: RuleSource, rule: ScheduleRule): number {
  if (source.every !== undefined) return Math.ceil(DAY_MS / parseDuration(source.every)!);
  if (source.at !== undefined) return 1;
  const parsed = parseSource(source, rule);
  if ("code" in parsed) return 0;
  if ("parts" in parsed) return ofRrule(parsed.parts);
  const { hours, minutes, seconds } = parsed.fields;
  return hours.length * minutes.length * seconds.length;
}

/** From days on, it has all times of the day that its parts name; below, as many as there are steps, with those that each may be cut into. */
function ofRrule({ frequency, interval, hours, minutes, seconds }: Rrule["parts"]): number {
  const named = (hours?.length ?? 24) * (minutes?.length ?? 60) * (seconds?.length ?? 60);
  const unit = unitSeconds[frequency];
  if (unit === undefined) return named;
  const within = (unit === 3_600 ? (minutes?.length ?? 60) : 1) * (unit >= 60 ? (seconds?.length ?? 60) : 1);
  return Math.min(named, Math.ceil(DAY_MS / 1_000 / (unit * interval)) * within);
}
