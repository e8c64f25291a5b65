import { expect, test } from "vitest";
import { DAY_MS } from "./partitions.ts";
import { NOON, setup, succeeded, type TestStore } from "./test-store.ts";

const retention = { retentionMs: 14 * DAY_MS, logRetentionMs: 7 * DAY_MS };

async function partitions(t: TestStore, table: string): Promise<string[]> {
  const rows = await t.sql<{ name: string }>(
    "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::regclass order by 1",
    [table],
  );
  return rows.map(({ name }) => name);
}

/** A task with a large payload that became final at this instant. */
async function finishAt(t: TestStore, at: number) {
  const id = t.newTask().id - (BigInt(NOON - at) << 22n);
  const payload = JSON.stringify("x".repeat(1_000));
  await t.store.createTasks([t.newTask({ id, payload, dueAt: at })], { now: at });
  const [task] = await t.claim(await t.session());
  await t.store.appendLogs([{ ...task!, at, level: "info", message: "hello", attempt: 1 }]);
  await t.store.recordOutcomes([succeeded(task!, { startedAt: at, finishedAt: at })]);
  return id;
}

test("days without a partition get one from whoever writes first, also from several at once", async () => {
  await using t = await setup();
  const second = await t.openStore();
  await t.store.createTasks(t.newTasks(40), { now: NOON });
  const tasks = await t.claim(await t.session());
  const recorded = await Promise.all(
    tasks.map((task, index) =>
      (index % 2 ? t.store : second).recordOutcomes([succeeded(task, { finishedAt: NOON - (index % 5) * DAY_MS })]),
    ),
  );
  expect(recorded.flat()).toEqual(tasks.map(() => true));
  expect(await partitions(t, "archive")).toHaveLength(5);
});

test("partitions are made ahead, so that nobody has to on the way", async () => {
  await using t = await setup();
  await t.store.maintain({ now: NOON, ...retention });
  for (const table of ["archive", "blob", "log_line", "fire"]) {
    const names = await partitions(t, table);
    expect(names).toHaveLength(16);
    expect(names.at(-1)).toBe(`${table}_20260729`);
  }
  await t.store.maintain({ now: NOON + DAY_MS, ...retention });
  expect((await partitions(t, "archive")).at(-1)).toBe("archive_20260730");
});

test("what is past its retention goes, day by day", async () => {
  await using t = await setup();
  const old = await finishAt(t, NOON - 16 * DAY_MS);
  const middle = await finishAt(t, NOON - 9 * DAY_MS);
  const recent = await finishAt(t, NOON);
  await t.store.maintain({ now: NOON, ...retention });
  const tasks = await Promise.all([old, middle, recent].map((id) => t.store.getTask("default", id)));
  expect(tasks.map((task) => task?.payload?.length ?? null)).toEqual([null, 1_002, 1_002]);
  const lines = async (id: bigint) =>
    (await t.store.taskLogs("default", id, { pageSize: 10, after: null })).items.length;
  expect([await lines(middle), await lines(recent)]).toEqual([0, 1]);
  expect(await t.sql("select to_regclass('archive_20260629') as old, to_regclass('blob_20260629') as blobs")).toEqual([
    { old: null, blobs: null },
  ]);
});

test("the payload of a task that waits for longer than the retention stays", async () => {
  await using t = await setup();
  const createdAt = NOON - 60 * DAY_MS;
  const id = t.newTask().id - (BigInt(NOON - createdAt) << 22n);
  const payload = JSON.stringify("x".repeat(1_000));
  await t.store.createTasks([t.newTask({ id, payload, dueAt: NOON })], { now: createdAt });
  await t.store.maintain({ now: NOON, ...retention });
  expect((await t.claim(await t.session()))[0]).toMatchObject({ id, payload });
});

test("a long reader keeps a partition for a while, and holds up nobody", async () => {
  await using t = await setup();
  const old = await finishAt(t, NOON - 16 * DAY_MS);
  const reader = await t.connect();
  await reader.query("begin isolation level repeatable read");
  await reader.query("select from archive");
  await t.store.maintain({ now: NOON, ...retention });
  await finishAt(t, NOON); // Writes to the same table.
  await reader.query("rollback");
  await t.store.maintain({ now: NOON, ...retention });
  expect(await t.store.getTask("default", old)).toBeNull();
  expect(await t.sql("select to_regclass('archive_20260629') as old")).toEqual([{ old: null }]);
});

test("while one node is at it, the others let it be", async () => {
  await using t = await setup();
  const other = await t.connect();
  await other.query("select pg_advisory_lock($1)", [0x4d41494e]);
  await t.store.maintain({ now: NOON, ...retention });
  expect(await partitions(t, "archive")).toEqual([]);
});

test("expired idempotency keys and old sessions are forgotten", async () => {
  await using t = await setup();
  const idempotency = { namespace: "default", requestHash: "h", response: () => "r" };
  for (let index = 0; index < 3; index++) {
    const key = { ...idempotency, key: `k-${index}`, expiresAt: NOON + index };
    await t.store.createTasks([t.newTask()], { now: NOON, idempotency: key });
  }
  const [gone, kept] = [await t.session(), await t.session()];
  await t.store.closeSession(gone, NOON - 15 * DAY_MS);
  await t.store.closeSession(kept, NOON - 13 * DAY_MS);
  await t.store.maintain({ now: NOON + 1, ...retention });
  expect(await t.sql("select key from idempotency")).toEqual([{ key: "k-2" }]);
  expect(await t.sql<{ id: string }>("select id from session")).toEqual([{ id: String(kept) }]);
});

test("dead rows stay bounded under a loop of insert, claim and finish", { timeout: 60_000 }, async () => {
  await using t = await setup();
  await t.sql("alter table task set (autovacuum_enabled = off)");
  const session = await t.session();
  const pages = async () => {
    const [row] = await t.sql<{ pages: number }>("select pg_relation_size('task')::float8 / 8192 as pages");
    return row!.pages;
  };
  let vacuums = 0;
  let written = 0;
  let largest = 0;
  while (vacuums < 4) {
    await t.store.createTasks(t.newTasks(2_000), { now: NOON });
    const tasks = await t.claim(session, 2_000);
    await t.store.recordOutcomes(tasks.map((task) => succeeded(task)));
    written += tasks.length;
    if (await t.store.vacuum()) vacuums++;
    largest = Math.max(largest, await pages());
  }
  // Two versions of each row were written, sixty to a page; without vacuum all of them would still take their place.
  expect(largest).toBeLessThan((0.6 * (2 * written)) / 60);
});
