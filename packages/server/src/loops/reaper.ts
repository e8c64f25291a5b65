/**
 * Takes over what dead nodes leave behind. A session counts as dead when this node itself has read the same beat for the whole time to
 * live, reading often; a store that did not answer in between voids what was seen, so an outage of the database kills nobody. The leases of
 * a dead session can be adopted for a moment, then they are taken back, page by page.
 */
import type { Clock, Id } from "@carillon/core";
import type { Session, Store } from "@carillon/store";
import type { Lease, Log } from "../dispatch/options.ts";
import { SESSION_TTL_MS } from "./session.ts";

const READ_MS = 400;
/** While no other node is known, and there is nobody whose beats could be missed. */
const ALONE_MS = 1_000;
/** Beats read further apart than this say nothing about what was in between. */
const MAX_GAP_MS = 1_000;
const PAGE = 1_000;
/** After its start a node first lets workers find it and present what they run. */
const START_MS = 3_000;

export interface Reaper {
  round(): Promise<number>;
  /** Addresses of other living nodes. */
  peers(): string[];
}

export function createReaper(options: {
  store: Store;
  clock: Clock;
  log: Log;
  session: Lease;
  /** Tasks of a dead node are pending again. */
  onTakenBack: () => void;
}): Reaper {
  const { store, clock, log, session } = options;
  const startedAt = clock.monotonic();
  const seen = new Map<Id, { beat: bigint; since: number }>();
  let readAt = Number.NEGATIVE_INFINITY;
  let peers: string[] = [];

  async function read(): Promise<Session[]> {
    const sentAt = clock.monotonic();
    const all = await store.sessions().catch((error: unknown) => {
      seen.clear();
      throw error;
    });
    if (clock.monotonic() - readAt > MAX_GAP_MS) seen.clear();
    readAt = sentAt;
    return all.filter(({ id }) => id !== session.id);
  }

  /** Whether this session's beat has stood still for the whole time to live. */
  function isSilent({ id, beat }: Session): boolean {
    const before = seen.get(id);
    if (before?.beat === beat) return readAt - before.since >= SESSION_TTL_MS;
    seen.set(id, { beat, since: clock.monotonic() });
    return false;
  }

  async function takeBack(id: Id): Promise<void> {
    let total = 0;
    for (let taken = PAGE; taken === PAGE; total += taken) {
      taken = await store.takeBack(id, { now: clock.now(), limit: PAGE });
    }
    if (total === 0) return;
    log.warn({ session: String(id), tasks: total }, "took back what a dead node held");
    options.onTakenBack();
  }

  return {
    async round() {
      const others = await read();
      peers = others.flatMap(({ deadAt, url }) => (deadAt === null && url !== null ? [url] : []));
      for (const id of seen.keys()) if (!others.some((other) => other.id === id)) seen.delete(id);
      for (const other of others) {
        if (other.deadAt === null && isSilent(other)) {
          const marked = await store.markSessionDead(other.id, other.beat, clock.now());
          if (marked) log.warn({ session: String(other.id), node: other.node }, "a node is dead");
        }
        if (other.deadAt !== null && clock.monotonic() - startedAt >= START_MS) await takeBack(other.id);
      }
      return others.length > 0 ? READ_MS : ALONE_MS;
    },
    peers: () => peers,
  };
}
