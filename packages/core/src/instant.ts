/** Instants as text: RFC 3339, or a wall time with its zone. Inside they are epoch milliseconds. */
import { canonicalTimeZone, firstInstantOf, offsetAt, wallToInstants } from "./zone.ts";

const FIRST = 0;
/** The end of the year 9999: what is later has no such text. */
export const LAST_INSTANT = Date.UTC(10_000, 0, 1) - 1;

const FORM =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?([Zz]|[+-]\d\d:\d\d)?(?:\[([A-Za-z0-9_+/-]{1,64})\])?$/;

/**
 * RFC 3339 with any offset (`2026-11-21T02:00:00+01:00`), or a wall time with its zone (`2026-03-29T02:30[Europe/Paris]`): in a gap the
 * next instant that exists, of two the first. With both, the offset must be one that the zone has then. Years 1970 to 9999; parts of a
 * millisecond are cut off. Null for anything else.
 */
export function parseInstant(text: string): number | null {
  const match = FORM.exec(text);
  if (!match) return null;
  const [, year, month, day, hour, minute, second, fraction, offset, zoneName] = match;
  if (zoneName === undefined && (offset === undefined || second === undefined)) return null;
  const wall =
    Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second ?? 0)) +
    Number((fraction ?? "").padEnd(3, "0").slice(0, 3));
  // Date.UTC carries 30 February over into March; a carried field reads differently.
  const shown = `${year}-${month}-${day}T${hour}:${minute}:${second ?? "00"}`;
  if (Number(year) < 1000 || new Date(wall).toISOString().slice(0, 19) !== shown) return null;
  const instant = zoneName === undefined ? atOffset(wall, offset!) : inZone(wall, zoneName, offset);
  return instant !== null && instant >= FIRST && instant <= LAST_INSTANT ? instant : null;
}

function atOffset(wall: number, offset: string): number | null {
  const ms = parseOffset(offset);
  return ms === null ? null : wall - ms;
}

function inZone(wall: number, zoneName: string, offset: string | undefined): number | null {
  const zone = canonicalTimeZone(zoneName);
  if (zone === null || wall < FIRST - 86_400_000) return null;
  if (offset === undefined) return firstInstantOf(zone, wall);
  const ms = parseOffset(offset);
  if (ms === null) return null;
  // A zone's offset may have seconds, which the text rounds away.
  return wallToInstants(zone, wall).find((instant) => Math.abs(wall - instant - ms) < 60_000) ?? null;
}

function parseOffset(text: string): number | null {
  if (text === "Z" || text === "z") return 0;
  const hours = Number(text.slice(1, 3));
  const minutes = Number(text.slice(4, 6));
  if (hours > 23 || minutes > 59) return null;
  return (hours * 60 + minutes) * (text.startsWith("-") ? -60_000 : 60_000);
}

/** `2026-11-21T01:00:00.000Z`. */
export function formatInstant(ms: number): string {
  return new Date(Math.floor(ms)).toISOString();
}

/** `2026-11-21T02:00:00+01:00[Europe/Paris]`; milliseconds only where there are any. */
export function formatLocal(ms: number, zone: string): string {
  const instant = Math.floor(ms);
  const offset = offsetAt(zone, instant);
  const wall = new Date(instant + offset)
    .toISOString()
    .slice(0, -1)
    .replace(/\.000$/, "");
  return `${wall}${formatOffset(offset)}[${zone}]`;
}

/** `+01:00`; rounded to the minute. */
export function formatOffset(offsetMs: number): string {
  const minutes = Math.round(Math.abs(offsetMs) / 60_000);
  const two = (part: number) => String(part).padStart(2, "0");
  return `${offsetMs < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
