/** Notices a database whose disk is full: it answers reads, and its time, as if nothing were wrong. */
import type { Clock } from "@carillon/core";
import { isDiskFull, type Store } from "@carillon/store";

/** A node that nobody sends anything to may have no write that succeeds; after so long it is worth another try. */
const REMEMBERED_MS = 30_000;

export interface DiskWatch {
  /** The same, watched. */
  store: Store;
  /** The last write found no room. */
  full(): boolean;
}

export function watchDisk(
  store: Store,
  { clock, log }: { clock: Pick<Clock, "monotonic">; log: { error(text: string): void; info(text: string): void } },
): DiskWatch {
  let failedAt: number | null = null;
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
    full: () => failedAt !== null && clock.monotonic() - failedAt < REMEMBERED_MS,
  };
}
