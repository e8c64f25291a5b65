import { currentName } from "./zone-names.ts";

/** What an instant looks like on a wall clock of a zone. */
export interface WallTime {
  /** `Sat 21 Nov`, with the year when it is not the current one. */
  date: string;
  /** `02:00:00`, or with milliseconds. */
  time: string;
  /** The same day, in that zone, as `now`. */
  today: boolean;
}

export const viewerZone: string = currentName(Intl.DateTimeFormat().resolvedOptions().timeZone);

/** Falls back to UTC for a zone that this browser does not know. `zone` is the one that was used. */
export function wallTime(at: number, zone: string, now: number, precise = false): WallTime & { zone: string } {
  const format = formatOf(zone);
  const parts = partsOf(format, at);
  const today = partsOf(format, now);
  const sameYear = parts.year === today.year;
  return {
    date: `${parts.weekday} ${parts.day} ${parts.month}${sameYear ? "" : ` ${parts.year}`}`,
    time: `${parts.hour}:${parts.minute}:${parts.second}${precise ? `.${parts.fractionalSecond}` : ""}`,
    today: sameYear && parts.month === today.month && parts.day === today.day,
    zone: knowsZone(zone) ? zone : "UTC",
  };
}

/** `UTC+01:00` as it holds in the zone at this instant. */
export function zoneOffset(zone: string, at: number): string {
  const name = new Intl.DateTimeFormat("en-US", {
    timeZone: knowsZone(zone) ? zone : "UTC",
    timeZoneName: "longOffset",
  })
    .formatToParts(at)
    .find((part) => part.type === "timeZoneName")?.value;
  // Engines disagree on whether the zero offset is written.
  return name === undefined || name === "GMT" ? "UTC+00:00" : name.replace("GMT", "UTC");
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const made = formats.get(zone);
  if (made) return made;
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: knowsZone(zone) ? zone : "UTC",
    weekday: "short",
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
    hourCycle: "h23",
  });
  formats.set(zone, format);
  return format;
}

function partsOf(format: Intl.DateTimeFormat, at: number): Record<string, string> {
  return Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value]));
}

const known = new Map<string, boolean>();

export function knowsZone(zone: string): boolean {
  let answer = known.get(zone);
  if (answer === undefined) {
    try {
      new Intl.DateTimeFormat("en", { timeZone: zone });
      answer = true;
    } catch {
      answer = false;
    }
    known.set(zone, answer);
  }
  return answer;
}
