/**
 * NOTIFY between nodes, so that nobody has to wait for a poll. Everything works without: a hint may be lost whenever a connection is.
 * Sent at most once per few milliseconds, and heard, on a connection of its own: a commit with a NOTIFY takes a lock of the whole server,
 * behind which no task shall wait. Behind a pooler there is no such connection, unless its direct address is known; then all is silent.
 */
import { randomUUID } from "node:crypto";
import type pg from "pg";
import type { Hint, Hints } from "../store.ts";
import type { Pools } from "./db.ts";
import { type MergedHints, mergeHint, parseHint, takeText } from "./hint-text.ts";

const CHANNEL = "carillon";
const MERGE_MS = 5;
const RECONNECT_MS = 500;
/** A connection that a network has silently dropped is noticed by asking. */
const PING_MS = 5_000;

export interface PostgresHints extends Hints {
  close(): Promise<void>;
}

export function createHints(pools: Pools): PostgresHints {
  if (!pools.keepsSession) return { publish() {}, subscribe: () => () => {}, async close() {} };
  const { timers } = pools;
  /** Tells one's own hints, which come back too. */
  const sender = randomUUID().slice(0, 8);
  const listeners = new Set<(hint: Hint) => void>();
  let waiting: MergedHints | null = null;
  let client: pg.Client | null = null;
  let heardBefore = false;
  let sending = false;
  let closed = false;
  let stopTimer = () => {};

  function publish(hint: Hint): void {
    if (!waiting && !sending) timers.after(MERGE_MS, () => void send());
    waiting = mergeHint(waiting, hint);
  }

  /** One at a time: what comes meanwhile is merged. */
  async function send(): Promise<void> {
    if (!waiting || closed) return;
    const { text, left } = takeText(waiting, sender);
    waiting = left;
    sending = true;
    await client?.query(notify, [CHANNEL, text]).catch(() => {}); // Lost; others poll.
    sending = false;
    if (waiting) timers.after(MERGE_MS, () => void send());
  }

  function receive({ payload }: { payload?: string | undefined }): void {
    const hint = payload === undefined ? null : parseHint(payload, sender);
    if (hint) tell(hint);
  }

  function tell(hint: Hint): void {
    for (const listener of listeners) listener(hint);
  }

  async function listen(): Promise<void> {
    try {
      client = await pools.connect();
      if (closed) return await client.end();
      client.on("notification", receive);
      client.on("end", listenAgain);
      await client.query(`listen ${CHANNEL}`);
      ping(client);
      // Whatever was said in between: look everywhere.
      if (heardBefore)
        tell({ types: true, schedules: true, queues: true, changed: { tasks: [], schedules: [], more: true } });
      heardBefore = true;
    } catch {
      if (client) await client.end();
      else listenAgain();
    }
  }

  function listenAgain(): void {
    if (client && !closed)
      pools.log("The connection that listens for hints is gone; until it is back, nodes find work by looking.");
    client = null;
    stopTimer();
    if (!closed) stopTimer = timers.after(RECONNECT_MS, () => void listen());
  }

  function ping(listening: pg.Client): void {
    stopTimer = timers.after(PING_MS, async () => {
      try {
        await listening.query({ text: "select 1", query_timeout: PING_MS } as pg.QueryConfig);
        if (client === listening) ping(listening);
      } catch {
        await listening.end();
      }
    });
  }

  void listen();

  return {
    publish,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      closed = true;
      stopTimer();
      await client?.end();
    },
  };
}

const notify = { name: "notify", text: "select pg_notify($1, $2)", query_timeout: PING_MS };
