/**
 * Targets that tasks call: the hosts of `http` tasks, and the keys of queues that have a breaker. A task whose target is known to be
 * broken, or has as much to do as it can, is not handed out but parked in the store, where it costs nobody anything; no attempt is lost. What a call's end says about its target
 * changes how many may call it at once, and may open or close its breaker (core's `target-health.ts`). Nodes share what they find out
 * through the store: at once by a hint, at the latest with the next round.
 */
import {
  type AttemptReport,
  afterCall,
  BREAKER_OPEN,
  type CallVerdict,
  callTargetOf,
  defaultBreaker,
  flowAfterAnswer,
  flowAfterFailure,
  healthy,
  type Id,
  isSick,
  keyTargetOf,
  newFlow,
  openMs,
  queueOfTarget,
  TARGET_BUSY,
  type TargetFlow,
  type TargetHealth,
  type TargetState,
} from "@carillon/core";
import type { QueueBreaker, TargetRecord } from "@carillon/store";
import type { CreatedTask } from "./demand.ts";
import { forget, type Hand, type HeldTask, slotsOf } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";
import type { Queues } from "./queues.ts";

const POLL_MS = 1_000;
/** After so long without an answer another task tries a target that is half-open. */
const PROBE_MS = 60_000;
/** Those that were quiet for longest are forgotten beyond this; what the store knows of them comes back. */
const MAX_TARGETS = 10_000;
const TROUBLED_MS = 3_600_000;
const REASON_LENGTH = 200;
/** So many are let go on at a time where nothing but slots and limits says how many may. */
const RELEASED_AT_ONCE = 1_000;
/** Of hosts. */
const hostBreaker: QueueBreaker = { ...defaultBreaker, adaptive: true };
/** Of keys whose queue has none any more: what waits goes on. */
const noBreaker: QueueBreaker = { ...defaultBreaker, adaptive: false };

export interface CallTargets {
  /** False: it is on its way to wait. True: it counts as a call from now on, until it has `ended`. */
  admit(held: HeldTask): boolean;
  /** `report` is null when nobody knows. */
  ended(held: HeldTask, report: AttemptReport | null, ranMs: number): void;
  /** Reads what other nodes found out, and lets waiting tasks go on. Answers when to look again. */
  round(): Promise<number>;
  /** Those that are not closed, or were not within the last hour. */
  troubled(): { name: string; state: TargetState }[];
}

