/**
 * Targets that tasks call: the hosts of `http` tasks, and the keys of queues that have a breaker. A task whose target is known to be
 * broken, or has as much to do as it can, is not handed out but parked in the store (`parking.ts`), where it costs nobody anything; no
 * attempt is lost. What a call's end says about its target changes how many may call it at once, and may open or close its breaker (core's
 * `target-health.ts`). Nodes share what they find out through the store: at once by a hint, at the latest with the next round.
 */
import {
  type AttemptReport,
  afterCall,
  BREAKER_OPEN,
  defaultBreaker,
  type FailedReport,
  flowAfterAnswer,
  flowAfterFailure,
  healthy,
  isSick,
  openMs,
  TARGET_BUSY,
  type TargetState,
  verdictOf,
} from "@carillon/core";
import type { QueueBreaker, TargetRecord } from "@carillon/store";
import type { HeldTask } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";
import type { Parking } from "./parking.ts";
import { forgetEnded, mostOf, type Target, type TargetBook } from "./target-book.ts";

const POLL_MS = 1_000;
/** After so long without an answer another task tries a target that is half-open. */
const PROBE_MS = 60_000;
const TROUBLED_MS = 3_600_000;
const REASON_LENGTH = 200;
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

export function createCallTargets(
  { store, clock, random, log, ids }: Pick<DispatcherOptions, "store" | "clock" | "random" | "log" | "ids">,
  { book, parking, wake }: { book: TargetBook; parking: Parking; wake: () => void },
): CallTargets {
  const called = new WeakMap<HeldTask, Target>();

  /** Why it may not be called now; null: it may. */
  function refusal(target: Target): string | null {
    if (target.state === "open" && clock.now() < target.until) return BREAKER_OPEN;
    if (target.state === "half-open") return isProbed(target) ? BREAKER_OPEN : null;
    const most = mostOf(target);
    if (target.state === "open" || target.calls.size < most) return null;
    forgetEnded(target);
    return target.calls.size < most ? null : TARGET_BUSY;
  }

  function isProbed({ calls, turn }: Target): boolean {
    for (const [{ phase }, begunIn] of calls) if (phase === "assigned" && begunIn === turn) return true;
    return false;
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

  function answered(target: Target, ms: number, used: boolean, isNews: boolean): void {
    target.flow = flowAfterAnswer(target.flow, { ms, used, slots: Math.max(1, book.slotsFor(target)) });
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

  function adopt(target: Target, row: TargetRecord): void {
    target.trips = row.trips;
    if (row.state === target.state) target.until = row.until ?? 0;
    else Object.assign(target, { state: row.state, until: row.until ?? 0, health: healthy });
  }

  /** What the store knows of those that are not closed, or for which something waits. */
  async function readWatched(): Promise<Set<Target>> {
    const sentAt = clock.monotonic();
    const watched = new Set<Target>();
    for (const row of await store.watchedTargets()) {
      const breaker = await book.breakerOf(row.namespace, row.name);
      const target = book.find(row.namespace, row.name, breaker ?? noBreaker);
      watched.add(target);
      target.id = row.id;
      target.waiting = row.waiting;
      if (target.changedAt < sentAt) adopt(target, row);
      if (breaker === null && target.state !== "closed") change(target, "closed", 0, null);
    }
    for (const target of book.all()) {
      if (target.state !== "closed" && !watched.has(target) && target.changedAt < sentAt) target.state = "closed";
    }
    return watched;
  }

  return {
    admit(held) {
      const target = book.of(held);
      if (target === null) return true;
      const refused = refusal(target);
      if (refused !== null) {
        parking.park(held, target, refused);
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
      parking.release(target);
    },
    async round() {
      let next = POLL_MS;
      for (const target of await readWatched()) {
        const now = clock.now();
        if (!target.waiting) continue;
        if (target.state === "closed") parking.release(target);
        else if (target.until > now) next = Math.min(next, target.until - now);
        else if (await store.probeTarget(target.id!, { now, until: now + PROBE_MS })) {
          enter(target, "half-open", now + PROBE_MS);
          await parking.releaseSome(target, 1);
        }
      }
      return Math.max(1, next);
    },
    troubled() {
      const since = clock.monotonic() - TROUBLED_MS;
      const found = [...book.all()].filter(({ state, changedAt }) => state !== "closed" || changedAt > since);
      return found.map(({ name, state }) => ({ name, state }));
    },
  };
}
