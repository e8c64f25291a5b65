/**
 * One instant of a schedule in one sentence: why its fire ran late, did not run, was skipped, missed or withdrawn, or what will become of
 * it. Decided from the ledger's row, its task and the rule; what the ledger does not hold is told from the rule alone.
 */
import type { NamedCalendar } from "./calendar.ts";
import { type CatchUp, mostCaughtUp } from "./catch-up.ts";
import { formatDuration } from "./duration.ts";
import { takenOutAt } from "./exclusion.ts";
import { explainDelayed } from "./explain-delay.ts";
import { explainFireTask } from "./explain-fire-task.ts";
import { whyOverlapSkipped } from "./explain-overlap.ts";
import type { ExplainedTask } from "./explain-task.ts";
import { type Explanation, type ExplanationReason, reason, sentence } from "./explanation.ts";
import { formatInstant, formatLocal, parseInstant } from "./instant.ts";
import { previousFireAt } from "./neighbours.ts";
import type { OverlapPolicy } from "./overlap.ts";
import type { Placement } from "./roll.ts";
import { firesBetween, jitteredDueAt, nextFireAt, placedBetween, placementOf, type ScheduleRule } from "./schedule.ts";

export interface FireToExplain {
  now: number;
  /** Null: the schedule as a whole, because there is no next fire to ask about. */
  at: number | null;
  schedule: ExplainedSchedule;
  /** The ledger's row; null: it has none. */
  fire: ExplainedFire | null;
  /** The row's task; null also when it is forgotten. */
  task: ExplainedTask | null;
  /** In which no node was alive, `at` among it. */
  downtime: { from: number; until: number } | null;
}

interface ExplainedSchedule {
  id: bigint;
  version: number;
  rule: ScheduleRule;
  /** Those that it excludes or includes. */
  calendars: readonly NamedCalendar[];
  catchUp: CatchUp;
  overlap: OverlapPolicy;
  paused: boolean;
  pause: { reason: string | null; at: number; until: number | null } | null;
  /** Fires that became tasks so far. */
  fires: number;
  plannedUntil: number;
  nextFireAt: number | null;
  createdAt: number;
  updatedAt: number;
}

interface ExplainedFire {
  outcome: "task" | "skipped" | "missed" | "withdrawn";
  reason: string | null;
  caughtUp: boolean;
  backfilled: boolean;
  version: number;
}

export function explainFire(given: FireToExplain): Explanation {
  const { at, fire, schedule } = given;
  if (schedule.rule.delay !== undefined && fire === null) return explainDelayed(schedule, at);
  if (at === null) return sentence([whyNoMore(schedule)]);
  if (fire === null) return explainUnrecorded(given, at);
  switch (fire.outcome) {
    case "task": {
      const { reasons } = explainFireTask({
        ...given,
        at,
        caughtUp: fire.caughtUp,
        backfilled: fire.backfilled,
        jitter: schedule.rule.jitter,
        plannedDueAt: jitteredDueAt(schedule.rule, schedule.id, at, schedule.calendars),
        overlap: schedule.overlap,
        zone: schedule.rule.timeZone,
      });
      return sentence([...reasons, ...whyRolled(given, rolledFromOf(fire.reason))]);
    }
    case "skipped":
      return sentence([whySkipped(given, at, fire)]);
    case "missed":
      return explainMissed(given, at, fire);
    case "withdrawn":
      return explainWithdrawn(given, at, fire);
  }
}

// -------------------------------------------------------------------------------------------------------- in the ledger

function whySkipped({ schedule, now }: FireToExplain, at: number, fire: ExplainedFire): ExplanationReason {
  const which = `The fire of ${formatLocal(at, schedule.rule.timeZone)}`;
  const excluded = /^excluded:(.*)$/.exec(fire.reason ?? "")?.[1];
  if (excluded !== undefined) return whyTakenOut(which, at > now, excluded);
  if (fire.reason === "not_included") return whyTakenOut(which, at > now, null);
  const overlap = whyOverlapSkipped(which, fire.reason);
  if (overlap) return overlap;
  if (fire.reason !== "paused")
    return reason("skipped", `${which} was skipped (${fire.reason ?? "no reason is known"}).`);
  if (at > now) return reason("paused", `${which} will be skipped, because ${pauseWords(schedule)}.`);
  const during = schedule.pause !== null && schedule.pause.at <= at;
  return reason(
    "paused",
    `${which} was skipped, because ${during ? pauseWords(schedule) : "the schedule was paused"}.`,
  );
}

function whyTakenOut(which: string, isComing: boolean, calendar: string | null): ExplanationReason {
  const skipped = `${which} ${isComing ? "will be" : "was"} skipped`;
  return calendar === null
    ? reason("not_included", `${skipped}: none of the calendars that the schedule includes covers it.`)
    : reason("excluded", `${skipped}: ${excludedWords(calendar)}.`, { refs: [calendar] });
}