interface Target {
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

export function createCallTargets(
  {
    store,
    clock,
    random,
    log,
    session,
    ids,
  }: Pick<DispatcherOptions, "store" | "clock" | "random" | "log" | "session" | "ids">,
  {
    hand,
    queues,
    noticeCreated,
    slotFreed,
    wake,
  }: {
    hand: Hand;
    queues: Pick<Queues, "of">;
    noticeCreated: (tasks: readonly CreatedTask[]) => void;
    /** A slot of its queue's limits, if it has any. */
    slotFreed: (held: HeldTask) => void;
    wake: () => void;
  },
): CallTargets {
  const targets = new Map<string, Target>();
  const called = new WeakMap<HeldTask, Target>();
  let parking: { held: HeldTask; target: Target; reason: string }[] = [];

  function find(namespace: string, name: string, breaker: QueueBreaker, slots: number): Target {
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

  /** Null: it calls nothing that is known here. A task whose key is not known counts for none. */
  function targetOf({ claimed: { lane, payload, concurrencyKey }, pool }: HeldTask): Target | null {
    const { namespace, queue } = lane;
    const slots = pool ? slotsOf(pool) : 1;
    const host = callTargetOf(lane.type, payload);
    if (host !== null) return find(namespace, host, hostBreaker, slots);
    const breaker = queues.of(lane)?.breaker;
    if (!breaker || concurrencyKey === undefined) return null;
    return find(namespace, keyTargetOf(queue, concurrencyKey), breaker, slots);
  }

  /** Null: what it is the target of has no breaker any more. */
  async function breakerOf(namespace: string, name: string): Promise<QueueBreaker | null> {
    const queue = queueOfTarget(name);
    if (queue === null) return hostBreaker;
    const known = queues.of({ namespace, queue })?.breaker;
    return known ?? (await store.getQueue(namespace, queue))?.settings.breaker ?? null;
  }

  /** How many may call it at once. */
  const mostOf = ({ breaker, flow }: Target) => (breaker.adaptive ? Math.floor(flow.limit) : Number.POSITIVE_INFINITY);

  function forgetQuiet(): void {
    for (const [key, { state, calls, waiting }] of targets) {
      if (state !== "closed" || calls.size > 0 || waiting) continue;
      targets.delete(key);
      return;
    }
  }

  /** Why it may not be called now; null: it may. */
  function refusal(target: Target): string | null {
    if (target.state === "open" && clock.now() < target.until) return BREAKER_OPEN;
    if (target.state === "half-open") return isProbed(target) ? BREAKER_OPEN : null;
    const most = mostOf(target);
    if (target.state === "open" || target.calls.size < most) return null;
    forgetEnded(target);
    return target.calls.size < most ? null : TARGET_BUSY;
  }

  /** What another node has taken over by now ends there. */
  function forgetEnded({ calls }: Target): void {
    for (const held of calls.keys()) if (held.phase !== "assigned") calls.delete(held);
  }

  function isProbed({ calls, turn }: Target): boolean {
    for (const [{ phase }, begunIn] of calls) if (phase === "assigned" && begunIn === turn) return true;
    return false;
  }

  function park(held: HeldTask, target: Target, reason: string): void {
    forget(hand, held);
    target.waiting = true;
    parking.push({ held, target, reason });
    if (parking.length === 1) clock.after(0, () => void sendParked());
  }

  async function sendParked(): Promise<void> {
    const parked = parking;
    parking = [];
    const { id } = session;
    if (id === null) return;
    const tasks = parked.map(({ held: { claimed }, target: { namespace, name, ...target }, reason }) => ({
      ...{ id: claimed.id, token: claimed.token, reason },
      target: { id: target.id ?? ids.next(clock.now()), namespace, name },
    }));
    try {
      await store.parkTasks(id, tasks, clock.now());
      for (const { held, target } of parked) {
        slotFreed(held);
        release(target);
      }
    } catch (error) {
      // Reconciliation gives them back.
      log.warn({ error, tasks: tasks.length }, "could not let tasks wait for their targets");
    }
  }

  /** As many of those that wait as may call it now. */
  function release(target: Target): void {
    if (!target.waiting || target.releasing || target.state !== "closed") return;
    forgetEnded(target);
    const free = Math.min(RELEASED_AT_ONCE, mostOf(target) - target.calls.size);
    if (free <= 0) return;
    if (target.id === null) {
      wake(); // The round finds it out.
      return;
    }
    target.releasing = true;
    void releaseSome(target, free)
      .then((released) => {
        target.waiting &&= released === free;
        if (target.waiting && !target.breaker.adaptive) wake();
      })
      .catch((error: unknown) => log.warn({ error, target: target.name }, "could not let waiting tasks go on"))
      .finally(() => {
        target.releasing = false;
      });
  }

  async function releaseSome({ id }: Target, limit: number): Promise<number> {
    const released = await store.releaseParked({ target: id!, limit, now: clock.now() });
    noticeCreated(released.map(({ lane, priority, dueAt }) => ({ ...lane, priority, dueAt })));
    return released.length;
  }

  function open(target: Target, until: number, reason: string): void {
    change(target, "open", until, reason);
    log.warn(
      { target: target.name, namespace: target.namespace, until: new Date(until), reason },
      "a target is left alone",
    );
  }

  function close(target: Target): void {
    target.trips = 0;
    change(target, "closed", 0, null);
    log.info({ target: target.name, namespace: target.namespace }, "a target answers again");
  }

  function enter(target: Target, state: TargetState, until: number): void {
    Object.assign(target, { state, until, health: healthy, turn: target.turn + 1, changedAt: clock.monotonic() });
  }

  /** For all nodes. */
  function change(target: Target, state: TargetState, until: number, reason: string | null): void {
    enter(target, state, until);
    target.id ??= ids.next(clock.now());
    const { id, namespace, name, trips } = target;
    const stored = { id, namespace, name, state, until: state === "closed" ? null : until, trips, reason };
    store.setTarget(stored, clock.now()).then(
      () => {
        store.hints.publish({ targets: true });
        wake();
      },
      (error: unknown) => log.warn({ error, target: name }, "could not store what was found out about a target"),
    );
  }

  function answered(target: Target, ranMs: number, used: boolean, isNews: boolean): void {
    target.flow = flowAfterAnswer(target.flow, {
      ms: ranMs,
      used,
      slots: Math.max(1, slotsFor(target)),
    });
    target.health = afterCall(target.health, "answered");
    if (target.state !== "closed" && isNews) close(target);
  }

  /** A target that asks to be left alone is, whether it is broken or not. */
  function failed(target: Target, { error, retryAfterMs }: FailedReport, isNews: boolean): void {
    target.flow = flowAfterFailure(target.flow);
    target.health = afterCall(target.health, "failed");
    const broken = isNews && (target.state === "half-open" || isSick(target.health, target.breaker));
    if (broken) target.trips++;
    const ms = Math.max(retryAfterMs ?? 0, broken ? openMs(target.trips, random(), target.breaker) : 0);
    const until = clock.now() + ms;
    if (ms === 0 || (target.state === "open" && until <= target.until)) return;
    open(target, until, `${error.name}: ${error.message}`.slice(0, REASON_LENGTH));
  }

  /** Of the pools that serve what calls it. */
  function slotsFor({ namespace, name }: Pick<Target, "namespace" | "name">): number {
    const queue = queueOfTarget(name);
    let slots = 0;
    for (const pool of hand.pools.values()) {
      const serves = queue === null ? pool.types.has(HTTP) : pool.queues.has(queue);
      if (pool.namespace === namespace && serves) slots += slotsOf(pool);
    }
    return slots;
  }

  function adopt(target: Target, row: TargetRecord): void {
    target.id = row.id;
    target.trips = row.trips;
    if (row.state === target.state) target.until = row.until ?? 0;
    else Object.assign(target, { state: row.state, until: row.until ?? 0, health: healthy });
  }

  return {
    admit(held) {
      const target = targetOf(held);
      if (target === null) return true;
      const refused = refusal(target);
      if (refused !== null) {
        park(held, target, refused);
        return false;
      }
      if (target.state === "open") enter(target, "half-open", target.until);
      target.calls.set(held, target.turn);
      called.set(held, target);
      return true;
    },
    ended(held, report, ranMs) {
      const target = called.get(held);
      const begunIn = target?.calls.get(held);
      if (!target || begunIn === undefined) return;
      const used = target.calls.size >= Math.floor(target.flow.limit);
      const isNews = begunIn === target.turn;
      target.calls.delete(held);
      const verdict = verdictOf(report);
      if (verdict === "answered") answered(target, ranMs, used, isNews);
      if (verdict === "failed") failed(target, report as FailedReport, isNews);
      release(target);
    },
    async round() {
      const sentAt = clock.monotonic();
      const rows = await store.watchedTargets();
      const watched = new Set<Target>();
      for (const row of rows) {
        const breaker = await breakerOf(row.namespace, row.name);
        const target = find(row.namespace, row.name, breaker ?? noBreaker, slotsFor(row));
        watched.add(target);
        target.id = row.id;
        target.waiting = row.waiting;
        if (target.changedAt < sentAt) adopt(target, row);
        if (breaker === null && target.state !== "closed") change(target, "closed", 0, null);
      }
      for (const target of targets.values()) {
        if (target.state !== "closed" && !watched.has(target) && target.changedAt < sentAt) target.state = "closed";
      }
      let next = POLL_MS;
      for (const target of watched) {
        const now = clock.now();
        if (!target.waiting) continue;
        if (target.state === "closed") release(target);
        else if (target.until > now) next = Math.min(next, target.until - now);
        else if (await store.probeTarget(target.id!, { now, until: now + PROBE_MS })) {
          enter(target, "half-open", now + PROBE_MS);
          await releaseSome(target, 1);
        }
      }
      return Math.max(1, next);
    },
    troubled() {
      const since = clock.monotonic() - TROUBLED_MS;
      const found = [...targets.values()].filter(({ state, changedAt }) => state !== "closed" || changedAt > since);
      return found.map(({ name, state }) => ({ name, state }));
    },
  };
}

type FailedReport = Extract<AttemptReport, { kind: "failed" }>;

const HTTP = "http";

/** An answer that is the caller's fault, as an error that no retry helps against, shows that the target is well. */
function verdictOf(report: AttemptReport | null): CallVerdict {
  if (report?.kind === "succeeded") return "answered";
  if (report?.kind !== "failed") return null;
  switch (report.error.code) {
    case "http_status":
    case "handler_error":
    case "exit_code":
    case "timeout":
      return report.retryable ? "failed" : "answered";
    default:
      return null;
  }
}
