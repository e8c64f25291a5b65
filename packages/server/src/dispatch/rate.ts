/** Events per millisecond, smoothed: what is older than `windowMs` counts little. */
export interface Rate {
  add(count: number): void;
  /** At this monotonic instant. */
  at(now: number): number;
}

/** Between two readings so much time passes at least, or too few events fall into one. */
const LEAST_MS = 5;

export function createRate(windowMs: number): Rate {
  let count = 0;
  let value = 0;
  let measuredAt = Number.NaN;
  return {
    add(more) {
      count += more;
    },
    at(now) {
      if (Number.isNaN(measuredAt)) measuredAt = now;
      const elapsedMs = now - measuredAt;
      if (elapsedMs < LEAST_MS) return value;
      const weight = 1 - Math.exp(-elapsedMs / windowMs);
      value += weight * (count / elapsedMs - value);
      count = 0;
      measuredAt = now;
      return value;
    },
  };
}
