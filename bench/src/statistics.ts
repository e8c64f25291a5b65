export interface Spread {
  median: number;
  min: number;
  max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** Of sorted values. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** Milliseconds late; `earliest` must never be negative. */
export function latenessFigures(lateness: readonly number[]): Record<string, number> {
  const sorted = Float64Array.from(lateness).sort();
  const at = (share: number) => quantile(sorted as unknown as number[], share);
  return { p99: at(0.99), p50: at(0.5), max: at(1), earliest: at(0), tasks: sorted.length };
}
