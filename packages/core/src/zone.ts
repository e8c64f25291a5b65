/**
 * Time zones, from the zone data that comes with the runtime. Wall times are written as epoch milliseconds too, as if the wall clock
 * showed UTC: `wall = instant + offset`. A zone is a row of segments in which the offset does not change; everything else follows from
 * that, and segments are found a year at a time and kept.
 */
import { Temporal as polyfill } from "temporal-polyfill";

const temporal: Pick<typeof polyfill, "ZonedDateTime"> =
  (globalThis as { Temporal?: typeof polyfill }).Temporal ?? polyfill;

const DAY = 86_400_000;

/** No offset that any zone ever had is larger. */
export const LARGEST_OFFSET_MS = 16 * 3_600_000;

/** The name as IANA writes it (`europe/paris` → `Europe/Paris`), links as they are; null for what is no IANA name: `+01:00`, `CEST`, `PST`. */
export function canonicalTimeZone(name: string): string | null {
  const known = names.get(name);
  if (known !== undefined) return known;
  const canonical = readName(name);
  if (names.size >= 2_000) names.clear();
  names.set(name, canonical);
  return canonical;
}

const names = new Map<string, string | null>();

function readName(name: string): string | null {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name) || /^(systemv|etc\/unknown)/i.test(name)) return null;
  try {
    return new temporal.ZonedDateTime(0n, name).timeZoneId;
  } catch {
    return null;
  }
}

export function isTimeZone(name: string): boolean {
  return canonicalTimeZone(name) !== null;
}

/** Zones that stand for an offset (`Etc/GMT+3`, `EST`) where a region was probably meant. `UTC` and its other names are not among them. */
export function isFixedOffsetZone(name: string): boolean {
  return /^(etc\/gmt[+-]([1-9]|1[0-4])|est|mst|hst)$/i.test(name);
}

/** A stretch with one offset. Cut at the ends of a year; `startedAt` and `endsAt` are the real changes, null when none is within two days. */
export interface Segment {
  from: number;
  until: number;
  offset: number;
  startedAt: number | null;
  offsetBefore: number;
  endsAt: number | null;
  offsetAfter: number;
}

export interface Transition {
  at: number;
  offsetBefore: number;
  offsetAfter: number;
}

/** The segment that holds this instant. Throws a RangeError for a name that is no zone. */
export function segmentAt(zone: string, instant: number): Segment {
  const { segments } = yearOf(zone, instant);
  let index = 0;
  while (index < segments.length - 1 && instant >= segments[index]!.until) index++;
  return segments[index]!;
}

/** Milliseconds to add to an instant for the wall time. */
export function offsetAt(zone: string, instant: number): number {
  return segmentAt(zone, instant).offset;
}

/** Changes of the offset with `after < at <= until`, in order. */
export function transitionsBetween(zone: string, after: number, until: number): Transition[] {
  const found: Transition[] = [];
  for (let cursor = after; cursor <= until; ) {
    const year = yearOf(zone, cursor);
    for (const transition of year.transitions) {
      if (transition.at > after && transition.at <= until && transition.at >= year.from && transition.at < year.until)
        found.push(transition);
    }
    cursor = year.until;
  }
  return found;
}

/** The instants at which the wall clock shows this: none in a gap, two in an overlap. */
export function wallToInstants(zone: string, wall: number): number[] {
  const offsets = new Set([offsetAt(zone, wall - LARGEST_OFFSET_MS), offsetAt(zone, wall + LARGEST_OFFSET_MS)]);
  for (const transition of transitionsBetween(zone, wall - LARGEST_OFFSET_MS, wall + LARGEST_OFFSET_MS)) {
    offsets.add(transition.offsetBefore).add(transition.offsetAfter);
  }
  const instants = [...offsets].map((offset) => wall - offset);
  return instants.filter((instant) => instant + offsetAt(zone, instant) === wall).sort((a, b) => a - b);
}

/** The instant of a wall time: the first of two; for one that does not exist, the next instant that does. */
export function firstInstantOf(zone: string, wall: number): number {
  const [first] = wallToInstants(zone, wall);
  if (first !== undefined) return first;
  const gap = transitionsBetween(zone, wall - LARGEST_OFFSET_MS, wall + LARGEST_OFFSET_MS).find(
    ({ at, offsetBefore, offsetAfter }) => at + offsetBefore <= wall && wall < at + offsetAfter,
  );
  return gap!.at;
}

interface Year {
  from: number;
  until: number;
  /** Those of two more days at either end too. */
  transitions: Transition[];
  segments: Segment[];
}

const years = new Map<string, Map<number, Year>>();
let yearsKept = 0;

function yearOf(zone: string, instant: number): Year {
  const number = new Date(instant).getUTCFullYear();
  let ofZone = years.get(zone);
  const known = ofZone?.get(number);
  if (known) return known;
  if (yearsKept++ >= 20_000) {
    years.clear();
    formats.clear();
    yearsKept = 1;
    ofZone = undefined;
  }
  if (!ofZone) years.set(zone, (ofZone = new Map()));
  const year = readYear(zone, number);
  ofZone.set(number, year);
  return year;
}

function readYear(zone: string, number: number): Year {
  const from = Date.UTC(number, 0, 1);
  const until = Date.UTC(number + 1, 0, 1);
  const transitions = readTransitions(zone, from - 2 * DAY, until + 2 * DAY);
  const segments: Segment[] = [];
  let offset = transitions[0]?.offsetBefore ?? readOffset(zone, from);
  let startedAt: number | null = null;
  let offsetBefore = offset;
  for (const next of [...transitions, null]) {
    const end = next?.at ?? until;
    if (end > from && (startedAt ?? from) < until) {
      segments.push({
        from: Math.max(from, startedAt ?? from),
        until: Math.min(until, end),
        offset,
        startedAt,
        offsetBefore,
        endsAt: next?.at ?? null,
        offsetAfter: next?.offsetAfter ?? offset,
      });
    }
    if (!next) break;
    startedAt = next.at;
    offsetBefore = next.offsetBefore;
    offset = next.offsetAfter;
  }
  return { from, until, transitions, segments };
}

/** Zones have changed twice within seven days (Boa Vista, October 2000), never within five. */
const SAMPLE_MS = 5 * DAY;

function readTransitions(zone: string, from: number, until: number): Transition[] {
  const transitions: Transition[] = [];
  let before = readOffset(zone, from);
  for (let start = from; start < until; start += SAMPLE_MS) {
    const end = Math.min(until, start + SAMPLE_MS);
    const after = readOffset(zone, end);
    if (after !== before) {
      let low = start / 1000;
      let high = end / 1000;
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (readOffset(zone, middle * 1000) === before) low = middle;
        else high = middle;
      }
      transitions.push({ at: high * 1000, offsetBefore: before, offsetAfter: after });
    }
    before = after;
  }
  return transitions;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function readOffset(zone: string, instant: number): number {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    formats.set(zone, format);
  }
  const text = format.format(instant);
  const match = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text);
  if (!match) throw new Error(`Offset not understood: ${text}`);
  const [, sign, hours, minutes, seconds] = match;
  if (sign === undefined) return 0;
  const size = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds ?? 0)) * 1000;
  return sign === "-" ? -size : size;
}
