/** What applying a schedule would do: the node says how it would be, and its previews which fires that changes. */
import { type Carillon, CarillonError, type RuleOptions, type Schedule } from "@carillon/client";
import type { NamedSchedule } from "./apply-file.ts";
import { comparable, diffFires, type FireDiff, type ShownFire } from "./fire-diff.ts";

const DAYS = 7;
/** A schedule that fires more often is compared for a shorter time. */
const FIRES = 100;

export interface PlannedSchedule extends FireDiff {
  name: string;
  action: "created" | "changed" | "unchanged";
  /** Null for one that is new. */
  versionBefore: number | null;
  version: number;
  /** Fires are compared from here, up to there. */
  from: string;
  until: string;
}

/** Asks only; throws what the node refuses. */
export async function planSchedule(
  carillon: Carillon,
  { name, definition }: NamedSchedule,
  now: number,
): Promise<PlannedSchedule> {
  const from = new Date(now).toISOString();
  const [before, after] = await Promise.all([
    current(carillon, name),
    carillon.schedules.put(name, definition, { dryRun: true }),
  ]);
  const [old, next] = await Promise.all([comingFires(carillon, before, from), comingFires(carillon, after, from)]);
  const until = new Date(now + DAYS * 86_400_000).toISOString();
  const compared = comparable(old, next, { count: FIRES, until });
  return {
    name,
    action: actionOf(before, after),
    versionBefore: before?.version ?? null,
    version: after.version,
    from,
    until: compared.until,
    ...diffFires(compared.before, compared.after),
  };
}

async function current(carillon: Carillon, name: string): Promise<Schedule | null> {
  try {
    return await carillon.schedules.get(name);
  } catch (error) {
    if (CarillonError.is(error) && error.code === "schedule_not_found") return null;
    throw error;
  }
}

function actionOf(before: Schedule | null, after: Schedule): PlannedSchedule["action"] {
  if (before === null) return "created";
  return before.version === after.version && before.paused === after.paused ? "unchanged" : "changed";
}

async function comingFires(carillon: Carillon, schedule: Schedule | null, from: string): Promise<ShownFire[]> {
  if (schedule === null || schedule.paused) return [];
  const { fires } = await carillon.schedules.preview({ ...ruleOf(schedule), from, count: FIRES });
  return fires.map(({ at, local }) => ({ at, local }));
}

const ruleFields = [
  ...(["cron", "every", "rrule", "rules", "timeZone", "dialect", "dst"] as const),
  ...(["jitter", "startAt", "endAt", "maxFires", "excludes", "includes", "roll"] as const),
];

/** As a request has it: without what is not given. */
function ruleOf(schedule: Schedule): RuleOptions {
  const given = ruleFields
    .map((field) => [field, schedule[field]] as const)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0));
  return Object.fromEntries(given) as RuleOptions;
}
