/**
 * Two stores that are given the same commands, and what the commands know about the tasks, sessions and schedules made so far.
 * What a store names by itself (sessions, lanes) is told apart by side and left out of, or translated in, what is compared.
 */
import assert from "node:assert/strict";
import { CarillonError, createIdSource, defaultPolicy, type Id } from "@carillon/core";
import {
  type Band,
  type Lane,
  type LaneName,
  laneKey,
  type NewTask,
  type Outcome,
  type Store,
  type TaskRef,
} from "@carillon/store";

export interface Side {
  store: Store;
  /** Ids of the world's sessions, in order of opening. */
  sessions: Id[];
  lanes: Map<string, Lane>;
}

export interface World {
  now: number;
  /** How many commands ran. */
  step: number;
  sides: [Side, Side];
  namespaces: [string, string];
  newId: () => Id;
  tasks: { namespace: string; id: Id }[];
  /** Beats as the sessions' nodes know them. */
  beats: bigint[];
  /** Every lease that was ever held, for stale ones. */
  refs: TaskRef[];
  lastOutcomes: Outcome[];
  scheduleNames: string[];
  scheduleIds: Id[];
  operations: Id[];
  /** Ids offered for targets, by name. */
  targets: Map<string, Id>;
  workflows: Id[];
}

let worlds = 0;

/** Its names and ids are like those of no other world, so that nothing a store remembers of one shows in the next. */
export function createWorld(left: Store, right: Store): World {
  const number = worlds++;
  const now = Date.UTC(2026, 5, 1) + (number % 1_000) * 60_000;
  const ids = createIdSource({ cell: 0, slot: 16 + (number % 240) });
  const world: World = {
    now,
    step: 0,
    sides: [left, right].map((store) => ({ store, sessions: [], lanes: new Map() })) as unknown as [Side, Side],
    namespaces: [`acme-${number}`, `globex-${number}`],
    newId: () => ids.next(world.now),
    tasks: [],
    beats: [],
    refs: [],
    lastOutcomes: [],
    scheduleNames: ["hourly", "often"],
    scheduleIds: [],
    operations: [],
    targets: new Map(),
    workflows: [],
  };
  return world;
}

/**
 * Makes the call on both sides and compares what they answered, errors included. Answers the left one's answer; undefined after an error.
 *
 * @param view what of an answer is compared; default all of it
 */
export async function same<Answer>(
  world: World,
  call: (store: Store, side: Side) => Promise<Answer>,
  view: (answer: Answer, side: Side) => unknown = (answer) => answer,
): Promise<Answer | undefined> {
  const [left, right] = world.sides;
  const expected = await settle(call(left.store, left));
  const actual = await settle(call(right.store, right));
  const shown = (side: Side, settled: typeof expected) =>
    "error" in settled ? settled : { answer: plain(side, view(settled.answer, side)) };
  assert.deepStrictEqual(shown(right, actual), shown(left, expected));
  return "answer" in expected ? expected.answer : undefined;
}

async function settle<Answer>(call: Promise<Answer>): Promise<{ answer: Answer } | { error: string }> {
  try {
    return { answer: await call };
  } catch (error) {
    if (CarillonError.is(error) && error.code !== "internal") return { error: error.code };
    throw error;
  }
}

/** An answer as it can be compared: sessions by their number in the world, lanes by name, keys in order. */
export function plain(side: Side, value: unknown, key = ""): unknown {
  if (key === "session" && typeof value === "bigint") return `session ${side.sessions.indexOf(value)}`;
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return value.map((item) => plain(side, item));
  if (value === null || typeof value !== "object") return value;
  if (key === "lane") return laneName(value as Lane);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, plain(side, v, k)]));
}

/** For answers whose order nobody promises. */
export function unordered(side: Side, items: readonly unknown[]): string[] {
  return items.map((item) => JSON.stringify(plain(side, item))).sort();
}

export const laneName = (lane: LaneName): string => laneKey(lane).replaceAll("\0", "/");

/**
 * Names of all lanes of this world; brings each side's ids of them up to date. A store may know more than the left one, such as a lane
 * made for a change that was then refused: it has no tasks.
 */
export async function laneNames(world: World): Promise<string[]> {
  for (const side of world.sides) {
    const ours = (await side.store.lanes()).filter((lane) => world.namespaces.includes(lane.namespace));
    side.lanes = new Map(ours.map((lane) => [laneName(lane), lane]));
  }
  const [left, right] = world.sides;
  const names = [...left.lanes.keys()].sort();
  for (const name of names) assert(right.lanes.has(name), `The lane ${name} is missing.`);
  return names;
}

export const laneId = (side: Side, name: string): number => side.lanes.get(name)!.id;

export function nextDueByName(
  side: Side,
  answer: { laneId: number; band: Band; dueAt: number }[],
): { lane: string; band: Band; dueAt: number }[] {
  const names = new Map([...side.lanes].map(([name, lane]) => [lane.id, name]));
  return answer.map(({ laneId, band, dueAt }) => ({ lane: names.get(laneId)!, band, dueAt }));
}

/** The nth of a list, counted round; undefined when it is empty. */
export function pick<Item>(items: readonly Item[], n: number): Item | undefined {
  return items.length === 0 ? undefined : items[n % items.length];
}

/** What one of the sessions that hold something holds, as the left side says, and which session that is. */
export async function heldBy(world: World, n: number): Promise<{ session: number; refs: TaskRef[] }> {
  const [left] = world.sides;
  const all = await Promise.all(left.sessions.map((id) => left.store.leases(id)));
  const holders = [...all.keys()].filter((session) => all[session]!.length > 0);
  const session = pick(holders, n) ?? n;
  const refs = all[session] ?? [];
  return { session, refs: refs.sort((a, b) => (a.id < b.id ? -1 : 1)) };
}

export interface TaskGiven {
  namespace: number;
  type: string;
  queue: string;
  priority: number;
  dueInMs: number;
  maxAttempts: number;
  startWithinMs: number | null;
  finishWithinMs: number | null;
  payload: string | null;
  uniqueKey: string | null;
  uniqueForMs: number | null;
  /** Left out: it has none. */
  concurrencyKey?: string | null;
  fairKey?: string | null;
  tags: string[];
  requires: Record<string, string>;
}

export function newTask(world: World, given: TaskGiven): NewTask {
  const { type, queue, priority, payload, uniqueKey, uniqueForMs, concurrencyKey = null, tags, requires } = given;
  const { fairKey = null } = given;
  const { maxAttempts, startWithinMs, finishWithinMs } = given;
  const task: NewTask = {
    id: world.newId(),
    namespace: world.namespaces[given.namespace]!,
    type,
    queue,
    priority,
    dueAt: world.now + given.dueInMs,
    policy: {
      ...defaultPolicy,
      retry: { ...defaultPolicy.retry, maxAttempts },
      ...(startWithinMs === null ? {} : { startWithinMs }),
      ...(finishWithinMs === null ? {} : { finishWithinMs }),
    },
    payload,
    trigger: "api",
    scheduleId: null,
    fireAt: null,
    uniqueKey,
    ...(uniqueForMs === null ? {} : { uniqueForMs }),
    concurrencyKey,
    fairKey,
    tags,
    replayOf: null,
    ...(Object.keys(requires).length === 0 ? {} : { requires }),
  };
  world.tasks.push({ namespace: task.namespace, id: task.id });
  return task;
}
