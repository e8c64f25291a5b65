import { createPostgresStore, migrate, type Store } from "@carillon/store";
import pg from "pg";
import { createTestDatabase, type TestVersion } from "../src/embedded/test-database.ts";

export interface OpenPostgres {
  store: Store;
  /** Takes all data away. Lanes and policies stay, as nodes remember them for ever. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** A store over a fresh database; null when that version is not on this machine. */
export async function openPostgres(version: TestVersion): Promise<OpenPostgres | null> {
  const database = await createTestDatabase({ version });
  if (!database) return null;
  const { connectionString } = database;
  await migrate(connectionString);
  const store = await createPostgresStore({ connectionString });
  const client = new pg.Client({ connectionString, options: "-c search_path=carillon" });
  await client.connect();
  return {
    store,
    async clear() {
      await client.query(tables.map((table) => `delete from ${table}`).join(";"));
    },
    async close() {
      await store.close();
      await client.end();
      await database.drop();
    },
  };
}

const tables = [
  "task",
  "archive",
  "blob",
  "log_line",
  "fire",
  "schedule",
  "session",
  "downtime",
  "idempotency",
  "task_type",
];
