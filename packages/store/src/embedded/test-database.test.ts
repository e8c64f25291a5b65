import pg from "pg";
import { expect, test } from "vitest";
import { createTestDatabase } from "./test-database.ts";

async function query(connectionString: string, sql: string) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test("each call answers an empty database of its own, and drop removes it", async () => {
  const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  await query(one.connectionString, "create table only_here (id int)");
  expect(await query(two.connectionString, "select to_regclass('only_here') as found")).toEqual([{ found: null }]);
  expect((await query(one.connectionString, "show server_version"))[0].server_version).toMatch(/^18\./);
  await one.drop();
  await expect(query(one.connectionString, "select 1")).rejects.toThrow(/does not exist/);
  await two.drop();
});

test("drop does not wait for connections that are still open", async () => {
  const database = await createTestDatabase();
  const client = new pg.Client({ connectionString: database.connectionString });
  client.on("error", () => {});
  await client.connect();
  await database.drop();
  await expect(client.query("select 1")).rejects.toThrow();
  await client.end();
});

test("PostgreSQL 15 is used where it is installed", async (context) => {
  const database = await createTestDatabase({ version: 15 });
  if (!database) return context.skip("PostgreSQL 15 is not installed");
  expect((await query(database.connectionString, "show server_version"))[0].server_version).toMatch(/^15\./);
  await database.drop();
});
