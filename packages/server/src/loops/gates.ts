/**
 * Judges gates when their time has come. Every node does; the store gives each gate to one of them at a time. A gate where something waits
 * for an end is looked at every few seconds, and at once by the node that writes such an end: it knows the gates of the coming seconds.
 */
import type { Clock, Id } from "@carillon/core";
import type { Gate, JudgedGates, Store } from "@carillon/store";
import type { CreatedTask } from "../dispatch/demand.ts";
import type { Feed, Lease, Log } from "../dispatch/options.ts";

const POLL_MS = 1_000;
/** Farther than any gate that waits for an end is looked at. */
const AHEAD_MS = 7_000;
const GATES_A_ROUND = 500;
const GATES_KNOWN = 10_000;
/** Another node judges it, or its schedule is being changed. */
const TAKEN_MS = 25;

export interface Gates {
  round(): Promise<number>;
  /** A task of this schedule is final. True: something waits for that, so look now. */
  ended(schedule: Id): boolean;
  /** Tasks wait at gates that may not be known here. */
  changed(): void;
}

export function createGates(options: {
  store: Store;
  clock: Clock;
  session: Lease;
  feed: Feed;
  log: Log;
  noticeCreated: (tasks: readonly CreatedTask[]) => void;
  recall: (task: { id: Id }, what: "cancel", reason: string) => void;
  /** Planners here and elsewhere shall look again. */
  planSoon: () => void;
}): Gates {
  const { store, clock, session, feed, log, noticeCreated, recall, planSoon } = options;
  /** Those of the coming seconds. */
  let known = new Map<Id, number>();
  /** Of these something has ended since they were judged. */
  const urgent = new Set<Id>();
  let readAt = Number.NEGATIVE_INFINITY;

  async function read(): Promise<void> {
    const sentAt = clock.monotonic();
    const coming: Gate[] = await store.gates({ until: clock.now() + AHEAD_MS, limit: GATES_KNOWN });
    known = new Map(coming.map(({ id, lookAt }) => [id, lookAt]));
    for (const id of urgent) if (!known.has(id)) urgent.delete(id);
    readAt = sentAt;
  }

  /** How many of them nobody else was at. */
  async function judge(ids: Id[], now: number): Promise<number> {
    // What ends from now on may be too late for this judgement.
    const left = new Set(ids.filter((id) => urgent.delete(id)));
    try {
      const judged = await store.judgeGates({ ids, now });
      for (const { id } of judged.gates) left.delete(id);
      tell(judged);
      return judged.gates.length;
    } finally {
      for (const id of left) urgent.add(id);
    }
  }

  function tell({ gates, released, recalled, cancelled, paused, replan }: JudgedGates): void {
    for (const { id, lookAt } of gates) {
      if (lookAt === null) known.delete(id);
      else known.set(id, lookAt);
    }
    if (released.length > 0) {
      noticeCreated(released.map(({ lane, priority, dueAt }) => ({ ...lane, priority, dueAt })));
    }
    for (const { name, namespace, reason } of paused) {
      log.warn({ schedule: name, namespace }, `a schedule was paused: ${reason}`);
    }
    if (replan) planSoon();
    for (const { id, namespace } of cancelled) feed.taskChanged(id, namespace, "cancelled");
    const elsewhere = new Set(recalled.flatMap(({ session: holder }) => (holder === session.id ? [] : [holder])));
    if (elsewhere.size > 0) store.hints.publish({ recall: [...elsewhere] });
    for (const { id, session: holder, reason } of recalled) {
      if (holder === session.id) recall({ id }, "cancel", reason);
    }
  }

  return {
    async round() {
      if (clock.monotonic() - readAt >= POLL_MS) await read();
      const now = clock.now();
      const due = [...known].filter(([id, lookAt]) => lookAt <= now || urgent.has(id)).map(([id]) => id);
      if (due.length > 0) {
        const ids = due.slice(0, GATES_A_ROUND);
        const judged = await judge(ids, now);
        if (due.length > ids.length) return 0;
        if (judged < ids.length) {
          readAt = Number.NEGATIVE_INFINITY;
          return TAKEN_MS;
        }
      }
      const next = Math.min(Number.POSITIVE_INFINITY, ...known.values()) - clock.now();
      return Math.max(1, Math.min(next, POLL_MS - (clock.monotonic() - readAt)));
    },
    ended(schedule) {
      if (!known.has(schedule)) return false;
      urgent.add(schedule);
      return true;
    },
    changed() {
      readAt = Number.NEGATIVE_INFINITY;
    },
  };
}
