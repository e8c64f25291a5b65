/**
 * Notices a database whose disk is full: it answers reads, and its time, as if nothing were wrong. And one whose disk is nearly full, where
 * the disk is this machine's: new tasks are refused then, so that there is room for what has to be written of those that are there.
 */
import type { Clock } from "@carillon/core";
import { isDiskFull, type Store } from "@carillon/store";

/** A node that nobody sends anything to may have no write that succeeds; after so long it is worth another try. */
const REMEMBERED_MS = 30_000;
/** So much stays free for outcomes, fires, and the database's own log of them. */
export const RESERVED_BYTES = 256 * 1_024 * 1_024;
const LOOK_MS = 5_000;

export interface DiskWatch {
  /** The same, watched. */
  store: Store;
  /** The last write found no room. */
  full(): boolean;
  /** Less is free than is kept for what must still be written. */
  nearlyFull(): boolean;
  /** Looks how much is free. Answers when to look again. */
  look(): Promise<number>;
}

export function watchDisk(
  store: Store,
  {
    clock,
    log,
    freeBytes,
  }: {
    clock: Pick<Clock, "monotonic">;
    log: { error(text: string): void; info(text: string): void };
    /** On the disk of the database; null: nobody here knows. */
    freeBytes: (() => Promise<number>) | null;
  },
): DiskWatch {
  let failedAt: number | null = null;
  let isTight = false;
  function succeeded(): void {
    if (failedAt !== null) log.info("the database's disk has room again");
    failedAt = null;
  }
  function failed(error: unknown): void {
    if (!isDiskFull(error)) return;
    if (failedAt === null) log.error("the database's disk is full: nothing can be stored until it has room again");
    failedAt = clock.monotonic();
  }
  /** The very promise: it stands on the way of every task. */
  const watched =
    <Args extends unknown[], Answer>(write: (...args: Args) => Promise<Answer>) =>
    (...args: Args): Promise<Answer> => {
      const answer = write(...args);
      answer.then(succeeded, failed);
      return answer;
    };
  return {
    store: {
      ...store,
      createTasks: watched(store.createTasks),
      createWorkflow: watched(store.createWorkflow),
      addToWorkflow: watched(store.addToWorkflow),
      recordOutcomes: watched(store.recordOutcomes),
      putSchedule: watched(store.putSchedule),
    },
    nearlyFull: () => isTight,
    async look() {
      const free = freeBytes === null ? Number.POSITIVE_INFINITY : await freeBytes();
      const tight = free < RESERVED_BYTES;
      if (tight !== isTight) {
        isTight = tight;
        if (tight) log.error("the database's disk is nearly full: no new tasks are taken in until it has room again");
        else log.info("the database's disk has room again, and new tasks are taken in");
      }
      return LOOK_MS;
    },
    full: () => failedAt !== null && clock.monotonic() - failedAt < REMEMBERED_MS,
  };
}
