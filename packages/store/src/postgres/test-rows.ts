/** For tests of plans: rows that statements shall pass by, and have it cheap. */
import { firstIdAt } from "@carillon/core";
import { NOON, type TestStore } from "./test-store.ts";

/** Older than what a test makes. */
const first = firstIdAt(NOON - 3_600_000);

/** The hot table grows from so many rows to so many; the archive, the ledger and the others have a tenth as many each. */
export async function growTables(t: TestStore, from: number, to: number): Promise<void> {
  const few = [Math.ceil(from / 10), Math.ceil(to / 10)];
  await t.sql(
    `
    insert into task (id, due_at, lane_id, policy_id, state, band, priority, namespace, unique_key, schedule_id, fire_at, trigger)
    select $1::bigint + n, to_timestamp($2::float8 / 1000) + case when n % 2 = 0 then -n else 3600000 + n end * interval '1 millisecond',
           lane.id, 1, 'pending', 2, 5, lane.namespace, case when n % 100 = 0 then 'key-' || n end,
           case when n % 10 = 1 then n % 1000 end, case when n % 10 = 1 then to_timestamp($2::float8 / 1000) + n * interval '1 minute' end,
           case when n % 10 = 1 then 'schedule' else 'api' end::task_trigger
      from generate_series($3::int + 1, $4::int) n
      join lane on lane.type = case when n % 2 = 0 then 'unserved' else 'send' end and lane.queue = 'default'`,
    [first, NOON, from, to],
  );
  await t.sql(
    `
    insert into archive (id, due_at, finished_at, token, lane_id, policy_id, attempt, state, priority, failures, lost, blobs, trigger, namespace)
    select $1::bigint - n, to_timestamp($2::float8 / 1000), to_timestamp($2::float8 / 1000) + (n % 3) * interval '1 day', 1, 1, 1, 1,
           case when n % 100 = 0 then 'failed' else 'succeeded' end::task_state, 5, 0, 0, 0, 'api', 'default'
      from generate_series($3::int + 1, $4::int) n`,
    [first, NOON, ...few],
  );
  await t.sql(
    "insert into blob (task_id, kind, data) select $1::bigint + n, 1, '{}' from generate_series($2::int + 1, $3::int) n",
    [first, ...few],
  );
  await t.sql(
    `
    insert into fire (schedule_id, fire_at, outcome, task_id, version)
    select n % 1000, to_timestamp($1::float8 / 1000) + n * interval '1 second', 'task', n, 1 from generate_series($2::int + 1, $3::int) n`,
    [NOON, ...few],
  );
  await t.sql(
    `insert into dependency (parent_id, child_id) select $1::bigint + n, $1::bigint + n + 1 from generate_series($2::int + 1, $3::int) n`,
    [first, ...few],
  );
  await t.sql(
    `
    insert into workflow (id, namespace, name, on_failure, state, total, open, created_at, finished_at)
    select $1::bigint + n, 'default', 'other', 'stop', 'succeeded', 1, 0, to_timestamp(0), to_timestamp(0)
      from generate_series($2::int + 1, $3::int) n`,
    [first, ...few],
  );
  await t.sql(
    `
    insert into workflow_task (workflow_id, position, task_id, key)
    select $1::bigint + n, 0, $1::bigint - n, 'a' from generate_series($2::int + 1, $3::int) n`,
    [first, ...few],
  );
  await t.sql(
    `
    insert into schedule (id, namespace, name, definition, planned_until, created_at, updated_at)
    select n, 'default', 'other-' || n, '{}', to_timestamp($1::float8 / 1000) + interval '1 hour', to_timestamp(0), to_timestamp(0)
      from generate_series($2::int + 1, $3::int) n`,
    [NOON, ...few],
  );
  await t.sql(
    `
    insert into idempotency (namespace, key, request_hash, response, expires_at)
    select 'default', 'other-' || n, '', '', to_timestamp($1::float8 / 1000) + interval '1 day' from generate_series($2::int + 1, $3::int) n`,
    [NOON, ...few],
  );
}

/** Some of them are held by another node. */
export async function leaseRows(t: TestStore, size: number): Promise<void> {
  const { id } = await t.store.openSession({ node: "other", url: null, now: NOON });
  await t.sql(
    `
    update task set state = 'running', session = $1, token = 1, started_at = to_timestamp($2::float8 / 1000)
     where id in (select id from task where due_at > to_timestamp($2::float8 / 1000) order by id limit $3::int)`,
    [id, NOON, Math.min(100, Math.ceil(size / 10))],
  );
}

/** As it was before a test came. */
export async function removeOthers(t: TestStore): Promise<void> {
  await t.sql("delete from task where id >= $1", [firstIdAt(NOON)]);
  await t.sql("update task set state = 'pending', session = null where session is not null");
  await t.sql("delete from schedule where name !~ '^other'");
  await t.sql("delete from idempotency where key = 'own'");
  await t.sql("delete from fire where schedule_id > $1", [first]);
  await t.sql("delete from dependency where parent_id >= $1", [firstIdAt(NOON)]);
  for (const table of ["workflow", "workflow_task"])
    await t.sql(`delete from ${table} where ${table === "workflow" ? "id" : "workflow_id"} >= $1`, [firstIdAt(NOON)]);
  await t.sql("delete from ended_task");
  await t.sql("delete from session");
}
