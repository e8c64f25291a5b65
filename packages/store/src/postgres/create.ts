/**
 * createTasks. Singles without keys share statements (group commit); a batch is one statement of its own; tasks with a unique or
 * idempotency key, or after others, go through keyed.ts, because somebody else's transaction may hold the same key or task.
 */
import type { CreateAnswer, CreateOptions, NewTask } from "../store.ts";
import {
  allCreated,
  type CreateCall,
  FLIGHT_BYTES,
  isCreated,
  recover,
  sessionsOf,
  sizeOfCreate,
  waitingCreates,
} from "./created.ts";
import type { Pools } from "./db.ts";
import { refusalOf } from "./db-errors.ts";
import { createGroup, type Entry, settle } from "./group-commit.ts";
import { type InsertedRow, insertOf, isBlocked } from "./insert.ts";
import { createKeyedLane } from "./keyed.ts";
import type { Catalog } from "./lanes.ts";
import { withPartitions } from "./partitions.ts";

const DEADLINE_MS = 5_000;
/** For up to 10,000 rows and 32 MiB. */
const BATCH_DEADLINE_MS = 15_000;

export type CreateTasks = (tasks: NewTask[], options: CreateOptions) => Promise<CreateAnswer>;

export function createCreateTasks(pools: Pools, catalog: Catalog): CreateTasks {
  const run = (entries: Entry<CreateCall, CreateAnswer>[]) =>
    settle(
      entries,
      (calls) => insertPlain(pools, catalog, calls),
      (failed, error) => recover(pools, catalog, failed, error),
    );
  const shared = { flights: 2, sizeOf: sizeOfCreate, waiting: waitingCreates(pools.timers), run };
  const insertSingle = createGroup({ ...shared, flight: { rows: 1_000, bytes: FLIGHT_BYTES } });
  const insertBatch = createGroup({ ...shared, flight: { rows: 1, bytes: FLIGHT_BYTES } });
  const insertKeyed = createKeyedLane(pools, catalog);

  return async (tasks, options) => {
    if (tasks.length === 0 && !options.idempotency) return { kind: "created", tasks: [], claimed: [] };
    const keyed = options.idempotency || tasks.some((task) => task.uniqueKey !== null || isBlocked(task));
    const insert = keyed ? insertKeyed : tasks.length > 1 ? insertBatch : insertSingle;
    try {
      // Not for all calls that fly together: one that asks for too much is refused alone.
      if (tasks.some(({ requires }) => requires !== undefined)) await catalog.admit(tasks);
      return await insert({ tasks, options });
    } catch (error) {
      throw refusalOf(error);
    }
  };
}

/** All tasks of all calls, in one statement. */
async function insertPlain(pools: Pools, catalog: Catalog, calls: CreateCall[]): Promise<CreateAnswer[]> {
  const tasks = calls.flatMap((call) => call.tasks);
  const sessions = sessionsOf(calls);
  const { statement, values } = insertOf(tasks, await catalog.numbersOf(tasks), sessions ? { sessions } : {});
  const deadlineMs = calls.length === 1 ? BATCH_DEADLINE_MS : DEADLINE_MS;
  const rows = await withPartitions(pools.control, () =>
    pools.inserts.query<InsertedRow>(statement, values, { deadlineMs }),
  );
  if (rows.length === 0)
    return calls.map(({ tasks }) => ({ kind: "created", tasks: tasks.map(isCreated), claimed: [] }));
  const claimed = new Set(rows.map(([id]) => id));
  return Promise.all(calls.map((call) => allCreated(catalog, call, claimed)));
}
