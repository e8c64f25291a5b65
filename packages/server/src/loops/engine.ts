/**
 * A node without its doors: session, dispatcher and loops, wired in the order in which they may begin. The session first; then the reaper,
 * because somebody must notice that earlier nodes are dead; then, once it is known whether there was a downtime, claiming and planning.
 */
import { delay, type IdSource, within } from "@carillon/core";
import { createDispatcher, type Dispatcher } from "../dispatch/dispatcher.ts";
import type { DispatcherOptions } from "../dispatch/options.ts";
import { ownZoneData } from "../zone-data-version.ts";
import { backfillRound } from "./backfill.ts";
import { dependencyRound } from "./dependencies.ts";
import { decideDowntime } from "./downtime.ts";
import { finishWithinRound } from "./finish-within.ts";
import { createGates } from "./gates.ts";
import { Loop } from "./loop.ts";
import { maintainRound, vacuumRound } from "./maintain.ts";
import { createPlanner } from "./planner.ts";
import { createReaper } from "./reaper.ts";
import { createSession, type NodeSession } from "./session.ts";
import { startWithinRound } from "./start-within.ts";
import type { NoticeZoneChanges } from "./zone-data.ts";

export interface EngineOptions extends Omit<DispatcherOptions, "session" | "ids" | "peers" | "renewSoon"> {
  /** Where workers reach this node; null when they cannot. */
  url: string | null;
  cell?: number;
  /** What this node does besides answering requests. */
  roles: { dispatcher: boolean; planner: boolean };
  retentionMs: number;
  logRetentionMs: number;
  /** Reads the database's clock; left out, `clock` needs no measuring. */
  measureClock?: () => Promise<void>;
  /** The version of the time zone data that it plans with. Default: this process'. */
  zoneData?: string;
  /** New time zone data has changed when these fire. */
  noticeZoneChanges?: NoticeZoneChanges;
}

export interface Engine {
  readonly dispatcher: Dispatcher;
  readonly session: NodeSession;
  readonly ids: IdSource;
  /** Addresses of other living nodes. */
  peers(): string[];
  /** Schedules changed: plan now. */
  planSoon(): void;
  /** Resolves when the session is open; claiming and planning begin as soon as it is known whether there was a downtime. */
  start(): Promise<void>;
  /** Stops planning and claiming, lets tasks finish for so long, gives up the session, ends all loops. */
  drain(timeoutMs: number): Promise<void>;
  /** Ends at once; the session is found dead by others. */
  stop(): Promise<void>;
}

const CLOCK_MS = 1_000;
const RETRY_MS = 300;

