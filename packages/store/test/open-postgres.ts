import { createPostgresStore, type Store } from "@carillon/store";
import pg from "pg";
import type { TestVersion } from "../src/embedded/test-database.ts";
import { hasPooler, startTestPooler } from "../src/embedded/test-pooler.ts";
import { createMigratedDatabase } from "../src/postgres/test-migrated.ts";

export interface OpenPostgres {
  store: Store;
  /** Takes all data away. Lanes and policies stay, as nodes remember them for ever. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** Something that stands between the store and its database. */
type Through = (connectionString: string) => Promise<{ connectionString: string; close(): Promise<void> }>;

/** A store over a fresh database; null when that version, or the pooler that shall stand before it, is not on this machine. */
export async function openPostgres(
  version: TestVersion,
  { pooled = false, through = null as Through | null } = {},
): Promise<OpenPostgres | null> {
  if (pooled && !hasPooler()) return null;
  const database = await createMigratedDatabase({ version });
  if (!database) return null;
  const pooler = pooled ? await startTestPooler(database.connectionString, { port: 6_433 }) : null;
  const proxy = await through?.(database.connectionString);
  const { connectionString } = proxy ?? pooler ?? database;
  const store = await createPostgresStore({ connectionString });
  const client = new pg.Client({ connectionString: database.directUrl, options: "-c search_path=carillon" });
  await client.connect();
  return {
    store,
    async clear() {
      // Lanes stay, since nodes remember them, but nothing is left of what was set on their queues.
      const statements = [...tables.map((table) => `delete from ${table}`), "update lane set mode = 0 where mode <> 0"];
      await client.query(statements.join(";"));
    },
    async close() {
      await store.close();
      await client.end();
      await proxy?.close();
      await pooler?.stop();
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
  "gate",
  "queue",
  "key_gate",
  "key_rate",
  "operation",
  "target",
  "dependency",
  "ended_task",
  "workflow",
  "workflow_task",
  "schedule",
  "calendar_use",
  "calendar",
  "session",
  "downtime",
  "idempotency",
  "task_type",
  "lateness",
  "zone_change",
  "queue",
  "key_gate",
  "key_rate",
];
