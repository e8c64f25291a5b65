/**
 * Rules that are about the wall clock, on the clocks of a zone. A rule says when it matches on a clock that never changes; here it is
 * asked about one segment of a zone at a time, so every change of the clock, of whatever size and at whatever hour, is handled in this one
 * place, alike for cron and RRULE. (docs/decisions/003-cron-evaluation.md)
 */
import { LAST_YEAR } from "./cron-fields.ts";
import { LARGEST_OFFSET_MS, type Segment, segmentAt } from "./zone.ts";

export interface DstPolicy {
  /** A wall time that a change leaves out: at the `next` instant that exists, `skip` it, or `shift` it by the length of the gap. */
  gap: "next" | "skip" | "shift";
  /** A wall time that comes twice. */
  overlap: "first" | "second" | "both";
}

export interface WallRule {
  /** It follows elapsed time through a change of the clock: every instant whose wall time matches is a fire, and no policy applies. */
  readonly rhythm: boolean;
  /** The first match at or after `wall`, a whole second, as epoch milliseconds as if the clock showed UTC; null: none until the end of 2199. */
  nextWall(wall: number): number | null;
}

/** Matches at this wall time alone. */
export function once(time: number): WallRule {
  return { rhythm: false, nextWall: (wall) => (wall <= time ? time : null) };
}

export const EARLIEST = Date.UTC(1970, 0, 1);
/** No fire is looked for after the year 2199. */
const END = Date.UTC(LAST_YEAR + 1, 0, 1);

/**
 * The first fire strictly after `after` (epoch milliseconds); null: none until the end of 2199.
 *
 * Of a rhythm, every instant whose wall time matches is a fire, so it goes on through both copies of a repeated hour. Otherwise each
 * matching wall time is one fire, placed by `dst` where the clock changes; several that a gap moves to one instant are one.
 */
export function nextFire(rule: WallRule, zone: string, dst: DstPolicy, after: number): number | null {
  let from = Math.max(EARLIEST, Math.floor(after / 1000) * 1000 + 1000);
  while (from < END) {
    const segment = segmentAt(zone, from);
    const fire = rule.rhythm ? fireInRhythm(rule, segment, from) : fireAtWallTime(rule, segment, dst, from);
    if (fire !== null) return fire;
    // Whatever comes later has a wall time, and so an instant, within a day's offset of the next match.
    const later = rule.nextWall(segment.until - LARGEST_OFFSET_MS);
    if (later === null) return null;
    from = Math.max(segment.until, later - LARGEST_OFFSET_MS);
  }
  return null;
}

function fireInRhythm(rule: WallRule, segment: Segment, from: number): number | null {
  const wall = rule.nextWall(from + segment.offset);
  return wall !== null && wall - segment.offset < segment.until ? wall - segment.offset : null;
}

function fireAtWallTime(rule: WallRule, segment: Segment, dst: DstPolicy, from: number): number | null {
  const ordinary = ordinaryFire(rule, segment, dst, from);
  const moved = movedFire(rule, segment, dst, from);
  return ordinary === null ? moved : moved === null ? ordinary : Math.min(ordinary, moved);
}

/** Wall times that exist in this segment, without the copy that the policy leaves out. */
function ordinaryFire(rule: WallRule, segment: Segment, dst: DstPolicy, from: number): number | null {
  const { startedAt, endsAt, offset, offsetBefore, offsetAfter } = segment;
  let first = from + offset;
  let end = segment.until + offset;
  if (dst.overlap === "first" && startedAt !== null) first = Math.max(first, startedAt + offsetBefore);
  if (dst.overlap === "second" && endsAt !== null) end = Math.min(end, endsAt + offsetAfter);
  const wall = rule.nextWall(first);
  return wall !== null && wall < end ? wall - offset : null;
}

/** Wall times of the gap at the start of this segment. */
function movedFire(rule: WallRule, segment: Segment, dst: DstPolicy, from: number): number | null {
  const { startedAt, offset, offsetBefore } = segment;
  if (dst.gap === "skip" || startedAt === null || offset <= offsetBefore) return null;
  if (dst.gap === "next" && from > startedAt) return null;
  const wall = rule.nextWall(dst.gap === "next" ? startedAt + offsetBefore : from + offsetBefore);
  if (wall === null || wall >= startedAt + offset) return null;
  if (dst.gap === "next") return startedAt;
  return wall - offsetBefore < segment.until ? wall - offsetBefore : null;
}
