/**
 * Creates with a unique or an idempotency key, and of tasks after others, which lock these. A key may be held by somebody else's open transaction, for as long as that pleases; then
 * only callers of that key may wait. So small groups try with a short patience; a group that fails to get its locks is tried again in
 * tenths; a call that fails alone waits for its key on connections apart, up to 500 ms in all, and its caller gets `unavailable`, or
 * `idempotency_in_progress` where it is an idempotency key.
 * Everybody locks idempotency keys first, then windows, then unique keys, then parents, each in order; 40P01, which then takes a foreign
 * transaction, is tried again.
 */
import { CarillonError } from "@carillon/core";
import type { CreateAnswer } from "../store.ts";
import { type CreateCall, FLIGHT_BYTES, recover, sizeOfCreate, waitingCreates } from "./created.ts";
import { type Db, isLockTimeout, type Pools } from "./db.ts";
import { createGroup, type Entry, rejectAll, settle } from "./group-commit.ts";
import { isBlocked } from "./insert.ts";
import { insertKeyed, metIdempotencyKey } from "./keyed-insert.ts";
import type { Catalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";
import { uniqueName } from "./unique-window.ts";

/** What a call costs others at most, once, when its key turns out to be held. */
const GROUP_PATIENCE_MS = 25;
const PATIENCE_MS = 500;
const GROUP_SIZE = 100;

interface KeyedCall extends CreateCall {
  keys: string[];
  calledAt: number;
}

type KeyedEntry = Entry<KeyedCall, CreateAnswer>;

export function createKeyedLane(pools: Pools, catalog: Catalog): (call: CreateCall) => Promise<CreateAnswer> {
  const { monotonic } = pools.timers;
  /** By key, the calls that wait for it on connections of their own. */
  const waiting = new Map<string, KeyedEntry[]>();

  const group = createGroup<KeyedCall, CreateAnswer>({
    flights: 2,
    flight: { rows: GROUP_SIZE, bytes: FLIGHT_BYTES },
    // A call without tasks has a key to remember.
    sizeOf(call) {
      const { rows, bytes } = sizeOfCreate(call);
      return { rows: Math.max(1, rows), bytes };
    },
    waiting: waitingCreates(pools.timers),
    keysOf: ({ keys }) => keys,
    isAlone: ({ tasks, options }) =>
      tasks.length > 1 ||
      tasks.some(isBlocked) ||
      (!!options.idempotency && tasks.some((task) => task.uniqueKey !== null)),
    run,
  });

  async function run(entries: KeyedEntry[]): Promise<void> {
    const free = entries.filter((entry) => !joinWaiting(entry));
    if (free.length === 0) return;
    await settle(
      free,
      (calls) => insert(pools.keyed, calls, GROUP_PATIENCE_MS),
      async (failed, error) => {
        if (!isLockTimeout(error)) return recover(pools, catalog, failed, error);
        if (failed.length === 1) void waitFor(failed[0]!);
        else for (const part of tenths(failed)) await run(part);
      },
    );
  }

  function insert(db: Db, calls: KeyedCall[], patienceMs: number): Promise<CreateAnswer[]> {
    return withPartitions(pools.control, () => insertKeyed(db, catalog, calls, patienceMs));
  }

  function joinWaiting(entry: KeyedEntry): boolean {
    const queue = entry.call.keys.map((key) => waiting.get(key)).find((found) => found !== undefined);
    queue?.push(entry);
    return queue !== undefined;
  }

  /** One after the other, until nobody waits for this key any more. */
  async function waitFor(first: KeyedEntry): Promise<void> {
    if (joinWaiting(first)) return;
    const [key] = first.call.keys as [string];
    const queue = [first];
    waiting.set(key, queue);
    for (let entry = queue.shift(); entry; entry = queue.shift()) {
      const leftMs = Math.ceil(PATIENCE_MS - (monotonic() - entry.call.calledAt));
      if (leftMs <= 0) entry.reject(key.startsWith(IDEMPOTENCY) ? inProgress() : keyIsHeld());
      else await settle([entry], (calls) => insert(pools.blocked, calls, leftMs), refuseWaiting);
    }
    waiting.delete(key);
  }

  async function refuseWaiting(entries: KeyedEntry[], error: unknown): Promise<void> {
    if (isLockTimeout(error)) rejectAll(entries, metIdempotencyKey(error) ? inProgress() : keyIsHeld());
    else await recover(pools, catalog, entries, error);
  }

  return (call) => group({ ...call, keys: keysOf(call), calledAt: monotonic() });
}

/** With 100 calls, one of which is at fault, two more rounds find it; the others are through after some twenty statements. */
function tenths<T>(items: T[]): T[][] {
  const size = Math.ceil(items.length / 10);
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

const IDEMPOTENCY = "idempotency ";

/** In the order in which they are locked. */
function keysOf({ tasks, options: { idempotency } }: CreateCall): string[] {
  const unique = tasks.flatMap((task) => (task.uniqueKey === null ? [] : `unique ${uniqueName(task)}`));
  const parents = tasks.flatMap(({ namespace, after = [] }) => after.map((id) => ({ namespace, id })));
  // One of them stands for all.
  const [first] = parents.sort((a, b) => (a.id < b.id ? -1 : 1));
  const keys = [...[...new Set(unique)].sort(), ...(first ? [`parent ${first.namespace}\0${first.id}`] : [])];
  return idempotency ? [`${IDEMPOTENCY}${idempotency.namespace}\0${idempotency.key}`, ...keys] : keys;
}

/** Whether the first request of this idempotency key succeeds is not known yet. */
function inProgress(): CarillonError {
  return new CarillonError("idempotency_in_progress", {
    detail: "A request with this idempotency key is under way.",
    retryAfterMs: 1_000,
  });
}

function keyIsHeld(): CarillonError {
  return new CarillonError("unavailable", {
    detail: "Another transaction holds the key, or the task that this one comes after.",
    retryAfterMs: 1_000,
  });
}
