/** Lanes and policies are few and never change, so that every node remembers them all and rows carry only their numbers. */
import { fairPart, type Id, labelsText, limits, type TaskPolicy } from "@carillon/core";
import { tooManyKinds } from "../requires-kinds.ts";
import { type Lane, laneKey, type NewTask } from "../store.ts";
import type { Db } from "./db.ts";
import { Recent } from "./recent.ts";

/** Of the tasks asked about, in their order. */
export interface Numbers {
  lanes: Lane[];
  policyIds: number[];
}

export interface Catalog {
  /** Refuses tasks that ask for labels in yet another way when there are too many already. */
  admit(tasks: readonly NewTask[]): Promise<void>;
  /** Gives those that are new their rows. */
  numbersOf(tasks: readonly NewTask[]): Promise<Numbers>;
  /** Makes sure that these lanes, which other nodes may have made, are known, and answers with the others. */
  learn(ids: { lanes?: Set<number>; policies?: Set<number>; schedules?: Set<Id> }): Promise<Learned>;
  /** One that was learned. */
  lane(id: number): Lane;
  /** All there are. */
  lanes(): Promise<Lane[]>;
}

/** What was asked about. It does not come from the catalog's memory afterwards: that one is bounded, and others use it too. */
export interface Learned {
  policy(id: number): TaskPolicy;
  /** Null: there is no such schedule. */
  scheduleName(id: Id): string | null;
}

/** Policies may differ from task to task, if users will; so many are remembered. */
const POLICIES_KEPT = 20_000;
const SCHEDULES_KEPT = 200_000;

export function createCatalog(db: Db, { policiesKept = POLICIES_KEPT, schedulesKept = SCHEDULES_KEPT } = {}): Catalog {
  const lanesById = new Map<number, Lane>();
  const lanesByName = new Map<string, Lane>();
  const policiesById = new Recent<number, TaskPolicy>(policiesKept);
  const policyIds = new Recent<string, number>(policiesKept);
  const scheduleNames = new Recent<Id, string>(schedulesKept);
  /** By object: a batch usually shares one. */
  const bodies = new WeakMap<TaskPolicy, string>();

  function bodyOf(policy: TaskPolicy): string {
    let body = bodies.get(policy);
    if (body === undefined) bodies.set(policy, (body = policyBody(policy)));
    return body;
  }

  /** The same object for the same lane, for ever. */
  function remember([id, namespace, queue, type, requires, fair]: LaneRow): Lane {
    let lane = lanesById.get(id);
    if (!lane) {
      lane = {
        ...{ id, namespace, queue, type },
        ...(requires === "{}" ? {} : { requires: JSON.parse(requires) }),
        ...(fair === 0 ? {} : { fair }),
      };
      lanesById.set(id, lane);
      lanesByName.set(laneKey(lane), lane);
    }
    return lane;
  }

  function rememberPolicy([id, body]: PolicyRow): TaskPolicy {
    const policy: TaskPolicy = policiesById.get(id) ?? JSON.parse(body);
    policyIds.set(body, id);
    policiesById.set(id, policy);
    return policy;
  }

  async function prepareLanes(tasks: readonly NewTask[]): Promise<void> {
    const missing = new Map<string, NewTask>();
    for (const task of tasks) {
      const key = laneKey(task);
      if (!lanesByName.has(key)) missing.set(key, task);
    }
    if (missing.size === 0) return;
    const sorted = [...missing].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, task]) => task);
    const columns = [
      sorted.map((task) => task.namespace),
      sorted.map((task) => task.queue),
      sorted.map((task) => task.type),
      sorted.map((task) => JSON.stringify(task.requires ?? {})),
      sorted.map((task) => fairPart(task.fairKey)),
    ];
    const found = await db.query<LaneRow>(selectLanes, columns);
    if (found.length < sorted.length) {
      await db.query(insertLanes, columns);
      found.push(...(await db.query<LaneRow>(selectLanes, columns)));
    }
    for (const row of found) remember(row);
  }

  function policyIdsOf(tasks: readonly NewTask[]): Promise<Map<string, number>> {
    const bodies = new Set(tasks.map((task) => bodyOf(task.policy)));
    return recall(bodies, policyIds, async (missing) => {
      missing.sort();
      const found = await db.query<PolicyRow>(selectPolicies, [missing]);
      if (found.length < missing.length) {
        await db.query(insertPolicies, [missing]);
        found.push(...(await db.query<PolicyRow>(selectPolicies, [missing])));
      }
      for (const row of found) rememberPolicy(row);
      return found.map(([id, body]) => [body, id] as const);
    });
  }

  /** Null: some are not known yet. */
  function numbersFrom(tasks: readonly NewTask[], idsOf: { get(body: string): number | undefined }): Numbers | null {
    const numbers: Numbers = { lanes: [], policyIds: [] };
    for (const task of tasks) {
      const lane = lanesByName.get(laneKey(task));
      const policyId = idsOf.get(bodyOf(task.policy));
      if (!lane || policyId === undefined) return null;
      numbers.lanes.push(lane);
      numbers.policyIds.push(policyId);
    }
    return numbers;
  }

  return {
    async admit(tasks) {
      const fresh = tasks.filter((task) => labelsText(task.requires) !== "" && !lanesByName.has(laneKey(task)));
      if (fresh.length === 0) return;
      const kinds = new Set(fresh.map(laneKey)).size;
      const namespaces = [...new Set(fresh.map(({ namespace }) => namespace))];
      const counts = await db.query<[string, number]>(countRequiring, [namespaces]);
      for (const [namespace, count] of counts) if (count + kinds > limits.requiresKinds) throw tooManyKinds(namespace);
    },
    async numbersOf(tasks) {
      const known = numbersFrom(tasks, policyIds);
      if (known) return known;
      await prepareLanes(tasks);
      return numbersFrom(tasks, await policyIdsOf(tasks))!;
    },
    async learn(ids) {
      const lanes = unknown(ids.lanes ?? [], lanesById);
      if (lanes.length > 0) for (const row of await db.query<LaneRow>(selectLanesById, [lanes])) remember(row);
      const policies = await recall(ids.policies, policiesById, async (missing) => {
        const rows = await db.query<PolicyRow>(selectPoliciesById, [missing]);
        return rows.map((row) => [row[0], rememberPolicy(row)] as const);
      });
      const names = await recall(ids.schedules, scheduleNames, async (missing) => {
        const rows = await db.query<ScheduleRow>(selectScheduleNames, [missing]);
        for (const [id, name] of rows) scheduleNames.set(id, name);
        return rows;
      });
      return { policy: (id) => policies.get(id)!, scheduleName: (id) => names.get(id) ?? null };
    },
    lane: (id) => lanesById.get(id)!,
    async lanes() {
      return (await db.query<LaneRow>(selectAllLanes, [])).map(remember);
    },
  };
}

