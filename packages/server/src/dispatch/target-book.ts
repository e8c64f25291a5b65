/** What this node knows of the targets that tasks call: hosts, and the keys of queues that have a breaker. */
import {
  callTargetOf,
  defaultBreaker,
  healthy,
  type Id,
  keyTargetOf,
  newFlow,
  queueOfTarget,
  type TargetFlow,
  type TargetHealth,
  type TargetState,
} from "@carillon/core";
import type { QueueBreaker, Store } from "@carillon/store";
import { type Hand, type HeldTask, slotsOf } from "./hand.ts";
import type { Queues } from "./queues.ts";

/** Those that were quiet for longest are forgotten beyond this; what the store knows of them comes back. */
const MAX_TARGETS = 10_000;
const HTTP = "http";
const hostBreaker: QueueBreaker = { ...defaultBreaker, adaptive: true };

export interface Target {
  readonly namespace: string;
  readonly name: string;
  breaker: QueueBreaker;
  id: Id | null;
  state: TargetState;
  /** Node time; open: nobody calls it before. */
  until: number;
  trips: number;
  health: TargetHealth;
  flow: TargetFlow;
  /** With the turns in which they began. */
  readonly calls: Map<HeldTask, number>;
  /** Tasks may wait for it in the store. */
  waiting: boolean;
  releasing: boolean;
  /** Grows with each change of state: calls that began before say nothing about what came of it. */
  turn: number;
  /** Monotonic instant of what this node changed last. */
  changedAt: number;
}

export interface TargetBook {
  all(): Iterable<Target>;
  find(namespace: string, name: string, breaker: QueueBreaker): Target;
  /** Null: it calls nothing that is known here. A task whose key is not known counts for none. */
  of(held: HeldTask): Target | null;
  /** Null: the queue whose key it is has none any more. */
  breakerOf(namespace: string, name: string): Promise<QueueBreaker | null>;
  /** Of the pools that serve what calls it. */
  slotsFor(target: Pick<Target, "namespace" | "name">): number;
}

export function createTargetBook(
  { getQueue }: Pick<Store, "getQueue">,
  { hand, queues }: { hand: Hand; queues: Pick<Queues, "of"> },
): TargetBook {
  const targets = new Map<string, Target>();

  function forgetQuiet(): void {
    for (const [key, { state, calls, waiting }] of targets) {
      if (state !== "closed" || calls.size > 0 || waiting) continue;
      targets.delete(key);
      return;
    }
  }

  function slotsFor({ namespace, name }: Pick<Target, "namespace" | "name">): number {
    const queue = queueOfTarget(name);
    let slots = 0;
    for (const pool of hand.pools.values()) {
      const serves = queue === null ? pool.types.has(HTTP) : pool.queues.has(queue);
      if (pool.namespace === namespace && serves) slots += slotsOf(pool);
    }
    return slots;
  }

  function find(namespace: string, name: string, breaker: QueueBreaker, slots = slotsFor({ namespace, name })): Target {
    const key = `${namespace}\0${name}`;
    let target = targets.get(key);
    if (!target) {
      target = {
        ...{ namespace, name, breaker, id: null, state: "closed", until: 0, trips: 0 },
        ...{ health: healthy, flow: newFlow(slots) },
        ...{ calls: new Map(), turn: 0, waiting: false, releasing: false, changedAt: Number.NEGATIVE_INFINITY },
      };
      if (targets.size >= MAX_TARGETS) forgetQuiet();
      targets.set(key, target);
    }
    target.breaker = breaker;
    return target;
  }

  return {
    all: () => targets.values(),
    find: (namespace, name, breaker) => find(namespace, name, breaker),
    of({ claimed: { lane, payload, concurrencyKey }, pool }) {
      const { namespace, queue } = lane;
      const slots = pool ? slotsOf(pool) : 1;
      const host = callTargetOf(lane.type, payload);
      if (host !== null) return find(namespace, host, hostBreaker, slots);
      const breaker = queues.of(lane)?.breaker;
      if (!breaker || concurrencyKey === undefined) return null;
      return find(namespace, keyTargetOf(queue, concurrencyKey), breaker, slots);
    },
    async breakerOf(namespace, name) {
      const queue = queueOfTarget(name);
      if (queue === null) return hostBreaker;
      const known = queues.of({ namespace, queue })?.breaker;
      return known ?? (await getQueue(namespace, queue))?.settings.breaker ?? null;
    },
    slotsFor,
  };
}

/** How many may call it at once. */
export const mostOf = ({ breaker, flow }: Target): number =>
  breaker.adaptive ? Math.floor(flow.limit) : Number.POSITIVE_INFINITY;

/** What another node has taken over by now ends there. */
export function forgetEnded({ calls }: Target): void {
  for (const held of calls.keys()) if (held.phase !== "assigned") calls.delete(held);
}
