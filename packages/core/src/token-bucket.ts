/**
 * A rate limit as a token bucket: it holds `burst` tokens at most, `limit` of them flow in each `perMs`, and whatever starts takes one. So
 * in any window at most `burst + limit × window / perMs` start.
 *
 * A bucket is one number: the instant at which it is full again (epoch milliseconds); null, or an instant that is over: it is full. So it
 * needs no upkeep, and a clock that steps back gives nobody a token twice.
 */
export interface RateLimit {
  limit: number;
  perMs: number;
  burst: number;
}

/** Of a token: what adding and taking away again of instants in floating point may be wrong by. */
const EPSILON = 1e-3;

const tokenMs = ({ limit, perMs }: RateLimit): number => perMs / limit;

/** Whole tokens that there are now. */
export function tokensIn(fullAt: number | null, rate: RateLimit, now: number): number {
  const missing = Math.max(0, (fullAt ?? now) - now) / tokenMs(rate);
  return Math.max(0, Math.floor(rate.burst - missing + EPSILON));
}

/** The bucket after so many of its tokens were taken. */
export function takeTokens(fullAt: number | null, rate: RateLimit, count: number, now: number): number | null {
  return count === 0 ? fullAt : Math.max(now, fullAt ?? now) + count * tokenMs(rate);
}

/** From when on it holds a token, if nobody takes any meanwhile; an instant that may be over. */
export function tokenAt(fullAt: number | null, rate: RateLimit): number {
  return fullAt === null ? Number.NEGATIVE_INFINITY : Math.ceil(fullAt - (rate.burst - 1) * tokenMs(rate));
}

/** The same number of tokens under another limit, as far as its bucket holds them. */
export function underRate(fullAt: number | null, before: RateLimit, after: RateLimit, now: number): number | null {
  if (fullAt === null || fullAt <= now) return null;
  const tokens = before.burst - (fullAt - now) / tokenMs(before);
  return tokens >= after.burst ? null : now + (after.burst - tokens) * tokenMs(after);
}
