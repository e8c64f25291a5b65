/** Load on a small cluster, faults in the middle, and the history afterwards. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Carillon } from "@carillon/client";
import { formatId } from "@carillon/core";
import { type EmbeddedPostgres, startEmbedded } from "@carillon/store";
import { type ExpectedOfSchedule, expectedFires, type OracleRule, type QueueLimits } from "@carillon/testkit";
import pg from "pg";
import { startTestPooler, type TestPooler } from "../../../store/src/embedded/test-pooler.ts";
import type { History, JournalLine } from "./check.ts";
import { type Running, type RunningNode, startNodeProcess, startWorkerProcess } from "./processes.ts";
import { type DatabaseProxy, startProxy } from "./proxy.ts";

export interface ScenarioOptions {
  nodes: number;
  workers: number;
  tasks: number;
  schedules: number;
  /** Of eight tasks each, which hold their workers. Default none. */
  workflows?: number;
  /** Workflows of two tasks, the first of which adds eight to them while it runs. Default none. */
  fans?: number;
  /** Over how long the instants of tasks and fires are spread. */
  seconds: number;
  /** How long a task holds its worker, at most; 0: tasks end at once. */
  holdMs?: number;
  /** Of a queue of this name, which workers serve beside `default`. */
  limits?: QueueLimits;
  /** Nodes reach the database by an address that outlives it. */
  throughProxy?: boolean;
  /** Nodes reach it through a pooler in transaction mode, and so without hints. */
  pooled?: boolean;
  seed: number;
}

const WORKFLOW_TASKS = 8;
const PARTS = 8;

/** Reproducible randomness (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** As workers' journals tell it. */
const wallNow = () => performance.timeOrigin + performance.now();

export class Cluster {
  readonly folder: string;
  database: EmbeddedPostgres;
  readonly nodes: RunningNode[] = [];
  readonly workers: Running[] = [];
  readonly acknowledged: { id: string; dueAt: number }[] = [];
  /** When nodes and workers were killed. */
  readonly killed: { node: boolean; pid: number; at: number }[] = [];
  readonly ordered: { id: string; after: string[] }[] = [];
  /** Workflows whose first task adds others. */
  readonly fans: { id: string; split: string }[] = [];
  readonly random: () => number;
  readonly #options: ScenarioOptions;
  readonly #proxy: DatabaseProxy;
  readonly #pooler: TestPooler | null;
  #fires: { first: number; last: number } | null = null;

  private constructor(
    folder: string,
    database: EmbeddedPostgres,
    between: { proxy: DatabaseProxy; pooler: TestPooler | null },
    options: ScenarioOptions,
  ) {
    this.folder = folder;
    this.database = database;
    this.#options = options;
    this.#proxy = between.proxy;
    this.#pooler = between.pooler;
    this.random = seeded(options.seed);
  }

