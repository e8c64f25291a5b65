/** How long who finds a queue full had better wait. */
export interface FullQueue {
  maxBacklog: number;
  /** Tasks that are not final. */
  count: number;
  /** Tasks that were to be created. */
  wanted: number;
  /** How many of its tasks become final in a second. */
  perSecond: number;
}

const SHORTEST_MS = 1_000;
const LONGEST_MS = 60_000;
/** When nothing is known to become final. Longer than the client waits by itself, so that its caller is told at once. */
const STANDING_MS = 15_000;
/** Callers that come back when so much of the queue is free find room for more than one of them, and the queue far from empty. */
const FREE_SHARE = 10;

/** Until a tenth of the queue is free, or what the call needs where that is more, at its present pace; 1 s to 60 s. */
export function backlogRetryMs({ maxBacklog, count, wanted, perSecond }: FullQueue): number {
  if (perSecond <= 0) return STANDING_MS;
  const surplus = Math.max(count + wanted - maxBacklog, count - maxBacklog + Math.ceil(maxBacklog / FREE_SHARE));
  return Math.round(Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (surplus / perSecond) * 1_000)));
}
