/**
 * Recurrence rules of RFC 5545 as fires. Instances are wall times of the schedule's zone, placed where the clock changes by the same code
 * and policies as those of cron. (docs/decisions/012-rrule.md)
 */
import { type Moment, parseRruleText, type RruleProblem, type RruleText } from "./rrule-fields.ts";
import { type CompleteRrule, completeRrule, type NextWall, nextWallOf, unitSeconds } from "./rrule-wall.ts";
import { type DstPolicy, nextFire, type WallRule } from "./wall-rule.ts";
import { canonicalTimeZone, LARGEST_OFFSET_MS, offsetAt } from "./zone.ts";

/** What an RRULE leaves to its schedule. */
export interface RruleContext {
  timeZone: string;
  dst: DstPolicy;
  /** Where the rule starts when it has no DTSTART; null: 1 January 1970, 00:00, on the zone's clock. */
  startAt: number | null;
}

/** What can be said in words. */
export interface RruleParts {
  /** Complete: what the text leaves out is taken from the start. */
  readonly parts: CompleteRrule;
  readonly added: number;
  readonly removed: number;
}

export interface Rrule extends RruleParts {
  /** The rule's own instances, without those that EXDATE removes. */
  readonly wallRule: WallRule;
  /** The first fire strictly after `after`; null: none until the end of 2199. */
  next(after: number): number | null;
}

const DAY = 86_400_000;

type Read = Rrule | RruleProblem | (RruleProblem & RruleParts);

const parsed = new Map<string, Read>();

/** A rule without any instance is a problem too. Equal rules are read once. */
export function parseRrule(text: string, context: RruleContext): Read {
  const { timeZone, dst, startAt } = context;
  const key = [timeZone, dst.gap, dst.overlap, startAt, text].join(" ");
  const known = parsed.get(key);
  if (known) return known;
  const rrule = readRrule(text, context);
  if (parsed.size >= 1_000) parsed.clear();
  parsed.set(key, rrule);
  return rrule;
}

function readRrule(text: string, context: RruleContext): Read {
  const read = parseRruleText(text);
  if ("code" in read) return read;
  const other = read.zones.find((zone) => canonicalTimeZone(zone) !== canonicalTimeZone(context.timeZone));
  if (other !== undefined) {
    const message = `TZID=${other.slice(0, 64)} is not the schedule's timeZone, ${context.timeZone}.`;
    return { code: "rrule_invalid", message };
  }
  if (read.rule.count !== null && !read.start && context.startAt === null) {
    return { code: "rrule_invalid", message: "COUNT needs a DTSTART, or startAt, to count from." };
  }
  const rrule = combine(read, context);
  if (rrule.next(0) === null) {
    const { parts, added, removed } = rrule;
    const message = "No instant from 1970 to 2199 matches this rule.";
    return { code: "cron_never_fires", message, parts, added, removed };
  }
  return rrule;
}

function combine(read: RruleText, context: RruleContext): Rrule {
  const { timeZone, dst } = context;
  const start = startOf(read, context);
  const parts = completeRrule(read.rule, start);
  const rule: WallRule = { rhythm: isRhythm(parts), nextWall: upTo(parts.until, nextWallOf(parts)) };
  const isRemoved = without(read.removed);
  const kept: WallRule = { rhythm: rule.rhythm, nextWall: leavingOut(read.removed, rule.nextWall) };
  const added: WallRule = { rhythm: false, nextWall: leavingOut(read.removed, nextOf(addedWalls(read.added, start))) };
  const nextAdded = nextOf(read.added.filter(({ kind }) => kind === "utc").map(({ wall }) => wall));
  const until = parts.until?.kind === "utc" ? parts.until.wall : Number.POSITIVE_INFINITY;
  let last: number | null = null;

  /** Only what the rule itself makes ends by UNTIL and COUNT. */
  function nextOfRule(after: number): number | null {
    last ??= Math.min(until, parts.count === null ? until : lastOf(rule, context, parts.count, start));
    const fire = nextFire(kept, timeZone, dst, after);
    return fire !== null && fire <= last ? fire : null;
  }

  return {
    parts,
    added: read.added.length,
    removed: read.removed.length,
    wallRule: kept,
    next(after) {
      for (let from = after; ; ) {
        const fires = [
          nextOfRule(from),
          read.added.length === 0 ? null : nextFire(added, timeZone, dst, from),
          nextAdded(Math.floor(from) + 1),
        ].filter((fire) => fire !== null);
        if (fires.length === 0) return null;
        from = Math.min(...fires);
        if (!isRemoved(from)) return from;
      }
    },
  };
}

function startOf({ start }: RruleText, { timeZone, startAt }: RruleContext): number {
  if (start) return start.kind === "utc" ? start.wall + offsetAt(timeZone, start.wall) : start.wall;
  if (startAt === null) return 0;
  const instant = Math.ceil(startAt / 1000) * 1000;
  return instant + offsetAt(timeZone, instant);
}

/** As a wildcard or a step in the hours is in cron: it goes on through a change of the clock. From a day on, periods are wall times. */
function isRhythm({ frequency, interval, hours }: CompleteRrule): boolean {
  const unit = unitSeconds[frequency];
  return unit !== undefined && hours === null && interval * unit < 86_400;
}

/** The instance that COUNT ends with; those in a gap that is skipped do not count. Infinite when the rule ends before. */
function lastOf(rule: WallRule, { timeZone, dst }: RruleContext, count: number, start: number): number {
  let at = start - LARGEST_OFFSET_MS;
  for (let counted = 0; counted < count; counted++) {
    const fire = nextFire(rule, timeZone, dst, at);
    if (fire === null) return Number.POSITIVE_INFINITY;
    at = fire;
  }
  return at;
}

/** A date as UNTIL means all of that day. */
function upTo(until: Moment | null, next: NextWall): NextWall {
  if (!until || until.kind === "utc") return next;
  const last = until.kind === "date" ? until.wall + DAY - 1 : until.wall;
  return (wall) => {
    const match = next(wall);
    return match !== null && match <= last ? match : null;
  };
}

/** Without the wall times, and the whole days, that EXDATE names. */
function leavingOut(removed: Moment[], next: NextWall): NextWall {
  const walls = new Set(removed.filter(({ kind }) => kind === "local").map(({ wall }) => wall));
  const days = new Set(removed.filter(({ kind }) => kind === "date").map(({ wall }) => wall));
  if (walls.size + days.size === 0) return next;
  return (wall) => {
    for (let match = next(wall); match !== null; ) {
      const day = Math.floor(match / DAY) * DAY;
      if (days.has(day)) match = next(day + DAY);
      else if (walls.has(match)) match = next(match + 1000);
      else return match;
    }
    return null;
  };
}

/** Whether EXDATE names this instant. */
function without(removed: Moment[]): (fire: number) => boolean {
  const instants = new Set(removed.filter(({ kind }) => kind === "utc").map(({ wall }) => wall));
  return (fire) => instants.has(fire);
}

/** A date as RDATE means the start's time of day then. */
function addedWalls(added: Moment[], start: number): number[] {
  const time = start - Math.floor(start / DAY) * DAY;
  return added.flatMap(({ kind, wall }) => (kind === "utc" ? [] : [kind === "date" ? wall + time : wall]));
}

function nextOf(times: number[]): NextWall {
  const sorted = [...times].sort((a, b) => a - b);
  return (from) => sorted.find((time) => time >= from) ?? null;
}