const excludedWords = (calendar: string): string => `the calendar ${calendar}, which the schedule excludes, covers it`;

/** Of a fire that was moved, where it comes from. */
function whyRolled({ schedule: { rule, calendars } }: FireToExplain, from: number | null): ExplanationReason[] {
  if (from === null) return [];
  const why = takenOutAt(calendars, from)?.by;
  const because = why == null ? "where the calendars leave none" : `where ${excludedWords(why)}`;
  const message = `It was moved there from ${formatLocal(from, rule.timeZone)}, ${because}.`;
  return [reason("rolled", message, { refs: [formatInstant(from), ...(why == null ? [] : [why])] })];
}

/** What the ledger says of a fire that was moved. */
function rolledFromOf(ledgerReason: string | null): number | null {
  const instant = /^rolled:(.*)$/.exec(ledgerReason ?? "")?.[1];
  return instant === undefined ? null : parseInstant(instant);
}

function pauseWords({ pause }: ExplainedSchedule): string {
  if (pause === null) return "the schedule is paused";
  const why = pause.reason === null ? "" : ` (${pause.reason})`;
  const until = pause.until === null ? "" : ` until ${formatInstant(pause.until)}`;
  return `the schedule has been paused since ${formatInstant(pause.at)}${until}${why}`;
}

function explainMissed({ schedule, downtime }: FireToExplain, at: number, fire: ExplainedFire): Explanation {
  const { rule, catchUp } = schedule;
  const during =
    downtime === null
      ? "no node was alive at its instant nor in the ten seconds after it"
      : `no node was alive from ${formatInstant(downtime.from)} to ${formatInstant(downtime.until)}`;
  const missed = reason("missed", `The fire of ${formatLocal(at, rule.timeZone)} was missed, because ${during}.`);
  // Under another version another policy may have been in force.
  if (fire.version !== schedule.version) return sentence([missed]);
  return sentence([missed, reason("catch_up", whyNotCaughtUp(catchUp, at, downtime?.until ?? null))]);
}

function whyNotCaughtUp(catchUp: CatchUp, at: number, until: number | null): string {
  if (mostCaughtUp(catchUp) === 0) return "Its catch-up policy runs no missed fire.";
  if (until !== null && at < until - catchUp.windowMs)
    return `It was older than the catch-up window of ${formatDuration(catchUp.windowMs)} when a node was back.`;
  const which = catchUp.policy === "last" ? "the latest one" : `the latest ${mostCaughtUp(catchUp)}`;
  return `Of the missed fires its catch-up policy runs ${which}, if not older than ${formatDuration(catchUp.windowMs)}.`;
}

function explainWithdrawn(given: FireToExplain, at: number, fire: ExplainedFire): Explanation {
  const { rule, plannedUntil } = given.schedule;
  // The new rule has it too, and the planner has yet to come by.
  if (at > plannedUntil && placedAt(given.schedule, at)) return explainUnrecorded(given, at);
  const why = whyWithdrawn(fire.reason);
  const message = `The fire of ${formatLocal(at, rule.timeZone)} was withdrawn before its task started, because ${why}.`;
  return sentence([reason("withdrawn", message), ...nextFire(given, Math.max(at, given.now))]);
}

function whyWithdrawn(reason: string | null): string {
  const zoneData = /^zone_data:(.*)$/.exec(reason ?? "")?.[1];
  if (zoneData !== undefined) return `time zone data ${zoneData} has it at another instant or not at all`;
  return `the schedule was ${reason === "edited" ? "changed" : (reason ?? "changed")}`;
}

// ---------------------------------------------------------------------------------------------------- not in the ledger

function explainUnrecorded(given: FireToExplain, at: number): Explanation {
  const { schedule, now } = given;
  const { rule, calendars, plannedUntil } = schedule;
  const placed = placedAt(schedule, at);
  if (!placed) return explainNoFire(given, at);
  if (at <= plannedUntil) {
    const why = whyUnknown(given, at);
    return sentence(why.code === "max_fires" ? [why] : [why, ...nextFire(given, now)]);
  }
  const which = `The fire of ${formatLocal(at, rule.timeZone)}`;
  if (schedule.paused && at < (schedule.pause?.until ?? Number.POSITIVE_INFINITY)) {
    const message = `${which} will be skipped unless the schedule is resumed: ${pauseWords(schedule)}.`;
    return sentence([reason("paused", message)]);
  }
  if (placed.takenOut !== null) {
    return sentence([whyTakenOut(which, true, takenOutAt(calendars, at)!.by), ...nextFire(given, at)]);
  }
  if (isBeyondMaxFires(schedule, at)) return sentence([reason("max_fires", `${which} ${maxFiresWords(schedule)}.`)]);
  if (at <= now) {
    const message = `${which} is due, and no node has planned this schedule further than ${formatInstant(plannedUntil)} yet.`;
    return sentence([reason("not_planned", message)]);
  }
  const dueAt = jitteredDueAt(rule, schedule.id, at, calendars);
  const expected = reason("expected", `${which} is expected: its task is made shortly before.`, { until: at });
  const rolled = whyRolled(given, placed.rolledFrom);
  if (dueAt === at) return sentence([expected, ...rolled]);
  const jitter = `The schedule's jitter makes it due ${formatDuration(dueAt - at)} later.`;
  return sentence([expected, ...rolled, reason("jitter", jitter, { until: dueAt })]);
}

