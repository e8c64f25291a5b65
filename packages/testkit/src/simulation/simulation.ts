/**
 * A whole cluster in one process and in virtual time: nodes, workers, a database and the network between them. One seed is one run: the
 * same seed does the same again, to the microsecond. Its parts die, stop, lose each other and come back; `history` says what became of the
 * work, for the checkers.
 */
import {
  type CatchUp,
  createIdSource,
  defaultDst,
  type Id,
  isFinal,
  type OverlapPolicy,
  type ScheduleRule,
} from "@carillon/core";
import { createMemoryStore, type NewTask, type QueueSettings } from "@carillon/store";
import { newTask } from "../builders.ts";
import type { History, JournalLine } from "../history.ts";
import { expectedFires, type ScheduleState } from "../oracle/index.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { SimulatedNode } from "./node.ts";
import type { Mutation } from "./simulated-store.ts";
import { LIMITED, SimulatedWorker, type Work } from "./worker.ts";
import { createWorld, type World } from "./world.ts";

export interface SimulationOptions {
  seed: number;
  /** Default 2. */
  nodes?: number;
  /** Default 3. */
  workers?: number;
  /** Tasks that a worker runs at once. Default 4. */
  concurrency?: number;
  /** Plants a bug between every node and its database. */
  mutate?: Mutation;
  /** Default true. False: nodes hear nothing of each other, and find work by looking. */
  hints?: boolean;
  /** Of the queue `limited`. */
  limits?: QueueSettings;
  /** How far the nodes' clocks are ahead of everybody else's. Default 0. */
  clockAheadMs?: number;
}

export interface Simulation {
  readonly clock: VirtualClock;
  readonly random: () => number;
  readonly nodes: readonly SimulatedNode[];
  readonly workers: readonly SimulatedWorker[];
  readonly journal: readonly JournalLine[];
  /** Asks a living node. False: it did not answer, the tasks may or may not exist. */
  submit(tasks: SubmittedTask[]): Promise<boolean>;
  /** Fires at every multiple of `everyMs` since the epoch, from now on. */
  schedule(name: string, everyMs: number, options?: ScheduleOptions): Promise<void>;
  /** Every node and worker dies, and is started again so much later. */
  blackout(ms: number): void;
  cancel(task: Id): Promise<void>;
  /** Nothing arrives between these two any more, without a word on open connections. Returns how to mend it. */
  cut(worker: SimulatedWorker, node: SimulatedNode): () => void;
  /** Everything runs, and nothing disturbs any more. */
  heal(): void;
  /** Every task that is due is final. */
  settled(): boolean;
  /** What happened until now. */
  history(): History;
}

export interface SubmittedTask {
  dueInMs: number;
  work: Work;
  priority?: number;
  /** Left out: in the queue `default`. Otherwise in `limited`, with this concurrency key, or with none. */
  key?: string | null;
}

interface ScheduleOptions {
  /** Default the last missed fire of a day. */
  catchUp?: CatchUp;
  /** Default `allow`. */
  overlap?: OverlapPolicy;
  /** `everyMs` after the end of the task before. Nothing is expected of its fires. */
  afterEnd?: boolean;
  work?: Work;
}

const retry = {
  maxAttempts: 10,
  backoff: { kind: "exponential", initialMs: 200, factor: 2, maxMs: 3_000, jitter: "full" },
} as const;
const plainRule: ScheduleRule = {
  cron: null,
  every: null,
  timeZone: "UTC",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};
const lastOfADay: CatchUp = { policy: "last", windowMs: 86_400_000, limit: 100 };
const ANSWER_MS = 5_000;
/** A claim that is answered later than this starts nothing; then comes the way to the worker. */
const START_SLACK_MS = 1_550;

interface SimulatedSchedule {
  name: string;
  overlap: OverlapPolicy;
  /** None where its fires are not known. */
  states: ScheduleState[];
}

