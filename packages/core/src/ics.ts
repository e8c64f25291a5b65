/**
 * iCalendar text (RFC 5545) as the stretches of time that its events take: whole days, times of a day, several days, once or each year. What
 * says something else about when an event is, is refused with its line; what does not (names, alarms, the text's own zones) is passed over.
 */
import { parseDuration } from "./duration.ts";
import type { FieldError } from "./errors.ts";
import { limits } from "./limits.ts";
import { readYearly, type Yearly } from "./yearly.ts";
import { canonicalTimeZone, firstInstantOf, offsetAt } from "./zone.ts";

export interface CalendarEvent {
  zone: string;
  /** Wall times there, `from <= t < to`; with `yearly` those of the first one. */
  from: number;
  to: number;
  yearly: Yearly | null;
}

const DAY_MS = 86_400_000;
const YEAR_MS = 366 * DAY_MS;

/** `timeZone` is that of whole days and of times without a zone. */
export function readIcs(text: string, timeZone: string): { events: CalendarEvent[] } | { error: FieldError } {
  try {
    return { events: readEvents(unfold(text), timeZone) };
  } catch (error) {
    if (error instanceof Refused) return { error: { pointer: "/ics", code: error.code, message: error.message } };
    throw error;
  }
}

class Refused extends Error {
  readonly code: string;

  constructor(line: number, message: string, code = "invalid_ics") {
    super(`Line ${line}: ${message}`);
    this.code = code;
  }
}

interface Line {
  number: number;
  text: string;
}

/** A line that begins with a blank goes on with the one before. */
function unfold(text: string): Line[] {
  const lines: Line[] = [];
  for (const [index, line] of text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/)
    .entries()) {
    const last = lines.at(-1);
    if (last && /^[ \t]/.test(line)) last.text += line.slice(1);
    else if (line !== "") lines.push({ number: index + 1, text: line });
  }
  return lines;
}

interface Property {
  line: number;
  name: string;
  /** Of the parameter; null: there is none. */
  zone: string | null;
  value: string;
}

/** What is read of an event, and what would change its times and is not understood. */
const READ = new Set(["DTSTART", "DTEND", "DURATION", "RRULE", "STATUS"]);
const NOT_UNDERSTOOD = new Set(["RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"]);

function readEvents(lines: Line[], timeZone: string): CalendarEvent[] {
  const events: CalendarEvent[] = [];
  const open: string[] = [];
  let properties = new Map<string, Property>();
  let found = 0;
  for (const line of lines) {
    const property = readProperty(line);
    const { name, line: number } = property;
    const value = property.value.toUpperCase().trim();
    if (open.length === 0 && (name !== "BEGIN" || value !== "VCALENDAR")) {
      throw new Refused(number, "iCalendar text begins with BEGIN:VCALENDAR.");
    }
    const inEvent = open.length === 2 && open[1] === "VEVENT";
    if (name === "BEGIN") {
      open.push(value);
      if (open.length === 2) properties = new Map();
    } else if (name === "END") {
      if (open.pop() !== value) throw new Refused(number, `This END:${value.slice(0, 32)} ends nothing.`);
      if (!inEvent) continue;
      if (++found > limits.icsEvents) throw new Refused(number, `More than ${limits.icsEvents} events.`, "too_many");
      const event = readEvent(properties, number, timeZone);
      if (event) events.push(event);
    } else if (inEvent && NOT_UNDERSTOOD.has(name)) {
      throw new Refused(number, `${name} is not understood.`, "unsupported");
    } else if (inEvent && READ.has(name)) {
      if (properties.has(name)) throw new Refused(number, `A second ${name} in one event.`);
      properties.set(name, property);
    }
  }
  const last = lines.at(-1)?.number ?? 1;
  if (lines.length === 0) throw new Refused(last, "iCalendar text begins with BEGIN:VCALENDAR.");
  if (open.length > 0) throw new Refused(last, `There is no END:${open.at(-1)!.slice(0, 32)}.`);
  return events;
}

