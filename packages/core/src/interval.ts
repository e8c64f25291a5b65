/** Fixed rate: instants at `anchor + n × every` of elapsed time, n = 0, 1, 2 … (for `every: "5m"` at `startAt`, else the Unix epoch). */

/** The first one strictly after `after`. */
export function nextTick(everyMs: number, anchor: number, after: number): number {
  if (after < anchor) return anchor;
  return anchor + (Math.floor((after - anchor) / everyMs) + 1) * everyMs;
}