export function createSimulation(options: SimulationOptions): Simulation {
  const world = createWorld(options.seed);
  const { clock, random, database, journal } = world;
  const bugs = { mutate: options.mutate ?? null, clockAheadMs: options.clockAheadMs ?? 0 };
  const loseHint = options.hints === false ? 1 : 0;
  const nodes = numbered("node", options.nodes ?? 2, (name) => new SimulatedNode(name, world, bugs));
  const workers = numbered("worker", options.workers ?? 3, (name) => {
    return new SimulatedWorker(name, world, options.concurrency ?? 4);
  });
  world.addresses = () => nodes.flatMap((node) => node.address ?? []);
  const client = createMemoryStore(database);
  // A slot that no session gets.
  const ids = createIdSource({ cell: 0, slot: 0 });
  const schedules: SimulatedSchedule[] = [];
  const blackouts: { from: number; until: number }[] = [];
  for (const node of nodes) {
    node.faults.loseHint = loseHint;
    node.start();
  }
  for (const worker of workers) worker.start();
  const { limits } = options;
  if (limits) void client.putQueue({ namespace: "default", name: LIMITED, settings: limits, now: clock.now() });

  return {
    clock,
    random,
    nodes,
    workers,
    journal,
    async submit(wanted) {
      const now = clock.now();
      const tasks = wanted.map(({ dueInMs, work, priority = 5, key }) =>
        newTask(ids.next(now), {
          type: "work",
          ...(key === undefined ? {} : { queue: LIMITED, concurrencyKey: key }),
          dueAt: now + dueInMs,
          payload: JSON.stringify(work),
          priority,
          policy: { retry, timeoutMs: 60_000 },
        }),
      );
      const alive = nodes.filter((node) => node.address !== null);
      const node = alive[Math.floor(random() * alive.length)];
      const answered = node !== undefined && (await Promise.race([insert(node, tasks, now), silence(world, node)]));
      for (const { id, dueAt } of tasks) {
        const line = { task: String(id), at: clock.now() };
        journal.push(answered ? { kind: "accepted", ...line, dueAt } : { kind: "unanswered", ...line });
      }
      return answered;
    },
    async schedule(
      name,
      everyMs,
      { catchUp = lastOfADay, overlap = "allow", afterEnd = false, work = { ms: 5 } } = {},
    ) {
      const now = clock.now();
      const rule: ScheduleRule = {
        ...plainRule,
        ...(afterEnd ? { delay: `${everyMs}ms` } : { every: `${everyMs}ms` }),
      };
      const states = [{ at: now, rule, catchUp, paused: false, maxFires: null, edited: false }];
      schedules.push({ name, overlap, states: afterEnd ? [] : states });
      await client.putSchedule({
        id: ids.next(now),
        namespace: "default",
        name,
        definition: {
          rule,
          catchUp,
          overlap,
          task: {
            ...{ type: "work", payload: JSON.stringify(work), queue: null, priority: 5 },
            ...{ retry, timeoutMs: null, tags: [] },
          },
        },
        now,
        nextFireAt: null,
      });
      client.hints.publish({ schedules: true });
    },
    blackout(ms) {
      const from = clock.now();
      for (const each of [...nodes, ...workers]) each.kill();
      clock.skip(ms);
      blackouts.push({ from, until: clock.now() });
      for (const each of [...nodes, ...workers]) each.start();
    },
    async cancel(task) {
      const answer = await client.cancelTask("default", task, { reason: "asked", now: clock.now() });
      if (answer.kind === "recalled") client.hints.publish({ recall: [answer.session] });
    },
    cut(worker, node) {
      const key = `${worker.name} ${node.name}`;
      world.cuts.add(key);
      return () => world.cuts.delete(key);
    },
    heal() {
      world.cuts.clear();
      for (const node of nodes) {
        Object.assign(node.faults, { failBefore: 0, failAfter: 0, slow: 0, loseHint, cutOff: false });
        if (!node.alive) node.start();
      }
      for (const worker of workers) if (!worker.alive) worker.start();
    },
    settled: () => [...database.tasks.values()].every((row) => row.fireAt !== null && row.fireAt > clock.now()),
    history: () => ({
      ...historyOf(world, schedules, blackouts),
      ...(limits && { limits: [{ queue: LIMITED, ...limits, slackMs: START_SLACK_MS }] }),
    }),
  };
}

