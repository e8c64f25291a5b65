/**
 * Whether there was a time in which no node was alive. Asked when a node starts and the last sign of life before it is old, and by a node that
 * stood still itself, with its machine or alone: the answer comes when every earlier session has proved dead, or one of them moves. One that moves but is itself still starting is waited for: it
 * asks the same question, and asked first. Nothing is planned or claimed before, because fires of that time
 * are missed and the schedule's catch-up policy decides about them.
 */
import { type Clock, delay, type Id } from "@carillon/core";
import type { OpenedSession, Store } from "@carillon/store";
import type { Log } from "../dispatch/options.ts";

/** A shorter absence makes nothing missed. */
export const DOWNTIME_MS = 10_000;
const READ_MS = 300;

export async function decideDowntime(
  opened: Pick<OpenedSession, "id" | "lastSeenAt">,
  { store, clock, log, stopped }: { store: Store; clock: Clock; log: Log; stopped: () => boolean },
): Promise<void> {
  const { id, lastSeenAt } = opened;
  const startedAt = clock.now();
  if (lastSeenAt === null || startedAt - lastSeenAt < DOWNTIME_MS) return;
  const beats = new Map<Id, bigint>();
  while (!stopped()) {
    const earlier = await readSessions(store, id);
    const undead = earlier?.filter(({ deadAt }) => deadAt === null);
    if (undead?.some((other) => !other.starting && (beats.get(other.id) ?? other.beat) !== other.beat)) return;
    if (undead?.length === 0) {
      try {
        await store.recordDowntime({ from: lastSeenAt, until: startedAt });
        log.warn({ from: new Date(lastSeenAt), until: new Date(startedAt) }, "no node was alive");
        return;
      } catch (error) {
        log.warn({ error }, "a downtime could not be recorded yet; until then nothing is claimed or planned");
      }
    }
    for (const other of undead ?? []) beats.set(other.id, other.beat);
    await delay(clock, READ_MS);
  }
}

/** Sessions older than this one; null when the store does not answer. The reaper, which already runs, marks the dead ones. */
async function readSessions(store: Store, id: Id) {
  const sessions = await store.sessions().catch(() => null);
  return sessions?.filter((other) => other.id < id);
}