/** The ledger's fire of this instant, recorded or to come. */
function placedAt({ rule, calendars }: ExplainedSchedule, at: number): Placement | null {
  return placedBetween(rule, at - 1, at, 1, calendars)[0] ?? null;
}

function explainNoFire(given: FireToExplain, at: number): Explanation {
  const { rule, calendars } = given.schedule;
  const moved = placementOf(rule, at, calendars);
  if (moved) return explainMoved(given, at, moved.fireAt);
  const local = formatLocal(at, rule.timeZone);
  const start = rule.startAt === null ? null : parseInstant(rule.startAt);
  const end = rule.endAt === null ? null : parseInstant(rule.endAt);
  const why =
    start !== null && at < start
      ? reason("not_started", `It does not fire at ${local}: it begins at ${formatInstant(start)}.`, { until: start })
      : end !== null && at >= end
        ? reason("ended", `It does not fire at ${local}: it ended at ${formatInstant(end)}.`)
        : reason("no_fire", `It does not fire at ${local}.`);
  return sentence([why, ...previousFire(given, at), ...nextFire(given, at)]);
}

/** The rule fires then, and calendars move that. */
function explainMoved({ schedule: { rule, calendars } }: FireToExplain, at: number, to: number): Explanation {
  const by = takenOutAt(calendars, at)!.by;
  const why = by === null ? "none of the calendars that the schedule includes covers it" : excludedWords(by);
  const message = `The fire of ${formatLocal(at, rule.timeZone)} is moved to ${formatLocal(to, rule.timeZone)}: ${why}.`;
  const refs = [formatInstant(to), ...(by === null ? [] : [by])];
  return sentence([reason("rolled", message, { until: to, refs })]);
}

function previousFire({ schedule: { rule, calendars } }: FireToExplain, at: number): ExplanationReason[] {
  const fire = previousFireAt(rule, at, calendars);
  if (fire === null) return [];
  const message = `The fire before is the one of ${formatLocal(fire, rule.timeZone)}.`;
  return [reason("previous_fire", message, { refs: [formatInstant(fire)] })];
}

function nextFire({ schedule: { rule, calendars } }: FireToExplain, at: number): ExplanationReason[] {
  const fire = nextFireAt(rule, at, calendars);
  if (fire === null) return [];
  const message = `The next one is that of ${formatLocal(fire, rule.timeZone)}.`;
  return [reason("next_fire", message, { until: fire, refs: [formatInstant(fire)] })];
}

/** The rule fires then and everything up to then is decided, yet there is no row. */
function whyUnknown({ schedule }: FireToExplain, at: number): ExplanationReason {
  const { rule, createdAt, updatedAt, fires } = schedule;
  const local = formatLocal(at, rule.timeZone);
  if (at <= createdAt) {
    const message = `It did not fire at ${local}: the schedule was created at ${formatInstant(createdAt)}.`;
    return reason("before_creation", message);
  }
  if (rule.maxFires !== null && fires >= rule.maxFires) {
    return reason("max_fires", `The fire of ${local} ${maxFiresWords(schedule)}.`);
  }
  if (at <= updatedAt) {
    const message = `No fire of ${local} is recorded: the schedule was changed later, at ${formatInstant(updatedAt)}.`;
    return reason("other_rule", message);
  }
  return reason("forgotten", `The fire of ${local} is past the ledger's retention.`);
}

const maxFiresWords = ({ rule, fires }: ExplainedSchedule): string =>
  `does not run: the schedule ends after ${rule.maxFires} fires, of which ${fires} have become tasks`;

/** More fires than this ahead are not counted. */
const COUNTED_FIRES = 10_000;

/** `at` is a fire after the mark. */
function isBeyondMaxFires({ rule, calendars, fires, plannedUntil }: ExplainedSchedule, at: number): boolean {
  if (rule.maxFires === null) return false;
  const left = rule.maxFires - fires;
  return left <= 0 || firesBetween(rule, plannedUntil, at, Math.min(left, COUNTED_FIRES) + 1, calendars).length > left;
}

function whyNoMore({ rule }: ExplainedSchedule): ExplanationReason {
  if (rule.endAt === null) return reason("no_fire", "It never fires again.");
  return reason("ended", `It never fires again: its end is ${rule.endAt}.`);
}