/** As an operation does: what is due now and has a free slot here is inserted as claimed. */
async function insert(node: SimulatedNode, tasks: NewTask[], now: number): Promise<boolean> {
  const { dispatcher } = node.engine;
  const isDue = ({ dueAt, queue }: NewTask) => dueAt <= now && queue === "default";
  const due = tasks.filter(isDue);
  const ordered = [...due, ...tasks.filter((task) => !isDue(task))];
  const lane = { namespace: "default", queue: "default", type: "work" };
  const { session } = dispatcher;
  const count = session === null ? 0 : dispatcher.reserve(lane, due.length);
  try {
    const claim = session !== null && count > 0 ? { session, count } : null;
    const answer = await node.store.createTasks(ordered, { now, claim });
    const claimed = answer.kind === "created" ? answer.claimed : [];
    dispatcher.release(lane, count - claimed.length);
    dispatcher.handOut(claimed);
    const held = new Set(claimed.map(({ id }) => id));
    dispatcher.noticeCreated(ordered.filter(({ id }) => !held.has(id)));
    return true;
  } catch {
    dispatcher.release(lane, count);
    return false;
  }
}

/** What a client takes for no answer. */
function silence({ clock }: World, node: SimulatedNode): Promise<boolean> {
  return new Promise((resolve) => {
    node.process.onExit(() => resolve(false));
    clock.after(ANSWER_MS, () => resolve(false));
  });
}

function historyOf(
  { database, journal, clock }: World,
  schedules: readonly SimulatedSchedule[],
  blackouts: readonly { from: number; until: number }[],
): History {
  const now = clock.now();
  const nameOf = (schedule: Id) => database.schedules.get(schedule)!.name;
  // Trouble may leave no node alive too, or none that the database hears of.
  const unplanned = database.downtimes
    .filter(({ from, until }) => !blackouts.some((blackout) => blackout.from < until && blackout.until > from))
    .map((downtime) => ({ ...downtime, unseen: true }));
  // Decided within seconds, as no window of these schedules notices.
  const downtimes = [...blackouts, ...unplanned].map((downtime) => ({ ...downtime, decidedAt: downtime.until }));
  return {
    journal,
    tasks: [...database.tasks.values(), ...database.archive.values()]
      .filter(({ fireAt }) => fireAt === null || fireAt <= now)
      .map(({ id, lane, concurrencyKey, state, token, scheduleId, fireAt, finishedAt }) => ({
        queue: lane.queue,
        concurrencyKey,
        task: String(id),
        state,
        final: isFinal(state),
        token: String(token),
        schedule: scheduleId === null ? null : nameOf(scheduleId),
        fireAt,
        finishedAt,
      })),
    alone: schedules.filter(({ overlap }) => overlap !== "allow").map(({ name }) => name),
    fires: [...database.fires].flatMap(([schedule, fires]) =>
      [...fires.values()]
        .filter(({ fireAt }) => fireAt <= now)
        .map(({ fireAt, outcome, taskId, caughtUp }) => ({
          schedule: nameOf(schedule),
          fireAt,
          outcome,
          task: taskId === null ? null : String(taskId),
          caughtUp,
        })),
    ),
    expectedFires: schedules.flatMap(({ name, overlap, states }) =>
      expectedFires(states, downtimes, now).map((fire) =>
        overlap === "allow"
          ? { schedule: name, ...fire }
          : // Which of them its policy skips depends on how long tasks take.
            { schedule: name, fireAt: fire.fireAt, outcomes: [...fire.outcomes, "skipped"] },
      ),
    ),
  };
}

const numbered = <Made>(name: string, count: number, make: (name: string) => Made): Made[] =>
  Array.from({ length: count }, (_, index) => make(`${name}-${index + 1}`));
