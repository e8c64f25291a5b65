/**
 * A clock that follows the database's: the offset between it and this process' monotonic clock is estimated from round trips, and the
 * estimate of the shortest recent round trip wins. A node whose wall clock is wrong therefore fires on time. It never steps back: when a
 * new estimate is behind, time stands still until it has caught up.
 */
import type { Clock } from "@carillon/core";

/** Beyond this uncertainty (half a round trip) a node does not trust its time. */
const MAX_UNCERTAINTY_MS = 250;
/** Older samples say nothing about the present offset. */
const SAMPLE_AGE_MS = 30_000;
/** A wall clock that moved against the monotonic one by more than this was set, or the machine slept. */
const JUMP_MS = 250;

export function systemClock(): Clock {
  const origin = performance.timeOrigin;
  return {
    now: () => origin + performance.now(),
    monotonic: () => performance.now(),
    after(delayMs, callback) {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
  };
}

interface Sample {
  offsetMs: number;
  roundTripMs: number;
  takenAt: number;
}

export interface DatabaseClock extends Clock {
  /** Reads the database's clock once. Failures are the caller's to handle; the old estimate stays. */
  measure(): Promise<void>;
  /** False until the first good sample, and after a jump until the next: hand out nothing. */
  certain(): boolean;
}

export function followDatabase(
  readDatabaseTime: () => Promise<number>,
  local: Clock,
  wallClock = Date.now,
): DatabaseClock {
  let samples: Sample[] = [];
  let lastNow = 0;
  let wallOffset = wallClock() - local.monotonic();

  const best = () => samples.reduce<Sample | null>((a, b) => (a && a.roundTripMs <= b.roundTripMs ? a : b), null);

  const jumped = () => {
    const offset = wallClock() - local.monotonic();
    const moved = Math.abs(offset - wallOffset) > JUMP_MS;
    if (moved) {
      wallOffset = offset;
      samples = [];
    }
    return moved;
  };

  return {
    now() {
      const sample = best();
      const estimate = sample ? local.monotonic() + sample.offsetMs : local.now();
      if (estimate > lastNow) lastNow = estimate;
      return lastNow;
    },
    monotonic: () => local.monotonic(),
    after: (delayMs, callback) => local.after(delayMs, callback),
    async measure() {
      jumped();
      const sentAt = local.monotonic();
      const databaseTime = await readDatabaseTime();
      const receivedAt = local.monotonic();
      const roundTripMs = receivedAt - sentAt;
      const offsetMs = databaseTime - (sentAt + receivedAt) / 2;
      samples = samples.filter((sample) => receivedAt - sample.takenAt < SAMPLE_AGE_MS).slice(-30);
      samples.push({ offsetMs, roundTripMs, takenAt: receivedAt });
    },
    certain() {
      if (jumped()) return false;
      const sample = best();
      return sample !== null && sample.roundTripMs / 2 <= MAX_UNCERTAINTY_MS;
    },
  };
}
