/** Durations as people write them: `1h30m` (units `w d h m s ms`, largest first, each once; a day is 24 h) or ISO 8601 without years and months. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;

/** A hundred years. What a field allows is far less: what is longer still is as long as this, and as much out of range. */
const LONGEST_MS = 36_525 * DAY;

const SHORT = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const ISO = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d{1,9}))?S)?)?$/;

/** Milliseconds, at most a hundred years; null for anything else than one of the two forms. */
export function parseDuration(text: string): number | null {
  if (text === "" || text === "P" || text.length > 64) return null;
  const short = SHORT.exec(text);
  const match = short ?? ISO.exec(text);
  if (!match) return null;
  const [, weeks, days, hours, minutes, seconds, last] = match;
  const count = (digits: string | undefined) => Number(digits ?? 0);
  const milliseconds = short ? count(last) : count(last?.padEnd(3, "0").slice(0, 3));
  const sum =
    count(weeks) * WEEK +
    count(days) * DAY +
    count(hours) * HOUR +
    count(minutes) * MINUTE +
    count(seconds) * SECOND +
    milliseconds;
  return Math.min(sum, LONGEST_MS);
}

/** The one short form of so many milliseconds (none negative): `1h30m`, `500ms`, `0s`. Days from two on: `24h`, `2d`. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  if (rest === 0) return "0s";
  let text = "";
  const units: [string, number][] = [
    ["h", HOUR],
    ["m", MINUTE],
    ["s", SECOND],
    ["ms", 1],
  ];
  if (rest >= 2 * DAY) units.unshift(["d", DAY]);
  for (const [unit, size] of units) {
    const amount = Math.floor(rest / size);
    if (amount > 0) text += amount + unit;
    rest -= amount * size;
  }
  return text;
}
