/**
 * What a calendar covers, a year of instants at a time: its stretches of wall time are laid over the zone's segments, in which instant = wall
 * time − offset, so that a day is the zone's own, with 23 hours or 25. Years are kept with the calendar.
 */
import { type Calendar, parseClock, parseWall, type WeeklyWindow, weekdays } from "./calendar.ts";
import type { CalendarEvent } from "./ics.ts";
import { weekdayIndex, yearlyStart } from "./yearly.ts";
import { LARGEST_OFFSET_MS, segmentAt } from "./zone.ts";

type Span = [from: number, until: number];

const DAY_MS = 86_400_000;
/** Thirty years: who looks for what is not covered looks no further, since each year has to be laid out. */
export const LONGEST_COVER_MS = 30 * 366 * DAY_MS;

/**
 * When the stretch that covers this instant ends, `Infinity` after thirty years and more; null: it is not covered. Who needs to know it no
 * further than so far is told an instant behind that, up to which it surely is covered.
 */
export function coveredUntil(calendar: Calendar, instant: number, withinMs = LONGEST_COVER_MS): number | null {
  let end: number | null = null;
  for (let at = instant; at < instant + withinMs; at = end) {
    const span = spanAt(spansOf(calendar, new Date(at).getUTCFullYear()), at);
    if (!span) return end;
    end = span[1];
  }
  return withinMs < LONGEST_COVER_MS ? end : Number.POSITIVE_INFINITY;
}

/** When the next stretch that covers something begins, this instant included; `Infinity`: not within thirty years. Limited alike. */
export function coveredFrom(calendar: Calendar, instant: number, withinMs = LONGEST_COVER_MS): number {
  let at = instant;
  while (at < instant + withinMs) {
    const year = new Date(at).getUTCFullYear();
    const spans = spansOf(calendar, year);
    if (spanAt(spans, at)) return at;
    const next = spans[countUntil(spans, at)];
    if (next) return next[0];
    at = Date.UTC(year + 1, 0, 1);
  }
  return withinMs < LONGEST_COVER_MS ? at : Number.POSITIVE_INFINITY;
}

/** The last that does not begin later, if it has not ended. */
function spanAt(spans: Span[], instant: number): Span | null {
  const span = spans[countUntil(spans, instant) - 1];
  return span && instant < span[1] ? span : null;
}

/** How many do not begin later. */
function countUntil(spans: Span[], instant: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]![0] <= instant) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A calendar as it is worked with. */
interface Prepared {
  timeZone: string;
  /** By weekday, in milliseconds since that day's midnight. */
  windows: Span[][];
  once: CalendarEvent[];
  yearly: CalendarEvent[];
  years: Map<number, Span[]>;
}

const known = new WeakMap<Calendar, Prepared>();

function spansOf(calendar: Calendar, year: number): Span[] {
  let prepared = known.get(calendar);
  if (!prepared) known.set(calendar, (prepared = prepare(calendar)));
  let spans = prepared.years.get(year);
  if (!spans) prepared.years.set(year, (spans = readYear(prepared, year)));
  return spans;
}

function prepare({ timeZone, weekly, dates, ranges, events }: Calendar): Prepared {
  const once = (from: number, to: number): CalendarEvent => ({ zone: timeZone, from, to, yearly: null });
  return {
    timeZone,
    windows: weekdays.map((day) => merge(weekly.filter(({ days }) => days.includes(day)).map(windowSpan))),
    once: [
      ...dates.map((date) => once(parseWall(date)!, parseWall(date)! + DAY_MS)),
      ...ranges.map(({ from, to }) => once(parseWall(from)!, parseWall(to)!)),
      ...events.filter(({ yearly }) => yearly === null),
    ],
    yearly: events.filter(({ yearly }) => yearly !== null),
    years: new Map(),
  };
}

function windowSpan({ from, to }: WeeklyWindow): Span {
  const [start, end] = [parseClock(from)!, parseClock(to)!];
  return [start, end > start ? end : end + DAY_MS];
}

function readYear({ timeZone, windows, once, yearly }: Prepared, year: number): Span[] {
  const [from, until] = [Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1)];
  const [first, last] = [from - LARGEST_OFFSET_MS, until + LARGEST_OFFSET_MS];
  const walls = new Map<string, Span[]>();
  const add = (zone: string, start: number, end: number) => {
    if (start >= last || end <= first) return;
    const spans = walls.get(zone);
    if (spans) spans.push([start, end]);
    else walls.set(zone, [[start, end]]);
  };
  // A window that passes midnight began the day before.
  for (let day = from - 2 * DAY_MS; day < last; day += DAY_MS) {
    for (const [start, end] of windows[weekdayIndex(day)]!) add(timeZone, day + start, day + end);
  }
  for (const event of once) add(event.zone, event.from, event.to);
  for (const event of yearly) {
    // At most a year long, so one that reaches into this year began in the last one at the earliest.
    for (const candidate of [year - 1, year, year + 1]) {
      const start = yearlyStart(event.yearly!, event.from, candidate);
      if (start !== null) add(event.zone, start, start + event.to - event.from);
    }
  }
  return merge([...walls].flatMap(([zone, spans]) => toInstants(zone, merge(spans), from, until)));
}

function toInstants(zone: string, walls: Span[], from: number, until: number): Span[] {
  const spans: Span[] = [];
  for (let at = from; at < until; ) {
    const { until: end, offset } = segmentAt(zone, at);
    for (const [start, stop] of walls) {
      const span: Span = [Math.max(start - offset, at), Math.min(stop - offset, end, until)];
      if (span[0] < span[1]) spans.push(span);
    }
    at = end;
  }
  return spans;
}

/** In order, those that touch as one. */
function merge(spans: Span[]): Span[] {
  const merged: Span[] = [];
  for (const [from, until] of spans.sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], until);
    else merged.push([from, until]);
  }
  return merged;
}
