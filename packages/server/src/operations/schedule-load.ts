/**
 * How many fires of all schedules come in each step of a range. The rules are walked through in slices, so that a node with a hundred
 * thousand of them goes on with its work in between; equal rules are computed once, and all of it has a bound.
 */
import {
  addProfile,
  type Clock,
  createLoad,
  firesBetween,
  formatDuration,
  formatInstant,
  invalid,
  jitteredDueAt,
  LAST_INSTANT,
  type Load,
  loadPeaks,
  nextFireAt,
  type Profile,
  parseDuration,
  profileOf,
} from "@carillon/core";
import type { ScheduleTiming } from "@carillon/store";
import { MOST_STEPS, type ScheduleLoadAnswer, type ScheduleLoadQuery } from "../http/schemas/outlook.ts";
import type { Deps } from "./deps.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const STEPS_MS = [MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS];

const SCHEDULES_A_PAGE = 500;
const MOST_SCHEDULES = 200_000;
/** Enough for one a second in 24 hours. */
export const FIRES_OF_A_RULE = 100_000;
/** In all, without those of equal rules: some seconds of work. */
const MOST_FIRES = 2_000_000;
const FIRES_A_TURN = 500;
const SLICE_MS = 10;
const PROFILES_KEPT = 2_000;

export async function scheduleLoad(
  { store, clock, log }: Pick<Deps, "store" | "clock" | "log">,
  namespace: string,
  query: ScheduleLoadQuery,
): Promise<ScheduleLoadAnswer> {
  const load = createLoad(rangeOf(query, clock.now()));
  const work: Work = { left: MOST_FIRES, complete: true, breathe: slices(clock) };
  const profiles = new Map<string, Profile>();
  let schedules = 0;
  let seen = 0;
  for (let after: string | null = null; ; ) {
    const page: ScheduleTiming[] = await store.scheduleTimings(namespace, { after, limit: SCHEDULES_A_PAGE });
    for (const schedule of page) {
      if (schedule.paused && schedule.pausedUntil === null) continue;
      schedules++;
      try {
        addProfile(load, await profileOfSchedule(schedule, load, work, profiles));
      } catch (error) {
        // Of another node's kind: a zone or a dialect that is not known here.
        log.debug({ error, schedule: schedule.name, namespace }, "a schedule's fires cannot be counted");
        work.complete = false;
      }
      await work.breathe();
    }
    seen += page.length;
    after = page.at(-1)?.name ?? null;
    if (page.length < SCHEDULES_A_PAGE) break;
    if (seen >= MOST_SCHEDULES || work.left <= 0) {
      work.complete = false;
      break;
    }
  }
  return {
    from: formatInstant(load.from),
    to: formatInstant(load.to),
    step: formatDuration(load.stepMs),
    schedules,
    fires: load.counts.reduce((sum, count) => sum + count, 0),
    complete: work.complete,
    counts: load.counts,
    peaks: loadPeaks(load).map(({ at, fires, spread }) => ({
      at: formatInstant(at),
      fires,
      spread: spread && {
        jitter: formatDuration(spread.jitterMs),
        schedules: spread.schedules,
        fires: spread.fires,
        message: spread.message,
      },
    })),
  };
}

function rangeOf({ from, to, step }: ScheduleLoadQuery, now: number): Pick<Load, "from" | "to" | "stepMs"> {
  if (to !== undefined && to <= (from ?? now)) {
    throw invalid("to", "range_reversed", "`to` is not after the present instant, where the range begins by default.");
  }
  const startOf = (stepMs: number) => from ?? Math.floor(now / stepMs) * stepMs;
  const endOf = (stepMs: number) => to ?? Math.min(startOf(stepMs) + DAY_MS, LAST_INSTANT);
  const tooMany = (stepMs: number) => Math.ceil((endOf(stepMs) - startOf(stepMs)) / stepMs) > MOST_STEPS;
  const stepMs = step ?? STEPS_MS.find((each) => !tooMany(each));
  if (stepMs === undefined) throw invalid("to", "out_of_range", `At most ${MOST_STEPS} days after \`from\`.`);
  if (tooMany(stepMs)) {
    throw invalid("step", "too_many_steps", `At most ${MOST_STEPS} steps: a longer step, or a shorter range.`);
  }
  return { from: startOf(stepMs), to: endOf(stepMs), stepMs };
}

interface Work {
  /** Fires that may still be computed. */
  left: number;
  complete: boolean;
  /** Lets others have their turn, when it is time. */
  breathe: () => Promise<void>;
}

function slices(clock: Clock): Work["breathe"] {
  let startedAt = clock.monotonic();
  return async () => {
    if (clock.monotonic() - startedAt < SLICE_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    startedAt = clock.monotonic();
  };
}

/** Equal rules without a jitter and without an end after so many fires bring the same. */
async function profileOfSchedule(
  schedule: ScheduleTiming,
  load: Load,
  work: Work,
  profiles: Map<string, Profile>,
): Promise<Profile> {
  const { rule, calendars, id, pausedUntil } = schedule;
  const jitterMs = rule.jitter === null ? 0 : parseDuration(rule.jitter)!;
  if (jitterMs > 0) {
    const dues: number[] = [];
    for (const fire of await comingFires(schedule, load.from - jitterMs, load.to, work)) {
      dues.push(jitteredDueAt(rule, id, fire, calendars));
      if (dues.length % FIRES_A_TURN === 0) await work.breathe();
    }
    work.left -= dues.length;
    return profileOf(load, dues, null);
  }
  const key =
    rule.maxFires === null
      ? JSON.stringify([rule, calendars.map(({ name, included }) => [name, included]), pausedUntil])
      : null;
  const known = key === null ? undefined : profiles.get(key);
  if (known) return known;
  const fires = await comingFires(schedule, load.from, load.to, work);
  const profile = profileOf(load, fires, (index) => gapAfter(schedule, fires, index));
  if (key !== null) {
    if (profiles.size >= PROFILES_KEPT) profiles.clear();
    profiles.set(key, profile);
  }
  return profile;
}

function gapAfter({ rule, calendars }: ScheduleTiming, fires: number[], index: number): number {
  const fire = fires[index]!;
  return (fires[index + 1] ?? nextFireAt(rule, fire, calendars) ?? Number.POSITIVE_INFINITY) - fire;
}

/** `from <= fire < to`, computed in turns. */
async function comingFires(
  { rule, calendars, fires, plannedUntil, pausedUntil }: ScheduleTiming,
  from: number,
  to: number,
  work: Work,
): Promise<number[]> {
  let left = rule.maxFires === null ? Number.POSITIVE_INFINITY : rule.maxFires - fires;
  if (left <= 0) return [];
  const found: number[] = [];
  // Those up to the mark are among `fires`; what is left counts from there.
  let after = rule.maxFires === null ? from - 1 : Math.min(from - 1, plannedUntil);
  for (let computed = 0; ; ) {
    const turn = firesBetween(rule, after, to - 1, FIRES_A_TURN, calendars);
    computed += turn.length;
    work.left -= turn.length;
    for (const fire of turn) {
      if (pausedUntil !== null && fire < pausedUntil) continue;
      if (fire > plannedUntil && --left < 0) return found;
      if (fire >= from) found.push(fire);
    }
    if (turn.length < FIRES_A_TURN) return found;
    if (computed >= FIRES_OF_A_RULE || work.left <= 0) {
      work.complete = false;
      return found;
    }
    after = turn.at(-1)!;
    await work.breathe();
  }
}
