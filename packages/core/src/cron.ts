/**
 * Cron expressions in time zones. An expression is evaluated on the wall clock of one zone segment at a time, so every change of the
 * clock, of whatever size and at whatever hour, is handled in the one place below. (docs/decisions/003-cron-evaluation.md)
 */
import { type CronDialect, type CronFields, type CronProblem, LAST_YEAR, parseFields } from "./cron-fields.ts";
import { nextWall } from "./cron-wall.ts";
import { LARGEST_OFFSET_MS, type Segment, segmentAt } from "./zone.ts";

export interface DstPolicy {
  /** A wall time that a change leaves out: at the `next` instant that exists, `skip` it, or `shift` it by the length of the gap. */
  gap: "next" | "skip" | "shift";
  /** A wall time that comes twice. */
  overlap: "first" | "second" | "both";
}

export interface Cron {
  readonly expression: string;
  readonly fields: CronFields;
}

const EARLIEST = Date.UTC(1970, 0, 1);
/** No fire is looked for after the year 2199. */
const END = Date.UTC(LAST_YEAR + 1, 0, 1);

const parsed = new Map<string, Cron | CronProblem>();

/** An expression that no date can ever match is a problem too. Equal expressions are parsed once. */
export function parseCron(expression: string, { dialect }: { dialect: CronDialect }): Cron | CronProblem {
  const key = `${dialect} ${expression}`;
  const known = parsed.get(key);
  if (known) return known;
  const cron = readCron(expression, dialect);
  if (parsed.size >= 5_000) parsed.clear();
  if (expression.length <= 256) parsed.set(key, cron);
  return cron;
}

function readCron(expression: string, dialect: CronDialect): Cron | CronProblem {
  const fields = parseFields(expression, dialect);
  if ("code" in fields) return fields;
  if (nextWall(fields, EARLIEST) === null) {
    return { code: "cron_never_fires", message: "No date from 1970 to 2199 matches this expression." };
  }
  return { expression, fields };
}

/**
 * The first fire strictly after `after` (epoch milliseconds); null: none until the end of 2199.
 *
 * With a wildcard or step in the hours, every instant whose wall time matches is a fire, so the rhythm goes on through both copies of
 * a repeated hour. Otherwise each matching wall time is one fire, placed by `dst` where the clock changes; several that a gap moves to
 * one instant are one.
 */
export function nextFire({ fields }: Cron, zone: string, dst: DstPolicy, after: number): number | null {
  let from = Math.max(EARLIEST, Math.floor(after / 1000) * 1000 + 1000);
  while (from < END) {
    const segment = segmentAt(zone, from);
    const fire = fields.rhythm ? fireInRhythm(fields, segment, from) : fireAtWallTime(fields, segment, dst, from);
    if (fire !== null) return fire;
    // Whatever comes later has a wall time, and so an instant, within a day's offset of the next match.
    const later = nextWall(fields, segment.until - LARGEST_OFFSET_MS);
    if (later === null) return null;
    from = Math.max(segment.until, later - LARGEST_OFFSET_MS);
  }
  return null;
}

function fireInRhythm(fields: CronFields, segment: Segment, from: number): number | null {
  const wall = nextWall(fields, from + segment.offset);
  return wall !== null && wall - segment.offset < segment.until ? wall - segment.offset : null;
}

function fireAtWallTime(fields: CronFields, segment: Segment, dst: DstPolicy, from: number): number | null {
  const ordinary = ordinaryFire(fields, segment, dst, from);
  const moved = movedFire(fields, segment, dst, from);
  return ordinary === null ? moved : moved === null ? ordinary : Math.min(ordinary, moved);
}

/** Wall times that exist in this segment, without the copy that the policy leaves out. */
function ordinaryFire(fields: CronFields, segment: Segment, dst: DstPolicy, from: number): number | null {
  const { startedAt, endsAt, offset, offsetBefore, offsetAfter } = segment;
  let first = from + offset;
  let end = segment.until + offset;
  if (dst.overlap === "first" && startedAt !== null) first = Math.max(first, startedAt + offsetBefore);
  if (dst.overlap === "second" && endsAt !== null) end = Math.min(end, endsAt + offsetAfter);
  const wall = nextWall(fields, first);
  return wall !== null && wall < end ? wall - offset : null;
}

/** Wall times of the gap at the start of this segment. */
function movedFire(fields: CronFields, segment: Segment, dst: DstPolicy, from: number): number | null {
  const { startedAt, offset, offsetBefore } = segment;
  if (dst.gap === "skip" || startedAt === null || offset <= offsetBefore) return null;
  if (dst.gap === "next" && from > startedAt) return null;
  const wall = nextWall(fields, dst.gap === "next" ? startedAt + offsetBefore : from + offsetBefore);
  if (wall === null || wall >= startedAt + offset) return null;
  if (dst.gap === "next") return startedAt;
  return wall - offsetBefore < segment.until ? wall - offsetBefore : null;
}
