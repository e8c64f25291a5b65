import { readdirSync, readFileSync } from "node:fs";
import { finalStates, liveStates } from "@carillon/core";
import pg from "pg";
import { expect, test } from "vitest";
import { createTestDatabase, type TestVersion } from "../embedded/test-database.ts";
import { migrate } from "./migrate.ts";
import { migrations } from "./migrations/index.ts";

const names = [
  "0001_tasks",
  "0002_schedules",
  "0003_past_rules",
  "0004_lateness",
  "0005_calendars",
  "0006_gates",
  "0007_operations",
  "0009_zone_data",
  "0010_deleted_schedules",
  "0011_queues",
  "0012_dependencies",
  "0013_deadlines_windows_progress",
  "0014_workers",
  "0015_targets",
  "0016_stopped_workflows",
  "0017_fair_keys",
];

async function setup(version: TestVersion = 18) {
  const database = await createTestDatabase({ version });
  if (!database) return null;
  const client = new pg.Client({ connectionString: database.connectionString });
  await client.connect();
  return {
    url: database.connectionString,
    client,
    async [Symbol.asyncDispose]() {
      await client.end();
      await database.drop();
    },
  };
}

test("what runs is what the .sql files say", () => {
  const folder = new URL("./migrations/", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  const inlined = migrations.map(({ version, name }) => `${String(version).padStart(4, "0")}_${name}.sql`);
  expect(inlined, "Run `npm run migrations --workspace @carillon/store`.").toEqual(files.sort());
  for (const [index, { text }] of migrations.entries()) {
    expect(text).toBe(readFileSync(new URL(files[index]!, folder), "utf8"));
  }
});

test.each([18, 15] as const)(
  "PostgreSQL %i is migrated once, however many processes try at the same time",
  async (version) => {
    await using t = await setup(version);
    if (!t) return;
    const ran = await Promise.all([1, 2, 3].map(() => migrate(t.url)));
    expect(ran.flat().sort()).toEqual(names);
    expect(await migrate(t.url)).toEqual([]);
  },
);

test("a dry run says what is missing and changes nothing", async () => {
  await using t = (await setup())!;
  expect(await migrate(t.url, { dryRun: true })).toEqual(names);
  const { rows } = await t.client.query("select from pg_namespace where nspname = 'carillon'");
  expect(rows).toEqual([]);
});

test("a migration that was applied with another text is refused", async () => {
  await using t = (await setup())!;
  await migrate(t.url);
  const changed = migrations.map((migration) => ({ ...migration, text: `${migration.text}\n-- changed` }));
  await expect(migrate(t.url, { migrations: changed })).rejects.toThrow("1 tasks was applied with another text");
});

test("a database that a newer version has migrated is refused", async () => {
  await using t = (await setup())!;
  await migrate(t.url, { migrations: [...migrations, { version: 99, name: "future", text: "select 1" }] });
  await expect(migrate(t.url)).rejects.toThrow("newer version of Carillon (99 future)");
});

test("a migration that fails leaves nothing behind", async () => {
  await using t = (await setup())!;
  const broken = { version: 99, name: "broken", text: "create table carillon.half (id int); select 1 / 0" };
  await expect(migrate(t.url, { migrations: [...migrations, broken] })).rejects.toThrow("division by zero");
  expect((await t.client.query("select to_regclass('carillon.half') as half")).rows).toEqual([{ half: null }]);
  expect(await migrate(t.url)).toEqual([]);
});

test("the database knows the states that the transition table knows", async () => {
  await using t = (await setup())!;
  await migrate(t.url);
  const { rows } = await t.client.query("select unnest(enum_range(null::carillon.task_state))::text as state");
  expect(rows.map(({ state }) => state).sort()).toEqual([...liveStates, ...finalStates].sort());
});