  static async start(options: ScenarioOptions): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), "carillon-cluster-"));
    const database = await startEmbedded({ dataDir: join(folder, "data") });
    const proxy = await startProxy(database.connection.host);
    const pooler = options.pooled ? await startTestPooler(database.connectionString) : null;
    const cluster = new Cluster(folder, database, { proxy, pooler }, options);
    for (let i = 0; i < options.nodes; i++) cluster.nodes.push(await cluster.startNode());
    for (let i = 0; i < options.workers; i++) cluster.workers.push(cluster.startWorker());
    return cluster;
  }

  /** On the port of the node it replaces, so that workers and clients find it again. */
  startNode(replaced?: RunningNode): Promise<RunningNode> {
    const port = replaced ? Number(new URL(replaced.url).port) : 0;
    return startNodeProcess({
      databaseUrl: this.#databaseUrl,
      port,
    });
  }

  get #databaseUrl(): string {
    if (this.#pooler) return this.#pooler.connectionString;
    return this.#options.throughProxy ? this.#proxy.connectionString : this.database.connectionString;
  }

  startWorker(): Running {
    const journal = join(this.folder, `journal-${this.workers.length}-${Math.floor(performance.now())}.jsonl`);
    const { limits } = this.#options;
    const queues = limits ? { queues: ["default", limits.queue] } : {};
    return startWorkerProcess({ urls: this.nodes.map(({ url }) => url), journal, ...queues });
  }

  async restartNode(index: number): Promise<void> {
    const old = this.nodes[index]!;
    this.killed.push({ node: true, pid: old.process.pid!, at: wallNow() });
    await old.kill("SIGKILL");
    this.nodes[index] = await this.startNode(old);
  }

  async restartWorker(index: number): Promise<void> {
    const old = this.workers[index]!;
    await old.kill("SIGKILL");
    this.killed.push({ node: false, pid: old.process.pid!, at: wallNow() });
    this.workers[index] = this.startWorker();
  }

  /** The database goes away, killed or stopped, and comes back on the same data and behind the same address. */
  async interruptDatabase({ signal, awayMs }: { signal: "SIGKILL" | "stop"; awayMs: number }): Promise<void> {
    if (signal === "SIGKILL") process.kill(this.database.pid, "SIGKILL");
    await this.database.stop();
    await pause(awayMs);
    this.database = await startEmbedded({ dataDir: join(this.folder, "data") });
    this.#proxy.forwardTo(this.database.connection.host);
  }

  /** Registers all tasks and schedules; resolves with the instant at which the last of them is due. */
  async load(): Promise<number> {
    const { tasks, schedules, seconds, holdMs = 0 } = this.#options;
    const client = new Carillon({ url: this.nodes.map(({ url }) => url) });
    // After the last of them has been made, also where twenty take a second.
    const startAt = Math.ceil(Date.now() / 1_000) * 1_000 + 3_000 + Math.ceil(schedules / 20) * 1_000;
    this.#fires = schedules > 0 ? { first: startAt, last: startAt + (seconds - 1) * 1_000 } : null;
    const define = (name: string) =>
      client.schedules.put(name, {
        every: "1s",
        startAt: new Date(startAt).toISOString(),
        endAt: new Date(startAt + seconds * 1_000).toISOString(),
        task: { type: "tick" },
      });
    for (let i = 0; i < schedules; i += 20) {
      await Promise.all(Array.from({ length: Math.min(20, schedules - i) }, (_, j) => define(`s-${i + j}`)));
    }
    const type = holdMs > 0 ? "hold" : "tick";
    for (let sent = 0; sent < tasks; ) {
      const batch = Array.from({ length: Math.min(500, tasks - sent) }, (_, i) => ({
        dueAt: startAt + Math.floor(this.random() * seconds * 1_000),
        payload: holdMs > 0 ? { ms: Math.floor(this.random() * holdMs) } : { n: sent + i },
      }));
      const answer = await client.tasks.createMany(
        type,
        batch.map(({ dueAt, payload }) => ({ dueAt: new Date(dueAt), payload })),
      );
      for (const [i, { id }] of answer.entries()) this.acknowledged.push({ id, dueAt: batch[i]!.dueAt });
      sent += batch.length;
    }
    for (let i = 0; i < (this.#options.workflows ?? 0); i++) await this.#createWorkflow(client, startAt);
    for (let i = 0; i < (this.#options.fans ?? 0); i++) await this.#createFan(client);
    return startAt + seconds * 1_000;
  }

  /** Tasks that hold their workers for a while, in the limited queue, of some keys. Answers the key of each. */
  async loadLimited(count: number, { keys, holdMs }: { keys: number; holdMs: number }): Promise<Map<string, string>> {
    const { queue, concurrency, concurrencyPerKey, rateLimit } = this.#options.limits!;
    const client = new Carillon({ url: this.nodes.map(({ url }) => url) });
    const rate = rateLimit && { limit: rateLimit.limit, per: `${rateLimit.perMs}ms`, burst: rateLimit.burst };
    await client.queues.put(queue, { concurrency, concurrencyPerKey, rateLimit: rate });
    const wanted = Array.from({ length: count }, (_, index) => ({
      payload: { ms: Math.floor(this.random() * holdMs) },
      concurrencyKey: `k-${index % keys}`,
    }));
    const created = await client.tasks.createMany(
      "hold",
      wanted.map((task) => ({ ...task, queue })),
    );
    const dueAt = Date.now();
    for (const { id } of created) this.acknowledged.push({ id, dueAt });
    return new Map(created.map(({ id }, index) => [id, wanted[index]!.concurrencyKey]));
  }

  /**
   * Clients of different nodes create tasks of the same unique keys at the same time, until the signal and then each key once more. Answers
   * the ids that were answered for each; a call that no node answers is made again later.
   */
  async createUnique(keys: number, until: AbortSignal): Promise<Map<string, Set<string>>> {
    const urls = this.nodes.map(({ url }) => url);
    const clients = [new Carillon({ url: urls }), new Carillon({ url: urls.toReversed() })];
    const answered = new Map(Array.from({ length: keys }, (_, n) => [`u-${n}`, new Set<string>()]));
    const create = async (uniqueKey: string, client: Carillon) => {
      const { id } = await client.tasks.create("tick", null, { uniqueKey, uniqueFor: "1h" });
      answered.get(uniqueKey)!.add(id);
    };
    while (!until.aborted) {
      const key = `u-${Math.floor(this.random() * keys)}`;
      await Promise.allSettled(clients.map((client) => create(key, client)));
      await pause(10);
    }
    for (const key of answered.keys()) await create(key, clients[0]!);
    for (const ids of answered.values()) for (const id of ids) this.acknowledged.push({ id, dueAt: Date.now() });
    return answered;
  }

  /** In layers of two, each of which comes after the two before it. */
  async #createWorkflow(client: Carillon, startAt: number): Promise<void> {
    const { seconds, holdMs = 0 } = this.#options;
    const { id } = await client.workflows.create({
      name: "layers",
      tasks: Array.from({ length: WORKFLOW_TASKS }, (_, n) => ({
        key: `t${n}`,
        type: "hold",
        payload: { ms: Math.floor((this.random() * holdMs) / 4) },
        ...(n < 2
          ? { dueAt: new Date(startAt + Math.floor(this.random() * seconds * 500)) }
          : { after: [n - (n % 2) - 2, n - (n % 2) - 1].map((parent) => `t${parent}`) }),
      })),
    });
    const { tasks } = await client.workflows.get(id);
    const ids = new Map(tasks.map((task) => [task.key, task.id]));
    for (const task of tasks) this.ordered.push({ id: task.id, after: task.after.map((key) => ids.get(key)!) });
  }

  /** The first task of the first one does not end before its worker is killed. */
  async #createFan(client: Carillon): Promise<void> {
    const ms = Math.floor(this.random() * (this.#options.holdMs ?? 0));
    const { id } = await client.workflows.create({
      name: "fan",
      tasks: [
        { key: "split", type: "split", payload: { parts: PARTS, ms, untilKilled: this.fans.length === 0 } },
        { key: "join", type: "hold", payload: { ms: 0 }, after: ["split"] },
      ],
    });
    const { tasks } = await client.workflows.get(id);
    this.fans.push({ id, split: tasks.find(({ key }) => key === "split")!.id });
  }

  /** Once the first task of the first one has added the others. */
  async killAdder(): Promise<void> {
    const { split } = this.fans[0]!;
    for (;;) {
      const adder = (await this.journal()).find(({ event, taskId }) => event === "added" && taskId === split);
      const index = this.workers.findIndex(({ process }) => process.pid === adder?.worker);
      if (index >= 0) return this.restartWorker(index);
      await pause(100);
    }
  }

  async #fanned(): Promise<Required<Pick<History, "ordered" | "graphs">>> {
    const client = new Carillon({ url: this.nodes.map(({ url }) => url) });
    const workflows = await Promise.all(this.fans.map(({ id }) => client.workflows.get(id)));
    const first = ["split", ...Array.from({ length: PARTS }, (_, n) => `part-${n}`)];
    return {
      ordered: workflows.map(({ tasks }) => ({
        id: tasks.find(({ key }) => key === "join")!.id,
        after: tasks.flatMap(({ key, id }) => (first.includes(key) ? [id] : [])),
      })),
      graphs: workflows.map(({ id, tasks }) => {
        return { id, keys: tasks.map(({ key }) => key), expected: [...first, "join"] };
      }),
    };
  }

  /** Until nothing is left to do, or the deadline (ms from now) has passed. */
  async untilFinished(deadlineMs: number): Promise<void> {
    const { schedules, seconds, tasks, workflows = 0, fans = 0 } = this.#options;
    const planned = tasks + schedules * seconds + workflows * WORKFLOW_TASKS + fans * (2 + PARTS);
    const expected = Math.max(this.acknowledged.length, planned);
    const endAt = performance.now() + deadlineMs;
    while (performance.now() < endAt) {
      const done = await this.#query<{ n: string }>("select count(*) n from carillon.archive").catch(() => []);
      if (Number(done[0]?.n ?? 0) >= expected) return;
      await pause(250);
    }
  }

  async history(): Promise<History> {
    const archived = await this.#query<{
      id: string;
      state: string;
      token: string;
      attempt: number;
      started_at: Date | null;
      schedule: string | null;
      fire_at: Date | null;
    }>(
      `select a.id, a.state, a.token, a.attempt, a.started_at, s.name schedule, a.fire_at
         from carillon.archive a left join carillon.schedule s on s.id = a.schedule_id`,
    );
    const unfinished = await this.#query<{ id: string }>("select id from carillon.task");
    const ledger = await this.#query<{ schedule: string; fire_at: Date; outcome: string; task_id: string | null }>(
      "select s.name schedule, f.fire_at, f.outcome, f.task_id from carillon.fire f join carillon.schedule s on s.id = f.schedule_id",
    );
    const shown = (id: string) => formatId("task", BigInt(id));
    const { ordered, graphs } = await this.#fanned();
    return {
      acknowledged: this.acknowledged,
      archived: archived.map(({ id, state, token, attempt, started_at, schedule, fire_at }) => ({
        id: shown(id),
        state,
        token,
        attempt,
        startedAt: started_at?.getTime() ?? null,
        schedule,
        fireAt: fire_at?.getTime() ?? null,
      })),
      unfinished: unfinished.map(({ id }) => shown(id)),
      ledger: ledger.map(({ schedule, fire_at, outcome, task_id }) => ({
        schedule,
        fireAt: fire_at.getTime(),
        outcome,
        task: task_id === null ? null : shown(task_id),
      })),
      expectedFires: this.#expectedFires(),
      journal: await this.journal(),
      ordered: [...this.ordered, ...ordered],
      graphs,
    };
  }

  /** Some node is always alive, so that every fire is a task. */
  #expectedFires(): ExpectedOfSchedule[] {
    if (!this.#fires) return [];
    const { first, last } = this.#fires;
    const rule: OracleRule = {
      ...{ every: "1s", timeZone: "UTC", dialect: "ocps", dst: { gap: "next", overlap: "first" } },
      ...{ startAt: new Date(first).toISOString(), endAt: new Date(last + 1_000).toISOString() },
    };
    const catchUp = { policy: "last", windowMs: 86_400_000, limit: 100 } as const;
    const state = { at: 0, rule, catchUp, paused: false, maxFires: null, edited: false };
    const fires = expectedFires([state], [], last);
    return Array.from({ length: this.#options.schedules }, (_, i) =>
      fires.map((fire) => ({ schedule: `s-${i}`, ...fire })),
    ).flat();
  }

  /** A line that a kill cut in two is left out. */
  async journal(): Promise<JournalLine[]> {
    const files = (await readdir(this.folder)).filter((name) => name.endsWith(".jsonl"));
    const texts = await Promise.all(files.map((name) => readFile(join(this.folder, name), "utf8")));
    return texts
      .flatMap((text) => text.split("\n").filter((line) => line.endsWith("}")))
      .map((line) => JSON.parse(line) as JournalLine);
  }

  async #query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.database.connectionString });
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.workers, ...this.nodes].map((running) => running.kill("SIGKILL")));
    this.#proxy.close();
    await this.#pooler?.stop();
    await this.database.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
