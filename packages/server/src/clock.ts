/**
 * A clock that follows the database's: the offset between it and this process' monotonic clock is estimated from round trips. A round trip
 * says where the database's clock was to within half its length; an estimate grows less sure with time, since two clocks never run alike,
 * and stays until a surer one comes. A node whose wall clock is wrong therefore fires on time. Time never steps back: when a new estimate is
 * behind, it stands still until it has caught up.
 */
import type { Clock } from "@carillon/core";

/** Beyond this uncertainty a node does not trust its time. */
const MAX_UNCERTAINTY_MS = 250;
/** How fast two clocks may part: NTP slews by up to 500 ppm. */
const DRIFT = 0.0005;
/** A wall clock that moved against the monotonic one by more than this was set, or the machine slept. */
const JUMP_MS = 250;

interface Sample {
  offsetMs: number;
  halfTripMs: number;
  takenAt: number;
}

export interface DatabaseClock extends Clock {
  /** Reads the database's clock once. Failures are the caller's to handle; the old estimate stays. */
  measure(): Promise<void>;
  /** False until the first good sample, and after a jump until the next: hand out nothing. */
  certain(): boolean;
}

/** @param wallClock only watched for jumps */
export function followDatabase(
  readDatabaseTime: () => Promise<number>,
  local: Clock,
  wallClock: () => number = Date.now,
): DatabaseClock {
  /** All grow less sure at the same pace: the surest one now is the surest one for ever, and the others need not be kept. */
  let sample: Sample | null = null;
  /** After a jump the last estimate goes on, but is not trusted. Null before the first: then time is the process' own. */
  let offsetMs: number | null = null;
  let lastNow = Number.NEGATIVE_INFINITY;
  let wallOffsetMs = wallClock() - local.monotonic();

  const uncertainty = ({ halfTripMs, takenAt }: Sample) => halfTripMs + DRIFT * (local.monotonic() - takenAt);

  /** Both cannot be true: the database's clock was set, or it is another server's now. */
  const excludes = (a: Sample, b: Sample) => Math.abs(a.offsetMs - b.offsetMs) > uncertainty(a) + uncertainty(b);

  /** Forgets what was measured before a jump. */
  function noticeJump(): void {
    const moved = wallClock() - local.monotonic();
    if (Math.abs(moved - wallOffsetMs) <= JUMP_MS) return;
    wallOffsetMs = moved;
    sample = null;
  }

  return {
    now() {
      if (offsetMs === null) return local.now();
      lastNow = Math.max(lastNow, local.monotonic() + offsetMs);
      return lastNow;
    },
    monotonic: () => local.monotonic(),
    after: (delayMs, callback) => local.after(delayMs, callback),
    async measure() {
      noticeJump();
      const sentAt = local.monotonic();
      const databaseTime = await readDatabaseTime();
      const takenAt = local.monotonic();
      // A jump on the way spoils the sample: the machine may have slept in the middle of it.
      const before = wallOffsetMs;
      noticeJump();
      if (wallOffsetMs !== before || !Number.isFinite(databaseTime)) return;
      // Slow changes are the wall clock being slewed, not jumps; they must not add up to one.
      wallOffsetMs = wallClock() - takenAt;
      const taken = { offsetMs: databaseTime - (sentAt + takenAt) / 2, halfTripMs: (takenAt - sentAt) / 2, takenAt };
      if (sample && !excludes(sample, taken) && uncertainty(sample) < uncertainty(taken)) return;
      sample = taken;
      offsetMs = taken.offsetMs;
    },
    certain() {
      noticeJump();
      return sample !== null && uncertainty(sample) <= MAX_UNCERTAINTY_MS;
    },
  };
}
