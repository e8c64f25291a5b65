/**
 * A clock that follows the database's: the offset between it and this process' monotonic clock is estimated from round trips. A round trip
 * says where the database's clock was to within half its length; the estimate that is surest now wins, and older ones grow less sure, since
 * two clocks never run alike. A node whose wall clock is wrong therefore fires on time. Time never steps back: when a new estimate is
 * behind, it stands still until it has caught up.
 */
import type { Clock } from "@carillon/core";

/** Beyond this uncertainty a node does not trust its time. */
const MAX_UNCERTAINTY_MS = 250;
/** How fast two clocks may part: NTP slews by up to 500 ppm. */
const DRIFT = 0.0005;
const MAX_SAMPLES = 30;
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
  let samples: Sample[] = [];
  /** The last estimate; after a jump it goes on, but is not trusted. Null before the first sample: then time is the process' own. */
  let offsetMs: number | null = null;
  let lastNow = Number.NEGATIVE_INFINITY;
  let wallOffsetMs = wallClock() - local.monotonic();

  const uncertainty = ({ halfTripMs, takenAt }: Sample) => halfTripMs + DRIFT * (local.monotonic() - takenAt);

  function best(): Sample | null {
    let surest: Sample | null = null;
    for (const sample of samples) if (!surest || uncertainty(sample) < uncertainty(surest)) surest = sample;
    return surest;
  }

  /** Forgets what was measured before a jump. */
  function noticeJump(): void {
    const moved = wallClock() - local.monotonic();
    if (Math.abs(moved - wallOffsetMs) <= JUMP_MS) return;
    wallOffsetMs = moved;
    offsetMs = best()?.offsetMs ?? offsetMs;
    samples = [];
  }

  return {
    now() {
      offsetMs = best()?.offsetMs ?? offsetMs;
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
      const sample = { offsetMs: databaseTime - (sentAt + takenAt) / 2, halfTripMs: (takenAt - sentAt) / 2, takenAt };
      // Two that exclude each other: the database's clock was set, or it is another server's now. The old ones say nothing any more.
      samples = samples.filter(
        (old) => Math.abs(old.offsetMs - sample.offsetMs) <= uncertainty(old) + uncertainty(sample),
      );
      samples = [...samples.slice(1 - MAX_SAMPLES), sample];
    },
    certain() {
      noticeJump();
      const sample = best();
      return sample !== null && uncertainty(sample) <= MAX_UNCERTAINTY_MS;
    },
  };
}
