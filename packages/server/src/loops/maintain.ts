/** Upkeep that one node at a time does for all; the store decides who. */
import type { Clock } from "@carillon/core";
import type { Store } from "@carillon/store";

const MAINTAIN_MS = 60_000;
const VACUUM_MS = 2_000;

/** Partitions ahead, retention, expired keys. */
export function maintainRound(options: {
  store: Store;
  clock: Clock;
  retentionMs: number;
  logRetentionMs: number;
}): () => Promise<number> {
  const { store, clock, retentionMs, logRetentionMs } = options;
  return async () => {
    await store.maintain({ now: clock.now(), retentionMs, logRetentionMs });
    return MAINTAIN_MS;
  };
}

/** Without it the hot table bloats within half a minute of full load: autovacuum looks once a minute at most. */
export function vacuumRound({ store }: { store: Store }): () => Promise<number> {
  return async () => {
    await store.vacuum();
    return VACUUM_MS;
  };
}
