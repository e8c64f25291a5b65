/** What creates have in common, whichever way they go: who claims at once, the answer, and what to do when it was lost. */
import { CarillonError, finishBy, type Id, idCreatedAt } from "@carillon/core";
import type { ClaimedTask, CreateAnswer, CreateOptions, NewTask } from "../store.ts";
import { int8Array } from "./arrays.ts";
import { isUnknown, type Pools } from "./db.ts";
import type { Entry, Size, Waiting } from "./group-commit.ts";
import { isBlocked } from "./insert.ts";
import type { Catalog } from "./lanes.ts";
import { pause, type Timers } from "./timers.ts";

export interface CreateCall {
  tasks: NewTask[];
  options: CreateOptions;
}

/** About what one statement carries within its deadline, on a slow disk too. */
export const FLIGHT_BYTES = 8 * 1_024 * 1_024;

export function sizeOfCreate({ tasks }: CreateCall): Size {
  return { rows: tasks.length, bytes: tasks.reduce((sum, { payload }) => sum + (payload?.length ?? 0), 0) };
}

/** Of creates of one kind: what a database that takes them at all works off in a few seconds. */
export function waitingCreates(timers: Timers): Waiting {
  return { most: { rows: 50_000, bytes: 64 * 1_024 * 1_024 }, patienceMs: 5_000, timers };
}

/** Who claims which task at once; undefined when nobody claims any. */
export function sessionsOf(calls: CreateCall[]): (Id | null)[] | undefined {
  if (!calls.some(({ options }) => options.claim && options.claim.count > 0)) return undefined;
  return calls.flatMap(({ tasks, options: { claim } }) =>
    tasks.map((task, index) =>
      claim && index < claim.count && task.uniqueKey === null && !isBlocked(task) ? claim.session : null,
    ),
  );
}

export const isCreated = ({ id }: NewTask) => ({ id, created: true });

export async function allCreated(catalog: Catalog, { tasks }: CreateCall, claimed: Set<Id>): Promise<CreateAnswer> {
  return {
    kind: "created",
    tasks: tasks.map(isCreated),
    claimed: await claimedTasks(
      catalog,
      tasks.filter((task) => claimed.has(task.id)),
    ),
  };
}

/** As the claim would have answered it. */
export async function claimedTasks(catalog: Catalog, tasks: NewTask[]): Promise<ClaimedTask[]> {
  if (tasks.length === 0) return [];
  const { lanes } = await catalog.numbersOf(tasks);
  const schedules = tasks.flatMap((task) => task.scheduleId ?? []);
  const learned = await catalog.learn({ schedules: new Set(schedules) });
  return tasks.map((task, index) => ({
    id: task.id,
    token: 1n,
    lane: lanes[index]!,
    policy: task.policy,
    priority: task.priority,
    dueAt: task.dueAt,
    attempt: 1,
    failures: 0,
    lost: 0,
    payload: task.payload,
    scheduleId: task.scheduleId,
    scheduleName: task.scheduleId === null ? null : learned.scheduleName(task.scheduleId),
    fireAt: task.fireAt,
    finishBy: finishBy(task),
    startedAt: null,
  }));
}

// ---------------------------------------------------------------------------------------------------------- answers that were lost

const ASK_EVERY_MS = 250;
const ASK_TIMES = 12;
/** Short, as a database that does not answer keeps callers waiting for all of these. */
const ASK_DEADLINE_MS = 2_000;

/**
 * Settles calls whose statement failed. When its connection broke before the answer, asks which tasks are there; the others may still
 * come to be, so that their callers are not told that they do not exist.
 */
export async function recover(
  pools: Pools,
  catalog: Catalog,
  entries: Entry<CreateCall, CreateAnswer>[],
  error: unknown,
): Promise<void> {
  const ids = entries.flatMap(({ call }) => call.tasks.map((task) => task.id));
  const holders = isUnknown(error) ? await findInserted(pools, ids) : new Map<Id, Id | null>();
  for (const entry of entries) {
    const { tasks, options } = entry.call;
    if (tasks.length > 0 && tasks.every((task) => holders.has(task.id))) {
      const claimed = tasks.filter(({ id }) => options.claim && holders.get(id) === options.claim.session);
      entry.resolve(await allCreated(catalog, entry.call, new Set(claimed.map((task) => task.id))));
    } else {
      entry.reject(error);
    }
  }
}

/** Those of them that exist, once the database answers again, with the session that still holds the first lease, if any. */
async function findInserted(pools: Pools, ids: Id[]): Promise<Map<Id, Id | null>> {
  const since = ids.reduce((least, id) => Math.min(least, idCreatedAt(id)), Number.POSITIVE_INFINITY) - 60_000;
  for (let times = 1; ; times++) {
    try {
      const deadlineMs = ASK_DEADLINE_MS;
      return new Map(await pools.reads.query<[Id, Id | null]>(selectInserted, [int8Array(ids), since], { deadlineMs }));
    } catch (error) {
      if (!CarillonError.is(error) || times === ASK_TIMES) return new Map();
      await pause(pools.timers, ASK_EVERY_MS);
    }
  }
}

const selectInserted = {
  name: "select_inserted",
  text: `
select id, case when token = 1 and state = 'claimed' then session end from task where id = any($1::int8[])
union all
select id, null from archive where id = any($1::int8[]) and finished_at >= to_timestamp($2::float8 / 1000)`,
};
