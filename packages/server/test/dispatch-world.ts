/** One database in virtual time, with as many nodes as a test starts, and workers that do what it says. */
import type { AttemptReport, Id, LatenessPhase } from "@carillon/core";
import { createFaults, createMemoryDatabase, createMemoryStore, type NewTask, withFaults } from "@carillon/store";
import {
  newTask,
  noFeed,
  noLog,
  noMetrics,
  ScriptedWorker,
  type ScriptedWorkerOptions,
  seededRandom,
  VirtualClock,
} from "@carillon/testkit";
import { onTestFinished } from "vitest";
import { followDatabase } from "../src/clock.ts";
import { createEngine, type Engine, type EngineOptions } from "../src/loops/engine.ts";

/** `wallAheadMs`: of nodes' own clocks, before the database's; they then have to find out by asking it. */
export async function setup(options: { callMs?: number; wallAheadMs?: number } = {}) {
  const clock = new VirtualClock();
  const database = createMemoryDatabase({ now: () => clock.now() });
  const random = seededRandom(1);
  const delay = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));
  const plain = createMemoryStore(database);
  const lateness: (Record<LatenessPhase, number> & { lateMs: number })[] = [];

  function clockOf(): Pick<EngineOptions, "clock" | "measureClock"> {
    const { wallAheadMs } = options;
    if (wallAheadMs === undefined) return { clock };
    const wall = () => clock.now() + wallAheadMs;
    const monotonic = () => clock.monotonic();
    const after = (delayMs: number, callback: () => void) => clock.after(delayMs, callback);
    // As long there as back: then the estimate is exact, else it is wrong by up to half of the trip.
    const readTime = async () => {
      await delay(1.5);
      const now = await plain.databaseTime();
      await delay(1.5);
      return now;
    };
    const following = followDatabase(readTime, { now: wall, monotonic, after }, wall);
    return { clock: following, measureClock: () => following.measure() };
  }

  async function startNode(name = "node-1") {
    const faults = createFaults({ random, delay, slow: options.callMs ? 1 : 0, slowMs: options.callMs ?? 0 });
    const faulty = createMemoryStore(database);
    const store = withFaults(faulty, faults);
    const engine = createEngine({
      store,
      ...clockOf(),
      random,
      metrics: {
        ...noMetrics,
        taskStarted(_, lateMs, phasesMs) {
          const [planner = 0, claim = 0, dispatch = 0, transport = 0, start = 0] = phasesMs;
          lateness.push({ lateMs, planner, claim, dispatch, transport, start });
        },
      },
      log: noLog,
      feed: noFeed,
      node: name,
      url: `http://${name}`,
      roles: { dispatcher: true, planner: true },
      retentionMs: 1e12,
      logRetentionMs: 1e12,
    });
    await Promise.all([engine.start(), clock.advance(50)]);
    onTestFinished(() => void engine.stop());
    return { engine, store, faulty, faults };
  }

  const node = await startNode();
  let lastId = (BigInt(clock.now() - Date.UTC(2015, 0, 1)) << 22n) + (1n << 8n);
  const t = {
    ...node,
    clock,
    /** Not the node's own connection: no faults, no waiting. */
    store: plain,
    lateness,
    startNode,
    worker: (over: ScriptedWorkerOptions & { engine?: Engine } = {}) =>
      new ScriptedWorker((over.engine ?? node.engine).dispatcher, clock, over),
    task: (over: Partial<NewTask> = {}) => newTask(lastId++, { dueAt: clock.now(), ...over }),
    /** Inserted past the node's notice unless `notice` says otherwise. */
    async insert(tasks: NewTask[], notice = true): Promise<Id[]> {
      await plain.createTasks(tasks, { now: clock.now() });
      if (notice) node.engine.dispatcher.noticeCreated(tasks);
      return tasks.map(({ id }) => id);
    },
    /** A lane is known once the store has seen a task of it. */
    async knowLane(over: Partial<NewTask> = {}) {
      await t.insert([t.task({ ...over, dueAt: clock.now() + 1e9 })]);
      await clock.advance(1_100);
    },
    state: async (id: Id) => (await plain.getTask("default", id))!,
  };
  return t;
}

export const failed = (retryable = true): AttemptReport => ({
  kind: "failed",
  error: { code: "handler_error", name: "Error", message: "no", stack: null },
  retryable,
  retryAfterMs: null,
});