/** Those of these lanes from which anybody may claim; held so until the end of the transaction. */
export const openLanes = (ids: string): string =>
  `select id from lane where id = any(${ids}::int4[]) and mode = 0 order by id for key share skip locked`;

/** The same text for equal policies, whatever the order of their properties. */
export function policyBody({ retry, timeoutMs, startWithinMs, finishWithinMs }: TaskPolicy): string {
  const { kind, initialMs, factor, maxMs, jitter } = retry.backoff;
  return JSON.stringify({
    retry: { maxAttempts: retry.maxAttempts, backoff: { kind, initialMs, factor, maxMs, jitter } },
    timeoutMs,
    startWithinMs,
    finishWithinMs,
  });
}

type LaneRow = [id: number, namespace: string, queue: string, type: string, requires: string, fair: number];
type PolicyRow = [id: number, body: string];
type ScheduleRow = [id: Id, name: string];

/** Those that are remembered, and the others as `fetch` finds them. */
async function recall<Key, Value>(
  keys: Iterable<Key> = [],
  remembered: Recent<Key, Value>,
  fetch: (missing: Key[]) => Promise<readonly (readonly [Key, Value])[]>,
): Promise<Map<Key, Value>> {
  const found = new Map<Key, Value>();
  const missing: Key[] = [];
  for (const key of keys) {
    const value = remembered.get(key);
    if (value === undefined) missing.push(key);
    else found.set(key, value);
  }
  if (missing.length > 0) for (const [key, value] of await fetch(missing)) found.set(key, value);
  return found;
}

function unknown<T>(ids: Iterable<T>, known: { get(id: T): unknown }): T[] {
  return [...ids].filter((id) => known.get(id) === undefined);
}

const selectLanes = {
  name: "select_lanes",
  text: `
select l.id, l.namespace, l.queue, l.type, l.requires, l.fair
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int2[]) as x(namespace, queue, type, requires, fair)
  join lane l on l.namespace = x.namespace and l.queue = x.queue and l.type = x.type and l.requires = x.requires::jsonb
   and l.fair = x.fair`,
};

const insertLanes = {
  name: "insert_lanes",
  text: `
insert into lane (namespace, queue, type, requires, fair)
select namespace, queue, type, requires::jsonb, fair
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int2[]) as x(namespace, queue, type, requires, fair)
on conflict do nothing`,
};

const selectLanesById = {
  name: "select_lanes_by_id",
  text: "select id, namespace, queue, type, requires, fair from lane where id = any($1::int[])",
};

const selectAllLanes = {
  name: "select_all_lanes",
  text: "select id, namespace, queue, type, requires, fair from lane order by id",
};

const countRequiring = {
  name: "count_requiring_lanes",
  text: `
select namespace, count(*)::int4 from lane
 where namespace = any($1::text[]) and requires <> '{}'
 group by namespace`,
};

const selectPolicies = {
  name: "select_policies",
  text: "select id, body from policy where body = any($1::text[])",
};

const insertPolicies = {
  name: "insert_policies",
  text: "insert into policy (body) select * from unnest($1::text[]) on conflict do nothing",
};

const selectPoliciesById = {
  name: "select_policies_by_id",
  text: "select id, body from policy where id = any($1::int[])",
};

const selectScheduleNames = {
  name: "select_schedule_names",
  text: "select id, name from schedule where id = any($1::bigint[])",
};
