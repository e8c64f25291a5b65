import pg from "pg";
import { describe, expect, test } from "vitest";
import { createTestDatabase } from "../embedded/test-database.ts";
import { hasPooler, startTestPooler } from "../embedded/test-pooler.ts";
import { type Db, openPools } from "./db.ts";
import { databaseFacts } from "./facts.ts";
import { migrate } from "./migrate.ts";
import { DAY_MS } from "./partitions.ts";
import { openProxy } from "./test-proxy.ts";
import { NOON, openTestStore, succeeded } from "./test-store.ts";

const text = (sql: string) => ({ name: "", text: sql });
const port = 20_000 + (process.pid % 20_000);

async function setup({ size = 20 } = {}) {
  const t = (await openTestStore())!;
  const pooler = await startTestPooler(t.directUrl, { size, port });
  return {
    ...t,
    pooled: pooler.connectionString,
    async [Symbol.asyncDispose]() {
      await pooler.stop();
      await t[Symbol.asyncDispose]();
    },
  };
}

async function withPools(options: Parameters<typeof openPools>[0], work: (pools: Db) => Promise<void>): Promise<void> {
  const pools = await openPools(options);
  try {
    await work(pools.outcomes);
  } finally {
    await pools.close();
  }
}

const shown = text(
  "select current_setting('search_path'), current_setting('plan_cache_mode'), current_setting('enable_nestloop')",
);

describe.skipIf(!hasPooler())("behind PgBouncer in transaction mode", () => {
  test("every statement and transaction has its settings, and leaves none to others", async () => {
    await using t = await setup({ size: 1 });
    await withPools({ connection: t.pooled }, async (db) => {
      expect(await db.query(shown, [])).toEqual([["carillon", "force_generic_plan", "off"]]);
      expect(await db.transaction((tx) => tx.query(shown, []))).toEqual([["carillon", "force_generic_plan", "off"]]);
      // The pooler has one session only: somebody else's is the same.
      const other = new pg.Client({ connectionString: t.pooled });
      await other.connect();
      const { rows } = await other.query({ ...shown, rowMode: "array" });
      expect(rows).toEqual([['"$user", public', "auto", "on"]]);
      await other.end();
    });
  });

  test("what an operator is told of a database says whether a pooler stands before it", async () => {
    await using t = await setup();
    expect(await databaseFacts(t.pooled, Date.now)).toMatchObject({ pooled: true, migrated: true });
    expect(await databaseFacts(t.directUrl, Date.now)).toMatchObject({ pooled: false, migrated: true });
  });

  test("a statement that fails leaves nothing behind, and its connection goes on", async () => {
    await using t = await setup();
    await withPools({ connection: t.pooled }, async (db) => {
      const twice = "insert into policy (body) values ('a'), ('a')";
      await expect(db.query(text(twice), [])).rejects.toMatchObject({ code: "23505" });
      await expect(db.query(text("select 1 / 0"), [])).rejects.toMatchObject({ code: "22012" });
      await db.query(text("insert into policy (body) values ('b')"), []);
      expect(await db.query(text("select body from policy"), [])).toEqual([["b"]]);
    });
  });

  test("a statement past its deadline is answered at once, and soon ends in the server too", async () => {
    await using t = await setup();
    await withPools({ connection: t.pooled }, async (db) => {
      const late = db.query(text("select pg_sleep(60)"), [], { deadlineMs: 50 });
      await expect(late).rejects.toMatchObject({ code: "unavailable" });
      await t.until(`
        select where not exists (
          select from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active')`);
    });
  });

  test("settings hold, too, where start-up options are dropped in silence", async () => {
    await using t = await setup();
    const pooler = await startTestPooler(t.directUrl, { port: port + 1, ignoreOptions: true });
    await withPools({ connection: pooler.connectionString }, async (db) => {
      expect(await db.query(shown, [])).toEqual([["carillon", "force_generic_plan", "off"]]);
    });
    await pooler.stop();
  });

  test("a database that the pooler cannot reach is unavailable", async () => {
    const t = await setup();
    const pooler = await startTestPooler(t.directUrl, { port: port + 1 });
    await t[Symbol.asyncDispose]();
    await expect(openPools({ connection: pooler.connectionString })).rejects.toMatchObject({ code: "unavailable" });
    await pooler.stop();
  });

  test("several processes migrate a database at the same time", async () => {
    const database = await createTestDatabase();
    const pooler = await startTestPooler(database.directUrl, { port });
    const ran = await Promise.all([1, 2, 3].map(() => migrate(pooler.connectionString)));
    const [first, ...others] = ran.flat().sort();
    expect([first, new Set(others).size]).toEqual(["0001_tasks", others.length]);
    expect(await migrate(database.directUrl)).toEqual([]);
    await pooler.stop();
    await database.drop();
  });

  test("what is past its retention goes, with two nodes at it", async () => {
    await using t = await setup();
    const retention = { retentionMs: DAY_MS, logRetentionMs: DAY_MS };
    await t.store.createTasks(t.newTasks(3), { now: NOON });
    const tasks = await t.claim(await t.session());
    await t.store.recordOutcomes(
      tasks.map((task, index) => succeeded(task, { finishedAt: NOON - (3 + index) * DAY_MS })),
    );
    const stores = [
      await t.openStore({ connectionString: t.pooled }),
      await t.openStore({ connectionString: t.pooled }),
    ];
    await Promise.all(stores.map((store) => store.maintain({ now: NOON, ...retention })));
    expect(
      await t.sql("select to_regclass('archive_20260712') as gone, to_regclass('archive_20260716') as ahead"),
    ).toEqual([{ gone: null, ahead: "archive_20260716" }]);
    // Nothing is locked any more, for whoever comes next.
    expect(
      await t.sql(
        "select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
      ),
    ).toEqual([]);
  });

  test("without the server's own address nodes say at their start that they have no hints, and how to have some", async () => {
    await using t = await setup();
    const said: string[] = [];
    const store = await t.openStore({ connectionString: t.pooled, log: (message) => said.push(message) });
    expect(said).toEqual([expect.stringContaining("Set CARILLON_DATABASE_DIRECT_URL")]);
    store.hints.publish({ schedules: true });
  });

  test("with the server's own address hints arrive", async () => {
    await using t = await setup();
    const said: string[] = [];
    const open = () =>
      t.openStore({ connectionString: t.pooled, directUrl: t.directUrl, log: (message) => said.push(message) });
    const [sender, receiver] = [await open(), await open()];
    await t.until("select from pg_stat_activity where datname = current_database() and query = 'listen carillon'", 3);
    const heard = new Promise((resolve) => receiver.hints.subscribe(resolve));
    sender.hints.publish({ recall: [7n] });
    expect(await heard).toEqual({ recall: [7n] });
    expect(said).toEqual([]);
  });

  test("a direct address that leads to the pooler, too, is refused at the start, with what to set", async () => {
    await using t = await setup();
    await expect(t.openStore({ connectionString: t.pooled, directUrl: t.pooled })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("CARILLON_DATABASE_DIRECT_URL leads to a pooler, too"),
    });
  });
});

test("a pooler that passes everything else on, but refuses start-up options, is one", async () => {
  const t = (await openTestStore())!;
  const proxy = await openProxy(t.directUrl, { refuseOptions: true });
  await withPools({ connection: proxy.connectionString }, async (db) => {
    expect(await db.query(shown, [])).toEqual([["carillon", "force_generic_plan", "off"]]);
  });
  await proxy.close();
  await t[Symbol.asyncDispose]();
});
