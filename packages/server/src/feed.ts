/**
 * What changed on any node, for people's screens and for callers who wait. A display feed: it may drop things, and says so with `reset`
 * (read again); nothing durable hangs on it. Nodes tell each other by hints, coalesced and bounded, so a busy node costs the others
 * four short messages a second, whatever it does.
 */
import { type Clock, formatId, formatInstant, type Id, type PublicState, publicState } from "@carillon/core";
import type { Hint, Store } from "@carillon/store";

export const topics = ["tasks", "schedules", "queues"] as const;
export type Topic = (typeof topics)[number];

export interface Change {
  topic: Topic;
  /** A task's id, or a schedule's or queue's name. */
  id: string;
  /** Of a schedule: `active`, `paused` or `deleted`; of a queue `active` or `paused`. */
  state: PublicState | ScheduleState;
  at: string;
}
export type ScheduleState = "active" | "paused" | "deleted";
export type QueueState = "active" | "paused";

export type ChangeListener = (change: Change | "reset") => void;

export interface TaskWatch {
  /** Resolves at the next change since the watch was made, after `ms`, or when the signal fires; the watch is over then. */
  within(ms: number, signal?: AbortSignal): Promise<void>;
  stop(): void;
}

export interface ChangeFeed {
  taskChanged(id: Id, namespace: string, state: PublicState): void;
  scheduleChanged(name: string, namespace: string, state: ScheduleState): void;
  /** Its limits, or its pause. */
  queueChanged(name: string, namespace: string, state: QueueState): void;
  /** Returns how to stop. */
  subscribe(namespace: string, topics: readonly Topic[], listener: ChangeListener): () => void;
  nextChangeOf(task: Id): TaskWatch;
  close(): void;
}

const PUBLISH_INTERVAL_MS = 250;
/** A hint with more says `more` instead, and screens read again. */
const MAX_PUBLISHED = 100;
/** Changes on other nodes are looked up one by one, so that each subscriber sees only its namespace; with more, screens read again. */
const MAX_LOOKED_UP = 20;

interface Subscription {
  namespace: string;
  topics: readonly Topic[];
  listener: ChangeListener;
}

export function createChangeFeed({
  store,
  clock,
}: {
  store: Pick<Store, "hints" | "getTask" | "getSchedule" | "getQueue">;
  clock: Clock;
}): ChangeFeed {
  const subscriptions = new Set<Subscription>();
  const watches = new Map<Id, Set<() => void>>();
  const outgoing = { tasks: new Set<Id>(), schedules: new Set<string>(), queues: new Set<string>(), more: false };
  let cancelPublish: (() => void) | null = null;

  function publishSoon(): void {
    cancelPublish ??= clock.after(PUBLISH_INTERVAL_MS, () => {
      cancelPublish = null;
      const { tasks, schedules, queues, more } = outgoing;
      store.hints.publish({ changed: { tasks: [...tasks], schedules: [...schedules], queues: [...queues], more } });
      tasks.clear();
      schedules.clear();
      queues.clear();
      outgoing.more = false;
    });
  }

  function send<Key>(keys: Set<Key>, key: Key): void {
    if (keys.size < MAX_PUBLISHED) keys.add(key);
    else if (!keys.has(key)) outgoing.more = true;
    publishSoon();
  }

  function deliver(namespace: string, change: Change): void {
    for (const subscription of subscriptions) {
      if (subscription.namespace === namespace && subscription.topics.includes(change.topic))
        subscription.listener(change);
    }
  }

  function wake(task: Id): void {
    for (const resolve of watches.get(task) ?? []) resolve();
  }

  async function receive({ changed }: Hint): Promise<void> {
    if (!changed) return;
    const { tasks, schedules, queues = [], more } = changed;
    if (more) for (const task of watches.keys()) wake(task);
    else for (const task of tasks) wake(task);
    if (subscriptions.size === 0) return;
    if (more || tasks.length + schedules.length + queues.length > MAX_LOOKED_UP) {
      for (const { listener } of subscriptions) listener("reset");
      return;
    }
    for (const namespace of new Set([...subscriptions].map((subscription) => subscription.namespace))) {
      await Promise.all([
        ...tasks.map((id) => lookUpTask(namespace, id)),
        ...schedules.map((name) => lookUpSchedule(namespace, name)),
        ...queues.map((name) => lookUpQueue(namespace, name)),
      ]);
    }
  }

  async function lookUpTask(namespace: string, id: Id): Promise<void> {
    const record = await store.getTask(namespace, id);
    const now = clock.now();
    if (record) deliver(namespace, taskChange(id, publicState(record, now), now));
  }

  async function lookUpSchedule(namespace: string, name: string): Promise<void> {
    const now = clock.now();
    const record = await store.getSchedule(namespace, name, now);
    deliver(namespace, scheduleChange(name, !record ? "deleted" : record.paused ? "paused" : "active", now));
  }

  async function lookUpQueue(namespace: string, name: string): Promise<void> {
    const record = await store.getQueue(namespace, name);
    if (record) deliver(namespace, queueChange(name, record.paused ? "paused" : "active", clock.now()));
  }

  const stopHints = store.hints.subscribe((hint) => {
    // The store is away: whoever listens reads again when it is back.
    receive(hint).catch(() => {
      for (const { listener } of subscriptions) listener("reset");
    });
  });

  return {
    taskChanged(id, namespace, state) {
      wake(id);
      send(outgoing.tasks, id);
      if (subscriptions.size > 0) deliver(namespace, taskChange(id, state, clock.now()));
    },
    scheduleChanged(name, namespace, state) {
      send(outgoing.schedules, name);
      if (subscriptions.size > 0) deliver(namespace, scheduleChange(name, state, clock.now()));
    },
    queueChanged(name, namespace, state) {
      send(outgoing.queues, name);
      if (subscriptions.size > 0) deliver(namespace, queueChange(name, state, clock.now()));
    },
    subscribe(namespace, wanted, listener) {
      const subscription = { namespace, topics: wanted, listener };
      subscriptions.add(subscription);
      return () => subscriptions.delete(subscription);
    },
    nextChangeOf(task) {
      let changed = () => {};
      const change = new Promise<void>((resolve) => {
        changed = resolve;
      });
      const watchers = watches.get(task) ?? new Set();
      watches.set(task, watchers.add(changed));
      const stop = () => {
        watchers.delete(changed);
        if (watchers.size === 0 && watches.get(task) === watchers) watches.delete(task);
      };
      return {
        stop,
        async within(ms, signal) {
          const cancel = clock.after(ms, changed);
          signal?.addEventListener("abort", changed, { once: true });
          await change;
          signal?.removeEventListener("abort", changed);
          cancel();
          stop();
        },
      };
    },
    close() {
      cancelPublish?.();
      stopHints();
      subscriptions.clear();
    },
  };
}

function taskChange(id: Id, state: PublicState, now: number): Change {
  return { topic: "tasks", id: formatId("task", id), state, at: formatInstant(now) };
}

function scheduleChange(name: string, state: ScheduleState, now: number): Change {
  return { topic: "schedules", id: name, state, at: formatInstant(now) };
}

function queueChange(name: string, state: QueueState, now: number): Change {
  return { topic: "queues", id: name, state, at: formatInstant(now) };
}