/** `NAME;PARAMETER="a:b":value`. Of the parameters only the zone matters. */
function readProperty({ number, text }: Line): Property {
  let quoted = false;
  let colon = 0;
  for (; colon < text.length && (quoted || text[colon] !== ":"); colon++) if (text[colon] === '"') quoted = !quoted;
  if (colon === text.length) throw new Refused(number, "This is no property: it has no colon.");
  const head = text.slice(0, colon);
  const name = head.split(";", 1)[0]!.toUpperCase();
  const [, zone = null] = READ.has(name) ? (/;TZID="?([^";]*)"?(?:;|$)/i.exec(head) ?? []) : [];
  return { line: number, name, zone, value: text.slice(colon + 1) };
}

/** Null for one that takes no time, or was called off. */
function readEvent(properties: Map<string, Property>, end: number, timeZone: string): CalendarEvent | null {
  if (properties.get("STATUS")?.value.trim().toUpperCase() === "CANCELLED") return null;
  const property = properties.get("DTSTART");
  if (!property) throw new Refused(end, "The event that ends here has no DTSTART.");
  const start = readTime(property, timeZone);
  const to = readEnd(properties, start, timeZone);
  const event = { zone: start.zone, from: start.wall, to, yearly: null };
  const rule = properties.get("RRULE");
  if (!rule) return to > start.wall ? event : null;
  if (to - start.wall > YEAR_MS)
    throw new Refused(rule.line, "An event that repeats each year is at most a year long.");
  const yearly = readYearly(rule.value.trim(), start.wall, (text) => readUntil(text, rule, start.zone));
  if ("problem" in yearly) throw new Refused(rule.line, yearly.problem, "unsupported");
  return to > start.wall ? { ...event, yearly } : null;
}

interface Time {
  zone: string;
  wall: number;
  isDate: boolean;
}

const TIME = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?$/i;

function readTime({ name, line, zone, value }: Property, timeZone: string): Time {
  const text = value.trim();
  const [, year, month, day, hour, minute = "00", second = "00", utc] = TIME.exec(text) ?? [];
  const wall = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour ?? 0),
    Number(minute),
    Number(second),
  );
  // Date.UTC carries 30 February over into March; a carried field reads differently.
  const shown = `${year}-${month}-${day}T${hour ?? "00"}:${minute}:${second}.000Z`;
  const known = Number(year) >= 1600 && Number(year) < 2200 && new Date(wall).toISOString() === shown;
  if (!known) throw new Refused(line, `${name} is no date of the years 1600 to 2199: ${text.slice(0, 32)}`);
  if (hour === undefined) return { zone: timeZone, wall, isDate: true };
  if (utc) return { zone: "UTC", wall, isDate: false };
  const named = zone === null ? timeZone : canonicalTimeZone(zone);
  if (named !== null) return { zone: named, wall, isDate: false };
  throw new Refused(line, `"${zone!.slice(0, 64)}" is no IANA time zone.`, "unknown_time_zone");
}

/** As wall time in the zone of the start. */
function readEnd(properties: Map<string, Property>, start: Time, timeZone: string): number {
  const [property, length] = [properties.get("DTEND"), properties.get("DURATION")];
  if (!property && !length) return start.wall + (start.isDate ? DAY_MS : 0);
  if (length) {
    const ms = parseDuration(length.value.trim().replace(/^\+/, ""));
    if (property || ms === null || !/^\+?P/i.test(length.value.trim()) || (start.isDate && ms % DAY_MS !== 0)) {
      throw new Refused(length.line, "DURATION is one such as P1D or PT2H, instead of a DTEND.");
    }
    return start.wall + ms;
  }
  const end = readTime(property!, timeZone);
  if (end.isDate !== start.isDate) throw new Refused(property!.line, "DTSTART and DTEND are both dates or both times.");
  let to = end.wall;
  if (end.zone !== start.zone) {
    const instant = firstInstantOf(end.zone, end.wall);
    to = instant + offsetAt(start.zone, instant);
  }
  if (to < start.wall) throw new Refused(property!.line, "DTEND is before DTSTART.");
  // Some write the last day instead of the day after it.
  return end.isDate && to === start.wall ? to + DAY_MS : to;
}

function readUntil(text: string, rule: Property, zone: string): number | null {
  if (!TIME.test(text)) return null;
  const time = readTime({ ...rule, name: "UNTIL", zone: null, value: text }, zone);
  if (time.isDate) return time.wall + DAY_MS - 1;
  return time.zone === zone ? time.wall : time.wall + offsetAt(zone, time.wall);
}
