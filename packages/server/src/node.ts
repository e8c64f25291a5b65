/** Where the parts of a node meet: database, store, clock, engine (session, dispatcher, loops), operations, and its doors. */
import { statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { type AnyTask, Carillon, processClock, version, Worker } from "@carillon/client";
import { CarillonError, type Clock, checkOptions, invalid } from "@carillon/core";
import { parseDuration } from "@carillon/core/duration";
import { createPostgresStore, migrate, type Store } from "@carillon/store";
import { createBacklog } from "./backlog.ts";
import { followDatabase } from "./clock.ts";
import { type Config, roles as knownRoles, type Role, unknownRole } from "./config.ts";
import { type NodeDatabase, openDatabase } from "./database.ts";
import { directTransport } from "./direct-transport.ts";
import { type DiskWatch, watchDisk } from "./disk-watch.ts";
import { guardOf } from "./egress/http-task.ts";
import { createEndedBook } from "./ended-book.ts";
import { createChangeFeed } from "./feed.ts";
import { createHttpApp } from "./http/app.ts";
import { DEFAULT_NAMESPACE } from "./http/namespace.ts";
import { injectFetch } from "./inject-fetch.ts";
import { createLatenessBook } from "./lateness-book.ts";
import { localCalls } from "./local-calls.ts";
import { createLog } from "./log.ts";
import { bulkRound } from "./loops/bulk.ts";
import { createEngine } from "./loops/engine.ts";
import { figuresRound } from "./loops/figures.ts";
import { latenessRound } from "./loops/lateness.ts";
import { Loop } from "./loops/loop.ts";
import { createMetrics, type QueueDepth } from "./metrics.ts";
import { createDeclaredTypes, type Deps } from "./operations/index.ts";
import { createRpcHandler } from "./rpc/handler.ts";
import { listen } from "./rpc/port.ts";

export interface NodeOptions {
  /** PostgreSQL 15 or newer. Left out: an embedded one in `dataDir`. */
  databaseUrl?: string | undefined;
  /** The same past a pooler in transaction mode, for hints between nodes. Without it they find each other's work by looking. */
  databaseDirectUrl?: string | undefined;
  /** Default `./.carillon`. */
  dataDir?: string | undefined;
  /** Binaries for the embedded database. */
  postgresBin?: string | undefined;
  /** What this process runs itself; built-in types only when they are listed. */
  tasks?: readonly AnyTask[];
  /** How many of them at once. Default 10. */
  concurrency?: number;
  /** What is special about this process, for tasks that require it. */
  labels?: Record<string, string>;
  /** Default all. `["api"]` neither claims nor plans. */
  roles?: readonly Role[];
  /** Where to answer; false: nowhere, use `node.client`. Default 127.0.0.1, a free port. */
  listen?: false | { host: string; port: number };
  /** How workers and other nodes reach this node. Default: where it listens. */
  advertiseUrl?: string | undefined;
  /** Shown to people. Default host name and process id. */
  name?: string;
  /** How long final tasks and log lines are kept, in milliseconds. Default 14 and 7 days. */
  retention?: number;
  logRetention?: number;
  /** Tasks that are not final that each namespace may hold; creates over it are refused (`backlog_full`). Default: no bound. */
  maxBacklog?: number | undefined;
  /** Default `warn`. */
  logLevel?: Config["logLevel"];
  /** Where log lines (JSON) go. Default stderr. */
  logStream?: { write(line: string): void };
}

const knownOptions = Object.keys({
  databaseUrl: true,
  databaseDirectUrl: true,
  dataDir: true,
  postgresBin: true,
  tasks: true,
  concurrency: true,
  labels: true,
  roles: true,
  listen: true,
  advertiseUrl: true,
  name: true,
  retention: true,
  logRetention: true,
  maxBacklog: true,
  logLevel: true,
  logStream: true,
} satisfies Record<keyof NodeOptions, true>);

export interface CarillonNode {
  readonly name: string;
  /** Null when it listens nowhere. */
  readonly url: string | null;
  /** The same client as over the network, without a network. */
  readonly client: Carillon;
  readonly database: NodeDatabase["description"];
  /** Resolves when the node has ended, by `close` or because its database is gone for good (then it rejects). */
  readonly closed: Promise<void>;
  /** Drains: takes nothing new, lets running tasks finish for up to the timeout (default `30s`), gives the rest back. */
  close(options?: { timeout?: string }): Promise<void>;
}

const DAY_MS = 86_400_000;
/** The dashboard's build lies beside this package. */
const DASHBOARD = fileURLToPath(new URL("../../dashboard/dist", import.meta.url));

export async function startNode(options: NodeOptions = {}): Promise<CarillonNode> {
  checkOptions(options, knownOptions);
  for (const role of options.roles ?? [])
    if (!knownRoles.includes(role)) throw invalid("/roles", "invalid_choice", unknownRole(role));
  const log = createLog(
    { level: options.logLevel ?? "warn", stream: options.logStream ?? process.stderr },
    processClock(),
  );
  const latenessBook = createLatenessBook();
  const endedBook = createEndedBook();
  const metrics = createMetrics(version, { lateness: latenessBook, ended: endedBook });
  const roles = options.roles ?? ["api", "dispatcher", "planner"];
  const name = options.name ?? `${hostname()}-${process.pid}`;
  const ended = deferred();

  // What was opened is closed in the reverse order, also when a later step of the start fails.
  const undo: (() => Promise<unknown>)[] = [];
  try {
    const port = options.listen === false ? null : await listen(options.listen ?? { host: "127.0.0.1", port: 0 });
    if (port) undo.push(() => port.close(0));
    const database = await openDatabase(options, { log, onLost: (reason) => ended.reject(reason) });
    undo.push(() => database.close());
    await migrate(database.directUrl ?? database.url);
    const postgres = await createPostgresStore({
      connectionString: database.url,
      directUrl: database.directUrl,
      statementTimer: metrics.statementTook,
      log: (message) => log.warn(message),
    });
    undo.push(() => postgres.close());
    const { dataDir } = database;
    const freeBytes = dataDir === null ? null : () => freeBytesAt(dataDir);
    const disk = watchDisk(postgres, { clock: processClock(), log, freeBytes });
    await disk.look();
    const { store } = disk;

    const clock = followDatabase(() => store.databaseTime(), processClock());
    const feed = createChangeFeed({ store, clock });
    undo.push(async () => feed.close());
    const types = createDeclaredTypes({ store, clock });
    const isDiskTight = disk.nearlyFull;
    const backlog = createBacklog({ store, clock, ended: endedBook, maxBacklog: options.maxBacklog, isDiskTight });
    const draining = new AbortController();
    let tellOfWorkers = () => {};

    const engine = createEngine({
      store,
      clock,
      random: Math.random,
      metrics,
      log,
      feed,
      node: name,
      url: options.advertiseUrl ?? port?.url ?? null,
      roles: { dispatcher: roles.includes("dispatcher"), planner: roles.includes("planner") },
      retentionMs: options.retention ?? 14 * DAY_MS,
      logRetentionMs: options.logRetention ?? 7 * DAY_MS,
      measureClock: () => clock.measure(),
      declareTypes: (namespace, declared) => types.declare(namespace, declared),
      workersChanged: () => tellOfWorkers(),
      noticeZoneChanges: (schedules) => {
        for (const { name, namespace, paused } of schedules)
          feed.scheduleChanged(name, namespace, paused ? "paused" : "active");
      },
    });
    const deps: Deps = {
      store,
      clock,
      ids: engine.ids,
      random: Math.random,
      dispatcher: engine.dispatcher,
      planner: { wake: engine.planSoon },
      feed,
      backlog,
      types,
      targets: guardOf(options.tasks ?? []),
      log,
    };
    const app = createHttpApp({
      ...deps,
      version,
      metrics,
      readiness: () => readiness(disk, draining.signal),
      draining: draining.signal,
      dashboard: DASHBOARD,
    });
    await app.ready();
    undo.push(() => app.close());
    metrics.targets(() => engine.dispatcher.troubledTargets());
    metrics.workers(() => workerSlots(engine.dispatcher.workers()));
    metrics.depths(() => queueDepths(store, clock.now()));
    const writeLateness = latenessRound({ store, clock, book: latenessBook, session: engine.session });
    const writeFigures = figuresRound({
      store,
      clock,
      lateness: latenessBook,
      ended: endedBook,
      session: engine.session,
      workers: () => engine.dispatcher.workers(),
    });
    const loopOf = (name: string, round: () => Promise<number>) =>
      new Loop({
        name,
        clock,
        random: Math.random,
        round,
        onRound: (loop) => metrics.loopRan(loop, clock.now() / 1_000),
        onError: (loop, error) => log.warn({ error, loop }, "a round failed"),
      });
    const backlogLoop = loopOf("backlog", backlog.look);
    const figuresLoop = loopOf("figures", writeFigures);
    tellOfWorkers = together(clock, () => figuresLoop.wake());
    const loops = [
      loopOf("lateness", writeLateness),
      figuresLoop,
      loopOf("bulk", bulkRound(deps, draining.signal)),
      backlogLoop,
      loopOf("disk", disk.look),
    ];
    const stopHints = store.hints.subscribe((hint) => {
      if (hint.queues) backlogLoop.wake();
    });
    undo.push(async () => void stopHints());
    const stopLoops = () => Promise.all(loops.map((loop) => loop.stop()));
    await engine.start();
    undo.push(() => engine.stop());
    for (const loop of loops) loop.start();
    undo.push(stopLoops);
    port?.serve({
      http1: app.server,
      http2: createRpcHandler({
        gate: engine.dispatcher,
        clock,
        authenticate: () => DEFAULT_NAMESPACE,
        ready: async () => (await readiness(disk, draining.signal)).every(({ ok }) => ok),
      }),
    });

    const worker = options.tasks?.length
      ? new Worker({
          tasks: options.tasks,
          name: `${name.replaceAll(/[^A-Za-z0-9._-]/g, "-")}-own`,
          concurrency: options.concurrency ?? 10,
          labels: options.labels ?? {},
          transport: directTransport(engine.dispatcher, DEFAULT_NAMESPACE),
          clock,
        })
      : null;
    worker?.start();

    let closing: Promise<void> | null = null;
    const close = async (timeoutMs: number) => {
      draining.abort();
      await worker?.close({ timeout: `${timeoutMs}ms` });
      await engine.drain(timeoutMs);
      await stopLoops();
      await writeLateness().catch((error: unknown) => log.warn({ error }, "the last lateness was not written"));
      await port?.close(1_000);
      await app.close();
      feed.close();
      stopHints();
      await store.close();
      await database.close();
      ended.resolve();
    };
    return {
      name,
      url: port?.url ?? null,
      client: new Carillon({ url: "http://localhost", fetch: injectFetch(app), local: localCalls(deps) }),
      database: database.description,
      closed: ended.promise,
      close({ timeout = "30s" } = {}) {
        const timeoutMs = parseDuration(timeout);
        if (timeoutMs === null)
          throw new CarillonError("invalid_request", { detail: `"${timeout}" is not a duration` });
        closing ??= close(timeoutMs);
        return closing;
      },
    };
  } catch (error) {
    for (const step of undo.reverse())
      await step().catch((cause: unknown) => log.warn({ cause }, "undoing the start failed"));
    throw error;
  }
}

const DEPTH_CAP = 10_000;

async function queueDepths(store: Store, now: number): Promise<QueueDepth[]> {
  const depths = await store.depths({ now, cap: DEPTH_CAP });
  return depths.map(({ lane: { queue }, state, count, waitsSince }) => ({
    queue,
    state,
    count,
    oldestAgeSeconds: waitsSince === null ? null : Math.max(0, now - waitsSince) / 1_000,
  }));
}

async function freeBytesAt(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

async function readiness({ store, full }: DiskWatch, draining: AbortSignal) {
  const answer = await store.databaseTime().then(
    () => ({ ok: true, detail: null }),
    (error: Error) => ({ ok: false, detail: error.message }),
  );
  return [
    { name: "database", ...answer },
    { name: "disk", ok: !full(), detail: full() ? "the database's disk is full" : null },
    { name: "serving", ok: !draining.aborted, detail: draining.aborted ? "the node is draining" : null },
  ];
}

function workerSlots(workers: { queues: string[]; slots: number; busy: number }[]) {
  return workers.flatMap(({ queues, slots, busy }) =>
    queues.flatMap((queue) => [
      { queue, state: "busy" as const, count: busy },
      { queue, state: "free" as const, count: Math.max(0, slots - busy) },
    ]),
  );
}

/** Others learn of workers who come together at once, and of one who comes alone soon. */
const TELL_AFTER_MS = 200;

function together(clock: Clock, call: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    clock.after(TELL_AFTER_MS, () => {
      waiting = false;
      call();
    });
  };
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: unknown) => void } {
  let resolve = () => {};
  let reject = (_error: unknown) => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Whoever does not await `closed` does not want to be told by a crash.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
