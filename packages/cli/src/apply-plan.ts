/** What applying a file would do: the node says how each part would be, and its previews which fires that changes. */
import {
  type CalendarOptions,
  type Carillon,
  CarillonError,
  type RuleOptions,
  type Schedule,
  type ScheduleOptions,
} from "@carillon/client";
import type { NamedCalendar, NamedSchedule } from "./apply-file.ts";
import { comparable, diffFires, type FireDiff, type ShownFire } from "./fire-diff.ts";

const DAYS = 7;
/** A schedule that fires more often is compared for a shorter time. */
const FIRES = 100;
/** Of the schedules that a file does not name, so many are compared. */
const FOLLOWERS = 100;

interface Planned {
  name: string;
  action: "created" | "changed" | "unchanged";
  /** Null for one that is new. */
  versionBefore: number | null;
  version: number;
}

export interface PlannedCalendar extends Planned {
  kind: "calendar";
}

export interface PlannedSchedule extends FireDiff, Omit<Planned, "action"> {
  kind: "schedule";
  /** `follows`: it stays as it is, and its calendars change. */
  action: Planned["action"] | "follows";
  /** Fires are compared from here, up to there. */
  from: string;
  until: string;
}

/** The calendars that a file changes, as they would be. */
export interface Changes {
  now: number;
  calendars: Map<string, CalendarOptions>;
  /** Those of them that there are not yet. */
  created: Set<string>;
}

/** Asks only; throws what the node refuses. */
export async function planCalendar(
  carillon: Carillon,
  { name, definition }: NamedCalendar,
  changes: Changes,
): Promise<PlannedCalendar> {
  const [before, after] = await Promise.all([
    unless("calendar_not_found", carillon.calendars.get(name)),
    carillon.calendars.put(name, definition, { dryRun: true }),
  ]);
  const action = actionOf(before, after);
  if (action !== "unchanged") changes.calendars.set(name, definition);
  if (action === "created") changes.created.add(name);
  return { kind: "calendar", name, action, versionBefore: before?.version ?? null, version: after.version };
}

/** Asks only; throws what the node refuses. */
export async function planSchedule(
  carillon: Carillon,
  { name, definition }: NamedSchedule,
  changes: Changes,
): Promise<PlannedSchedule> {
  const known = withoutNames(definition, changes.created);
  const [before, answer] = await Promise.all([
    unless("schedule_not_found", carillon.schedules.get(name)),
    carillon.schedules.put(name, known ?? definition, { dryRun: true }),
  ]);
  // Those that there are not yet are a change whatever the node says.
  const after = known === null ? answer : withNames(answer, definition, before);
  const follows = before === null ? [] : [...changes.calendars.keys()].filter((one) => namesOf(before).includes(one));
  const action = actionOf(before, after);
  const planned = await compare(carillon, before, after, changes);
  return {
    ...planned,
    action: action === "unchanged" && follows.length > 0 ? "follows" : action,
    version: after.version + follows.length,
  };
}

/** Those that use a calendar which the file changes, and are not in it; `more`: so many were not compared. */
export async function planFollowers(
  carillon: Carillon,
  named: ReadonlySet<string>,
  changes: Changes,
): Promise<{ plans: PlannedSchedule[]; more: number }> {
  const plans: PlannedSchedule[] = [];
  let more = 0;
  if (changes.calendars.size === changes.created.size) return { plans, more };
  for await (const schedule of carillon.schedules.listAll({ pageSize: 200 })) {
    const follows = namesOf(schedule).filter((name) => changes.calendars.has(name));
    if (named.has(schedule.name) || follows.length === 0) continue;
    if (plans.length >= FOLLOWERS) {
      more++;
      continue;
    }
    const planned = await compare(carillon, schedule, schedule, changes);
    plans.push({ ...planned, action: "follows", version: schedule.version + follows.length });
  }
  return { plans, more };
}

async function unless<Answer>(code: string, asked: Promise<Answer>): Promise<Answer | null> {
  try {
    return await asked;
  } catch (error) {
    if (CarillonError.is(error) && error.code === code) return null;
    throw error;
  }
}

type Versioned = { version: number; paused?: boolean };

function actionOf(before: Versioned | null, after: Versioned): Planned["action"] {
  if (before === null) return "created";
  return before.version === after.version && before.paused === after.paused ? "unchanged" : "changed";
}

const namesOf = ({ excludes, includes }: Pick<Schedule, "excludes" | "includes">): string[] => [
  ...excludes,
  ...includes,
];

/** The definition without these calendars; null: it names none of them. */
function withoutNames(definition: ScheduleOptions, names: ReadonlySet<string>): ScheduleOptions | null {
  const { excludes = [], includes = [] } = definition;
  if (!Array.isArray(excludes) || !Array.isArray(includes)) return null;
  if (![...excludes, ...includes].some((name) => names.has(name))) return null;
  const kept = (list: string[]) => list.filter((name) => !names.has(name));
  return { ...definition, excludes: kept(excludes), includes: kept(includes) };
}

function withNames(
  answer: Schedule,
  { excludes = [], includes = [] }: ScheduleOptions,
  before: Schedule | null,
): Schedule {
  return { ...answer, excludes, includes, version: (before?.version ?? 0) + 1 };
}

/** The fires of a schedule as it is, and as it would be with the file's calendars. */
async function compare(
  carillon: Carillon,
  before: Schedule | null,
  after: Schedule,
  { now, calendars }: Changes,
): Promise<Omit<PlannedSchedule, "action">> {
  const from = new Date(now).toISOString();
  const [old, next] = await Promise.all([
    comingFires(carillon, before, from, new Map()),
    comingFires(carillon, after, from, calendars),
  ]);
  const until = new Date(now + DAYS * 86_400_000).toISOString();
  const compared = comparable(old, next, { count: FIRES, until });
  return {
    kind: "schedule",
    name: after.name,
    versionBefore: before?.version ?? null,
    version: after.version,
    from,
    until: compared.until,
    ...diffFires(compared.before, compared.after),
  };
}

async function comingFires(
  carillon: Carillon,
  schedule: Schedule | null,
  from: string,
  changed: ReadonlyMap<string, CalendarOptions>,
): Promise<ShownFire[]> {
  if (schedule === null || schedule.paused) return [];
  const named = namesOf(schedule).flatMap((name) => {
    const definition = changed.get(name);
    return definition ? [[name, definition] as const] : [];
  });
  const calendars = named.length === 0 ? {} : { calendars: Object.fromEntries(named) };
  const rule = { ...ruleOf(schedule), ...calendars, name: schedule.name };
  const { fires } = await carillon.schedules.preview({ ...rule, from, count: FIRES });
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
