const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** As precise as is useful: `12 ms`, `1.4 s`, `3 m 5 s`, `2 h 10 m`, `4 d 3 h`. */
export function formatDuration(ms: number): string {
  const size = Math.abs(ms);
  const sign = ms < 0 ? "−" : "";
  if (size < SECOND) return `${sign}${Math.round(size)} ms`;
  if (size < 10 * SECOND) return `${sign}${(Math.floor(size / 100) / 10).toFixed(1)} s`;
  return sign + wholeUnits(size);
}

/** For a clock that ticks each second: whole seconds, never a fraction. */
export function formatCountdown(ms: number): string {
  return wholeUnits(Math.abs(ms));
}

function wholeUnits(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return pair(ms, MINUTE, "m", SECOND, "s");
  if (ms < DAY) return pair(ms, HOUR, "h", MINUTE, "m");
  if (ms < 90 * DAY) return pair(ms, DAY, "d", HOUR, "h");
  return `${Math.floor(ms / DAY)} d`;
}

function pair(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  const whole = `${Math.floor(ms / large)} ${largeName}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallName}`;
}

/** `in 5 s`, `12 s ago`, `now`. */
export function formatRelative(at: number, now: number): string {
  const ms = at - now;
  if (Math.abs(ms) < SECOND) return "now";
  return ms > 0 ? `in ${formatCountdown(ms)}` : `${formatCountdown(ms)} ago`;
}
