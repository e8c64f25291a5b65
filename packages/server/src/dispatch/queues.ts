/**
 * Which queues are limited or paused, and what fair keys weigh in each, as this node last read it, and what it knows of them. The store
 * decides; this tells what to ask it for.
 */
import { type FairTurns, noTurns, partWeights } from "@carillon/core";
import type { Lane, QueueBreaker, QueueMode, Store } from "@carillon/store";
import type { Pool } from "./hand.ts";

export interface ManagedQueue {
  readonly namespace: string;
  readonly name: string;
  mode: Exclude<QueueMode, "free">;
  /** Null: it has none. */
  breaker: QueueBreaker | null;
  /** Counts its claims, so that each may be for other workers. */
  turn: number;
  /** One claim at a time. */
  claiming: boolean;
  /** All slots were taken, and as far as is known here none is free again. */
  full: boolean;
  /** Nothing starts before this instant: it has no token. */
  tokenAt: number;
  /** A key for which tasks wait is to be looked at then; Infinity: none is. */
  keysAt: number;
  /** Keys of tasks that have ended here since the last claim. */
  readonly freed: Set<string>;
  /** A slot was freed: somebody may have work for it that is not known here. */
  ended: boolean;
  /** For whose workers it was asked since then. */
  readonly asked: Set<Pool>;
  /** All keys after this one for which something waits are to be looked at; null: they are not. */
  sweepAfter: string | null;
  /** Not to be asked before this instant: somebody else was at it. */
  askAt: number;
  /** Whose turn it is, of the parts of fair keys, as far as this node has claimed. */
  fairTurns: FairTurns;
}

/** Beyond so many all keys are looked at instead. */
const KEYS_KNOWN = 500;

export interface Queues {
  /** Null: whoever likes may claim from the lane's queue. */
  of(lane: Pick<Lane, "namespace" | "queue">): ManagedQueue | null;
  all(): Iterable<ManagedQueue>;
  /** Of the heaviest key that its tasks may have; 1 unless it was given another. */
  weightOf(lane: Lane): number;
  /** Reads them from the store. True: some are claimed in another way than before. */
  read(): Promise<boolean>;
  /** What a claim was told. */
  setMode(queue: ManagedQueue, mode: QueueMode): void;
}

export function createQueues({ allQueues }: Pick<Store, "allQueues">): Queues {
  const known = new Map<string, ManagedQueue>();
  /** By part, of those queues in which some key has a weight. */
  const weights = new Map<string, ReadonlyMap<number, number>>();
  return {
    of: ({ namespace, queue }) => (known.size === 0 ? null : (known.get(queueKey(namespace, queue)) ?? null)),
    all: () => known.values(),
    weightOf: ({ namespace, queue, fair = 0 }) =>
      weights.size === 0 ? 1 : (weights.get(queueKey(namespace, queue))?.get(fair) ?? 1),
    async read() {
      const found = new Set<string>();
      let changed = false;
      const all = await allQueues();
      weights.clear();
      for (const { namespace, name, mode, settings } of all) {
        const key = queueKey(namespace, name);
        if (settings.fairWeights) weights.set(key, partWeights(settings.fairWeights));
        if (mode === "free") continue;
        found.add(key);
        const queue = known.get(key);
        changed ||= queue?.mode !== mode;
        const { breaker = null } = settings;
        if (queue) Object.assign(queue, { mode, breaker });
        else known.set(key, managed(namespace, name, mode, breaker));
      }
      for (const key of known.keys()) if (!found.has(key)) changed = known.delete(key) || changed;
      return changed;
    },
    setMode(queue, mode) {
      if (mode === "free") known.delete(queueKey(queue.namespace, queue.name));
      else queue.mode = mode;
    },
  };
}

/** As far as is known here: it has a slot and a token. */
export const mayStart = ({ mode, full, tokenAt }: ManagedQueue, now: number): boolean =>
  mode === "limited" && !full && tokenAt <= now;

/** A slot of it is free again; `key`: of that key; undefined: that is not known. */
export function noteEnd(queue: ManagedQueue, key: string | null | undefined): void {
  queue.full = false;
  queue.ended = true;
  queue.asked.clear();
  if (key === null) return;
  if (key === undefined || queue.freed.size >= KEYS_KNOWN) queue.sweepAfter ??= "";
  else queue.freed.add(key);
}

function managed(
  namespace: string,
  name: string,
  mode: ManagedQueue["mode"],
  breaker: QueueBreaker | null,
): ManagedQueue {
  return {
    namespace,
    name,
    mode,
    breaker,
    turn: 0,
    claiming: false,
    full: false,
    tokenAt: 0,
    keysAt: Number.POSITIVE_INFINITY,
    freed: new Set(),
    ended: false,
    asked: new Set(),
    sweepAfter: null,
    askAt: 0,
    fairTurns: noTurns,
  };
}

/** No name contains a space. */
const queueKey = (namespace: string, name: string): string => `${namespace} ${name}`;
