/**
 * Carillon in a user's tests: the same node, client and worker over the memory store, in virtual time. Nothing happens unless time is
 * advanced, and then everything does, in order. Requests of the client are answered at once, without time passing.
 */
import { type AnyTask, Carillon, type TaskListQuery, type TaskSummary, version, Worker } from "@carillon/client";
import { CarillonError, parseDuration, tokenAt } from "@carillon/core";
import {
  bulkRound,
  createBacklog,
  createChangeFeed,
  createDeclaredTypes,
  createEngine,
  createHttpApp,
  directTransport,
  guardOf,
  injectFetch,
  Loop,
} from "@carillon/server";
import { createMemoryDatabase, createMemoryStore } from "@carillon/store";
import { seededRandom } from "./random.ts";
import { noLog, noMetrics } from "./silent.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface TestEnvironmentOptions {
  /** What the environment's worker runs. */
  tasks: readonly AnyTask[];
  /** How many of them at once. Default 10. */
  concurrency?: number;
  /** Of its worker, which is called `test-worker`. */
  labels?: Record<string, string>;
  /** The instant at which the environment starts. Default 2026-01-01T00:00:00Z. */
  now?: Date;
  /** For jitter and backoff; the same seed repeats them. Default 1. */
  seed?: number;
}

export interface TestEnvironment {
  readonly client: Carillon;
  /** The environment's present instant. */
  readonly now: Date;
  /** Moves time on (`"2h"`, `"1m30s"`) and runs whatever is due on the way. */
  advance(duration: string): Promise<void>;
  /** All tasks that match, newest first. */
  tasks(filter?: Omit<TaskListQuery, "pageSize" | "pageToken">): Promise<TaskSummary[]>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const NAMESPACE = "default";
const YEAR_MS = 366 * 86_400_000;
/** Between looks at whether anything is going on. */
const STEP_MS = 5_000;
/** So long before something happens the node is awake again; it plans fires half a minute ahead at least. */
const AWAKE_MS = 75_000;
/** A handler that calls the client goes on in the same instant, if the call is answered within so many turns of the event loop. */
const TURNS_PER_CALL = 100;

export async function createTestEnvironment(options: TestEnvironmentOptions): Promise<TestEnvironment> {
  let callsInFlight = 0;
  const clock = new VirtualClock(options.now?.getTime(), async () => {
    for (let turn = 0; turn === 0 || (callsInFlight > 0 && turn < TURNS_PER_CALL); turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  const random = seededRandom(options.seed ?? 1);
  const database = createMemoryDatabase({ now: () => clock.now() });
  const store = createMemoryStore(database);
  const feed = createChangeFeed({ store, clock });
  const types = createDeclaredTypes({ store, clock });
  const backlog = createBacklog({ store, clock });
  const draining = new AbortController();
  const engine = createEngine({
    store,
    clock,
    random,
    metrics: noMetrics,
    log: noLog,
    feed,
    declareTypes: types.declare,
    node: "test",
    url: null,
    roles: { dispatcher: true, planner: true },
    retentionMs: 10 * YEAR_MS,
    logRetentionMs: 10 * YEAR_MS,
  });
  const deps = {
    store,
    clock,
    ids: engine.ids,
    random,
    dispatcher: engine.dispatcher,
    planner: { wake: engine.planSoon },
    feed,
    backlog,
    types,
    targets: guardOf(options.tasks),
    log: noLog,
  };
  const onError = (_: string, error: unknown) => {
    throw error;
  };
  const loops = Object.entries({ bulk: bulkRound(deps, draining.signal), backlog: backlog.look }).map(
    ([name, round]) => new Loop({ name, clock, random, round, onError }),
  );
  const app = createHttpApp({
    ...deps,
    version,
    metrics: noMetrics,
    readiness: async () => [],
    draining: draining.signal,
    dashboard: null,
  });
  await app.ready();
  await engine.start();
  for (const loop of loops) loop.start();
  const worker = new Worker({
    threads: false,
    tasks: options.tasks,
    name: "test-worker",
    concurrency: options.concurrency ?? 10,
    labels: options.labels ?? {},
    transport: directTransport(engine.dispatcher, NAMESPACE),
    clock,
    random,
  });
  worker.start();
  // The worker says hello, and what it declares is known.
  await clock.advance(1);

  const call = injectFetch(app);
  const client = new Carillon({
    url: "http://localhost",
    async fetch(url, init) {
      callsInFlight++;
      try {
        return await call(url, init);
      } finally {
        callsInFlight--;
      }
    },
  });

  /** The next instant at which there is something to do; null while something is being done. */
  function nextInstant(): number | null {
    const now = clock.now();
    let next = Number.POSITIVE_INFINITY;
    if (database.ended.size > 0) return null;
    for (const { state, dueAt } of database.tasks.values()) {
      if (state === "blocked") continue;
      if ((state !== "pending" && state !== "waiting") || (dueAt <= now && dueAt > now - 2 * STEP_MS)) return null;
      if (dueAt > now) next = Math.min(next, dueAt);
    }
    for (const { deletedAt, past, plannedUntil } of database.schedules.values()) {
      if (deletedAt === null || past.length > 0) next = Math.min(next, plannedUntil);
    }
    for (const at of nextTokens()) if (at > now) next = Math.min(next, at);
    return next;
  }

  /** When queues and keys that have no token have one again. */
  function nextTokens(): number[] {
    const ofQueues = [...database.queues.values()].flatMap(({ paused, settings: { rateLimit }, fullAt }) =>
      rateLimit && !paused ? [tokenAt(fullAt, rateLimit)] : [],
    );
    const gates = [...database.keyGates.values()].flatMap((byKey) => [...byKey.values()]);
    return [...ofQueues, ...gates.flatMap(({ lookAt }) => lookAt ?? [])];
  }

  /** Idle hours pass at once: the node sleeps through them, as on a machine that was suspended. */
  async function advance(ms: number): Promise<void> {
    const until = clock.monotonic() + ms;
    while (clock.monotonic() < until) {
      await clock.advance(Math.min(STEP_MS, until - clock.monotonic()));
      const next = callsInFlight > 0 ? null : nextInstant();
      const idleMs = next === null ? 0 : Math.min(next - clock.now(), until - clock.monotonic()) - AWAKE_MS;
      if (idleMs > 0) clock.skip(idleMs);
    }
  }

  async function close(): Promise<void> {
    draining.abort();
    const closed = Promise.all([worker.close({ timeout: "1ms" }), ...loops.map((loop) => loop.stop()), engine.stop()]);
    await clock.advance(5_000);
    await closed;
    feed.close();
    await app.close();
    await store.close();
  }
  return {
    client,
    get now() {
      return new Date(clock.now());
    },
    async advance(duration) {
      const ms = parseDuration(duration);
      if (ms === null) {
        throw new CarillonError("invalid_request", { detail: `"${duration}" is not a duration such as "2h"` });
      }
      await advance(ms);
    },
    async tasks(filter = {}) {
      const found: TaskSummary[] = [];
      let pageToken: string | null = null;
      do {
        const page = await client.tasks.list({ ...filter, pageSize: 200, ...(pageToken ? { pageToken } : {}) });
        found.push(...page.items);
        pageToken = page.nextPageToken;
      } while (pageToken);
      return found;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