export function createEngine(options: EngineOptions): Engine {
  const { store, clock, random, metrics, log, roles, zoneData = ownZoneData } = options;
  const session = createSession({
    store,
    clock,
    log,
    node: options.node,
    url: options.url,
    zoneData: roles.planner ? zoneData : null,
    ...(options.cell === undefined ? {} : { cell: options.cell }),
    onRecalls: (recalls) => {
      for (const { id, token, what, reason } of recalls) dispatcher.recall({ id, token }, what, reason);
    },
    onReopened: () => dispatcher.sessionOpened(),
    onStoodStill: (id, lastSeenAt) => decideDowntime({ id, lastSeenAt }, { store, clock, log, stopped: () => stopped }),
  });
  const reaper = createReaper({ store, clock, log, session, onTakenBack: () => dispatcher.lookSoon() });
  const dispatcher: Dispatcher = createDispatcher({
    ...options,
    session,
    ids: session.ids,
    peers: reaper.peers,
    async declareTypes(namespace, types) {
      if (options.declareTypes) await options.declareTypes(namespace, types);
      else await store.declareTypes(namespace, types, clock.now());
      planner.forgetTypes();
    },
    renewSoon: () => sessionLoop.wake(),
    scheduledEnded(schedule) {
      if (gates.ended(schedule)) gateLoop.wake();
    },
  });
  const gates = createGates({
    ...options,
    session,
    noticeCreated: dispatcher.noticeCreated,
    recall: dispatcher.recall,
    planSoon() {
      if (roles.planner) planLoop.wake();
      else store.hints.publish({ schedules: true });
    },
  });
  const planner = createPlanner({
    store,
    clock,
    ids: session.ids,
    log,
    noticeCreated: dispatcher.noticeCreated,
    gatesChanged() {
      gates.changed();
      gateLoop.wake();
    },
    zoneData,
    noticeZoneChanges: options.noticeZoneChanges,
  });

  const loop = (name: string, round: () => Promise<number>) =>
    new Loop({
      name,
      clock,
      random,
      round,
      onRound: (loop) => metrics.loopRan(loop, clock.now() / 1_000),
      onError: (loop, error) => log.warn({ error, loop }, "a round failed"),
    });
  const { measureClock } = options;
  const clockLoop = measureClock ? loop("clock", () => measureClock().then(() => CLOCK_MS)) : null;
  const sessionLoop = loop("session", () => session.renew());
  const reaperLoop = loop("reaper", () => reaper.round());
  // What a time in which nobody was alive means for schedules is settled before they are planned on.
  const planLoop = loop("planner", async () => (session.safe() ? planner.round() : RETRY_MS));
  const skipUnstarted = startWithinRound(options);
  const startLoop = loop("start-within", async () => (session.safe() ? skipUnstarted() : RETRY_MS));
  const watchDeadlines = finishWithinRound({ ...options, noticeCreated: dispatcher.noticeCreated });
  const finishLoop = loop("finish-within", async () => (session.safe() ? watchDeadlines() : RETRY_MS));
  const gateLoop = loop("gates", async () => (session.safe() ? gates.round() : RETRY_MS));
  const tellEnds = dependencyRound({
    ...options,
    session,
    noticeCreated: dispatcher.noticeCreated,
    recall: dispatcher.recall,
  });
  const dependencyLoop = loop("dependencies", async () => (session.safe() ? tellEnds() : RETRY_MS));
  const stepBackfills = backfillRound({ store, clock, ids: session.ids, dispatcher });
  const backfillLoop = loop("backfill", async () => (session.safe() ? stepBackfills() : RETRY_MS));
  const anyLoops =
    roles.dispatcher || roles.planner ? [startLoop, finishLoop, gateLoop, dependencyLoop, backfillLoop] : [];
  const workLoops = [...(roles.planner ? [planLoop] : []), ...anyLoops];
  const upkeepLoops =
    roles.dispatcher || roles.planner
      ? [loop("maintain", maintainRound(options)), loop("vacuum", vacuumRound(options))]
      : [];
  let stopped = false;

  const unsubscribe = store.hints.subscribe((hint) => {
    // Whoever pauses or limits a queue recalls what has not started, wherever it is.
    if (session.id !== null && (hint.queues || hint.recall?.includes(session.id))) sessionLoop.wake();
    if (hint.types) planner.forgetTypes();
    if (hint.schedules) planLoop.wake();
  });
  const unsubscribeEnds = store.endings.subscribe(() => dependencyLoop.wake());

  async function begin(opened: Awaited<ReturnType<NodeSession["open"]>>): Promise<void> {
    await decideDowntime(opened, { store, clock, log, stopped: () => stopped });
    while (
      !stopped &&
      !(await session.started().then(
        () => true,
        () => false,
      ))
    )
      await delay(clock, RETRY_MS);
    if (stopped) return;
    if (roles.dispatcher) dispatcher.start();
    else dispatcher.startTelling();
    for (const each of workLoops) each.start();
  }

  async function stop(): Promise<void> {
    stopped = true;
    unsubscribe();
    unsubscribeEnds();
    const loops = [...workLoops, ...upkeepLoops, reaperLoop, sessionLoop, ...(clockLoop ? [clockLoop] : [])];
    await Promise.all([dispatcher.stop(), ...loops.map((each) => each.stop())]);
  }

  return {
    dispatcher,
    session,
    ids: session.ids,
    peers: reaper.peers,
    planSoon: () => planLoop.wake(),
    async start() {
      await measureClock?.();
      const opened = await session.open();
      for (const each of [...(clockLoop ? [clockLoop] : []), sessionLoop, reaperLoop, ...upkeepLoops]) each.start();
      void begin(opened);
    },
    async drain(timeoutMs) {
      await Promise.all(workLoops.map((each) => each.stop()));
      await dispatcher.drain(timeoutMs);
      await stop();
      await within(
        clock,
        5_000,
        session.close().catch((error: unknown) => log.warn({ error }, "closing the session failed")),
      );
    },
    stop,
  };
}
