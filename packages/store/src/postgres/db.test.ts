import { expect, test } from "vitest";
import { testServers } from "../embedded/test-database.ts";
import { type Db, isUnknown, openPools } from "./db.ts";
import { isDiskFull } from "./db-errors.ts";
import { migrate } from "./migrate.ts";
import { setup } from "./test-store.ts";

const text = (sql: string) => ({ name: "", text: sql });

async function setupPools() {
  const t = await setup();
  const pools = await openPools({ connection: t.connectionString });
  return {
    t,
    pools,
    async [Symbol.asyncDispose]() {
      await pools.close();
      await t[Symbol.asyncDispose]();
    },
  };
}

test("a statement past its deadline is answered at once, and its connection is not used again", async () => {
  await using s = await setupPools();
  const backend = async (db: Db) => (await db.query(text("select pg_backend_pid()"), []))[0]![0];
  const before = await backend(s.pools.claims);
  const late = s.pools.claims.query(text("select pg_sleep(60)"), [], { deadlineMs: 50 });
  const error = await late.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: "unavailable", retryable: true });
  expect(isUnknown(error)).toBe(true);
  expect(await backend(s.pools.claims)).not.toBe(before);
});

test("a statement past its deadline soon ends in the server too", async () => {
  await using s = await setupPools();
  await s.pools.reads.query(text("select pg_sleep(60)"), [], { deadlineMs: 50 }).catch(() => {});
  await s.t.until(`
    select where not exists (
      select from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active')`);
});

test("a database that is not there is unavailable, and nothing was sent", async () => {
  const error = await openPools({ connection: "postgres://nobody@127.0.0.1:1/none" }).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: "unavailable" });
  expect(isUnknown(error)).toBe(false);
});

test("a full disk is named, and nothing of the statement remains", async () => {
  await using s = await setupPools();
  const fail = "do $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$";
  const error = await s.pools.inserts.query(text(fail), []).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "unavailable", message: "The database's disk is full." });
  expect(isDiskFull(error)).toBe(true);
  expect(isUnknown(error)).toBe(false);
});

test("pools survive that the server ends their connections", async () => {
  await using s = await setupPools();
  await Promise.all([1, 2, 3].map(() => s.pools.reads.query(text("select 1"), [])));
  await s.t.sql(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  const answers = await Promise.allSettled([1, 2, 3, 4, 5, 6].map(() => s.pools.reads.query(text("select 1"), [])));
  for (const answer of answers) if (answer.status === "rejected") expect(answer.reason.code).toBe("unavailable");
  expect(await s.pools.reads.query(text("select 1"), [])).toEqual([[1]]);
});

test("a connection to a server that has become a standby is left for another", async () => {
  await using s = await setupPools();
  const insert = () => s.pools.inserts.query(text("insert into policy (body) values ('a') returning body"), []);
  await s.pools.inserts.query(text("set default_transaction_read_only = on"), []);
  const error = await insert().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "unavailable" });
  expect(isUnknown(error)).toBe(false);
  expect(await insert()).toEqual([["a"]]);
});

test("a transaction whose work throws leaves nothing behind, and its connection goes on", async () => {
  await using s = await setupPools();
  const failing = s.pools.control.transaction(async (tx) => {
    await tx.query(text("insert into policy (body) values ('a')"), []);
    await tx.transaction((same) => same.query(text("insert into policy (body) values ('b')"), []));
    throw new Error("changed my mind");
  });
  await expect(failing).rejects.toThrow("changed my mind");
  expect(await s.t.sql("select from policy")).toEqual([]);
  await s.pools.control.transaction((tx) => tx.query(text("insert into policy (body) values ('c')"), []));
  expect(await s.t.sql("select body from policy")).toEqual([{ body: "c" }]);
});

test("a transaction that hides the failure of a statement is no success", async () => {
  await using s = await setupPools();
  const hiding = s.pools.control.transaction(async (tx) => {
    await tx.query(text("insert into policy (body) values ('a')"), []);
    await tx.query(text("select 1 / 0"), []).catch(() => {});
  });
  await expect(hiding).rejects.toThrow("nobody said so");
});

test("a commit that the standby never confirmed is not taken for one", async () => {
  // A server of its own: the setting is the whole server's.
  const servers = testServers();
  try {
    const connectionString = (await servers.connectionString(18))!;
    await migrate(connectionString);
    const pools = await openPools({ connection: connectionString });
    const admin = pools.reads;
    await admin.query(text("alter system set synchronous_standby_names = 'nobody'"), []);
    await admin.query(text("select pg_reload_conf()"), []);
    for (let set = false; !set; ) {
      [[set]] = (await admin.query(text("select current_setting('synchronous_standby_names') = 'nobody'"), [])) as [
        [boolean],
      ];
    }
    const insert = pools.inserts.query(text("insert into policy (body) values ('a')"), []);
    insert.catch(() => {});
    for (let cancelled = false; !cancelled; ) {
      const rows = await admin.query(
        text("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'"),
        [],
      );
      cancelled = rows.length > 0;
    }
    const error = await insert.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "unavailable" });
    expect(isUnknown(error)).toBe(true);
    await pools.close();
  } finally {
    await servers.stop();
  }
});
