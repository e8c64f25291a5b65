/**
 * A node's life as the others see it: a row whose beat it renews every second. Whoever reads the same beat for the whole time to live may
 * mark it dead; until then a late renewal succeeds. So expiry is observed by others and merely anticipated here: hand-out stops while
 * nobody can yet have taken the leases.
 */
import { type Clock, createIdSource, type Id, type IdSource } from "@carillon/core";
import type { OpenedSession, Recall, Store } from "@carillon/store";
import type { Lease, Log } from "../dispatch/options.ts";
import { DOWNTIME_MS } from "./downtime.ts";

/** Others mark a session dead after reading the same beat for so long. */
export const SESSION_TTL_MS = 3_000;
const RENEW_MS = 1_000;
/** So long after the last good renewal workers are better off with another node. */
export const CUT_OFF_MS = SESSION_TTL_MS / 2;
/** What is handed out last must still have arrived when the leases can first be taken. */
const SAFETY_MARGIN_MS = 500;

export interface NodeSession extends Lease {
  /** Makes ids with the slot of the present session. */
  readonly ids: IdSource;
  /** Opens the first session. Throws when the store does not answer. */
  open(): Promise<OpenedSession>;
  /** It is known whether there was a downtime before this node: from now on its signs of life count. */
  started(): Promise<void>;
  /** One round of the heartbeat: renews, passes recalls on, opens another session when this one was marked dead. Returns the pause. */
  renew(): Promise<number>;
  /** Gives the session up: nothing is left, or what is left shall be taken over by others. */
  close(): Promise<void>;
}

export interface SessionOptions {
  store: Store;
  clock: Clock;
  log: Log;
  /** Shown to people. */
  node: string;
  /** Where workers reach it; null when they cannot. */
  url: string | null;
  cell?: number;
  onRecalls: (recalls: readonly Recall[]) => void;
  /** Of the time zone data that this node plans with; null: it plans nothing. */
  zoneData?: string | null;
  /** Another session than before is open. */
  onReopened: () => void;
  /** This process stood still since then: nothing is handed out before this is settled. */
  onStoodStill?: (session: Id, since: number) => Promise<void>;
}

export function createSession(options: SessionOptions): NodeSession {
  const { store, clock, log, node, url, cell = 0, zoneData = null } = options;
  let id: Id | null = null;
  let source: IdSource | null = null;
  /** When the last good renewal was sent, monotonic. */
  let renewedAt = Number.NEGATIVE_INFINITY;
  /** When this process last tried, by the database's clock: while the database is away it is alive all the same. */
  let aliveAt = Number.POSITIVE_INFINITY;
  let settling = false;

  const stoodStill = () => clock.now() - aliveAt >= DOWNTIME_MS;

  async function settle(session: Id): Promise<void> {
    const since = aliveAt;
    settling = true;
    try {
      await options.onStoodStill?.(session, since);
    } finally {
      settling = false;
    }
  }

  async function open(): Promise<OpenedSession> {
    const sentAt = clock.monotonic();
    const opened = await store.openSession({ node, url, now: clock.now(), starting, zoneData });
    id = opened.id;
    source = createIdSource({ cell, slot: opened.slot });
    renewedAt = sentAt;
    aliveAt = clock.now();
    return opened;
  }

  let starting = true;
  const renewedWithin = (ms: number) => clock.monotonic() < renewedAt + ms;

  return {
    get id() {
      return id;
    },
    ids: {
      next(nowMs) {
        if (!source) throw new Error("Ids are made after the session has been opened.");
        return source.next(nowMs);
      },
    },
    safe: () => id !== null && !settling && !stoodStill() && renewedWithin(SESSION_TTL_MS - SAFETY_MARGIN_MS),
    cutOff: () => !renewedWithin(CUT_OFF_MS),
    open,
    async started() {
      if (id !== null) await store.sessionStarted(id);
      starting = false;
    },
    async renew() {
      if (id === null) {
        await open();
        options.onReopened();
        return RENEW_MS;
      }
      if (stoodStill()) void settle(id);
      aliveAt = clock.now();
      const sentAt = clock.monotonic();
      const { alive, recalls } = await store.renewSession(id, clock.now()).finally(() => {
        aliveAt = clock.now();
      });
      if (!alive) {
        log.warn({ session: String(id) }, "this node was taken for dead: it goes on under a new session");
        id = null;
        return 0;
      }
      renewedAt = sentAt;
      if (recalls.length > 0) options.onRecalls(recalls);
      return RENEW_MS;
    },
    async close() {
      if (id === null) return;
      const closing = id;
      id = null;
      await store.closeSession(closing, clock.now());
    },
  };
}
