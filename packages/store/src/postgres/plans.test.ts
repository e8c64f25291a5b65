/**
 * Whatever the planner believes about a table, every statement reaches its rows through an index and reads few others. One store lives
 * through it all, so that its statements were prepared while the tables were empty.
 */
import { expect, test } from "vitest";
import { liveThrough } from "./test-life.ts";
import { type Explained, openExplainedStore } from "./test-plans.ts";
import { growTables, leaseRows, removeOthers } from "./test-rows.ts";
import { NOON, openTestStore, type TestStore } from "./test-store.ts";

/** What the planner knows when the statements run. By then rows are leased, also where it has never seen a lease. */
const knowledge: Record<string, (t: TestStore, lease: () => Promise<void>) => Promise<void>> = {
  "as it was before the tables grew": async (_, lease) => lease(),
  "without statistics": async (t, lease) => {
    await lease();
    await t.sql("delete from pg_statistic");
    await t.sql("update pg_class set reltuples = -1, relpages = 0 where relnamespace = 'carillon'::regnamespace");
  },
  "as vacuum left the drained table": async (t, lease) => {
    await lease();
    const indexes = "select indexrelid from pg_index where indrelid = 'task'::regclass";
    await t.sql(
      `update pg_class set reltuples = 0, relpages = 5000 where oid = 'task'::regclass or oid in (${indexes})`,
    );
  },
  "analyzed while there was no lease": async (t, lease) => {
    await t.sql("analyze");
    await lease();
  },
  analyzed: async (t, lease) => {
    await lease();
    await t.sql("analyze");
  },
};

test.for([
  { version: 18, most: 1_000_000 },
  { version: 15, most: 100_000 },
] as const)(
  "on PostgreSQL $version no plan flips while the tables grow to $most rows, whatever the planner believes",
  { timeout: 180_000 },
  async ({ version, most }, { skip }) => {
    await using t = await openTestStore({ version, alone: true });
    if (!t) return skip();
    await using explained = await openExplainedStore(t.connectionString);
    await prepare(t);
    let size = 0;
    for (const next of [0, 1, 1_000, most]) {
      await growTables(t, size, next);
      size = next;
      for (const [known, learn] of Object.entries(knowledge)) {
        await learn(t, () => leaseRows(t, size));
        const seen = new Set<string>();
        const faults: string[] = [];
        await liveThrough(t, explained.store, async (rows, work) => {
          const { plans, answer } = await explained.plansOf(work);
          for (const plan of plans) {
            seen.add(plan.name.replace(/^(finish)_.*/, "$1"));
            faults.push(...faultsOf(plan, rows).map((fault) => `${size} rows, ${known}: ${plan.name} ${fault}`));
          }
          return answer;
        });
        expect(faults).toEqual([]);
        expect(hot.filter((name) => !seen.has(name))).toEqual([]);
        await removeOthers(t);
      }
    }
  },
);

/** Partitions and lanes; and nobody else vacuums or gathers statistics. */
async function prepare(t: TestStore): Promise<void> {
  await t.store.maintain({ now: NOON, retentionMs: 86_400_000, logRetentionMs: 86_400_000 });
  const tables = "select relname from pg_class where relnamespace = 'carillon'::regnamespace and relkind = 'r'";
  for (const { relname } of await t.sql(tables)) await t.sql(`alter table ${relname} set (autovacuum_enabled = off)`);
  for (const type of ["unserved", "send", "other"]) await t.store.createTasks(t.newTasks(1, { type }), { now: NOON });
  await t.sql("delete from task");
}

/** The one index of `task` that leads to the rows; the key serves to write them. */
const leading: Record<string, string> = {
  claim_due: "task_claim",
  next_due: "task_claim",
  select_key_holders: "task_unique",
  finish: "task_pkey",
  try_again: "task_pkey",
  give_back: "task_pkey",
  mark_running: "task_pkey",
  adopt: "task_pkey",
  insert_log_lines: "task_pkey",
  put_progress: "task_pkey",
  get_live_task: "task_pkey",
  skip_unstarted: "task_start_by",
  park_tasks: "task_pkey",
  release_parked: "task_gate",
  select_watched_targets: "task_gate",
  select_near_deadline: "task_deadline",
  fail_overdue: "task_pkey",
  raise_priority: "task_pkey",
  count_backfilled_tasks: "task_schedule",
  lock_parents: "task_pkey",
  lock_blocked_tasks: "task_pkey",
  set_pending_parents: "task_pkey",
  release_blocked_tasks: "task_pkey",
  skip_blocked_tasks: "task_pkey",
  skip_unstarted_of_workflow: "task_pkey",
  cancel_tasks_of_workflow: "task_pkey",
  claim_limited: "task_pkey",
  park_for_keys: "task_pkey",
  select_workflow_graph: "task_pkey",
  lock_waiting_members: "task_pkey",
  wait_for_more: "task_pkey",
  select_memberships: "task_pkey",
};

const hot = [
  ...Object.keys(leading),
  ...["insert_tasks_10000", "insert_tasks_10010", "insert_tasks_11001", "insert_tasks_11100", "replace_task"],
  ...[
    "take_idempotency_keys",
    "select_idempotency_keys",
    "select_unique_windows",
    "open_unique_windows",
    "select_payloads",
    "select_repeated_outcomes",
  ],
  ...["select_leases", "renew_session", "select_sessions", "mark_session_dead", "take_back", "close_empty_session"],
  ...["take_schedules", "insert_fires", "mark_planned", "withdraw_planned", "unplan", "count_tasks", "count_backlogs"],
  ...["take_backfills", "count_backfilled_tasks", "backfill_fires", "move_operation_on"],
  ...["get_soon_final_task", "get_task_anywhere", "cancel_task", "change_task", "retry_task", "delete_task"],
  ...["take_ended_tasks", "select_edges", "take_edges", "drop_edges_of_children", "add_edges", "select_final_parents"],
  ...[
    "select_parents_results",
    "select_awaited_parents",
    "count_workflow_ends",
    "select_workflow_tasks",
    "select_children_in_workflow",
    "grow_workflow",
    "retry_tasks",
  ],
  ...["lock_queue", "select_limited", "select_limited_keys", "select_limited_types", "select_key_look_at"],
  ...["drop_empty_key_gates", "write_queue_rate", "write_key_rates"],
  ...["select_lanes_waiting_for_keys", "select_holders", "select_key_holders_of_queue", "select_type_holders_of_queue"],
  "", // Lists, which have no name.
];

/** `rows`: of how many the verb is. */
function faultsOf({ name, nodes, ...touched }: Explained, rows: number): string[] {
  const faults: string[] = [];
  const lead = leading[name.replace(/^(finish)_.*/, "$1")];
  for (const { "Node Type": type, "Relation Name": table = "", "Index Name": index = "" } of nodes) {
    if (type === "Seq Scan" && !small.has(table)) faults.push(`reads all of ${table}`);
    if (lead && index.startsWith("task_") && ![lead, "task_pkey"].includes(index)) faults.push(`goes by ${index}`);
  }
  // To walk through a thousand rows is no flip yet.
  if (touched.rows > 6 * rows + 5_000) faults.push(`reads ${touched.rows} rows for ${rows}`);
  if (touched.pages > 60 * rows + 300) faults.push(`touches ${touched.pages} pages for ${rows} rows`);
  return faults;
}

const small = new Set(["session", "lane", "policy", "operation", "target", "queue"]);
