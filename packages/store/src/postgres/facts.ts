import pg from "pg";
import { type ConnectionTarget, connectionConfig } from "./connection.ts";
import { findPooler } from "./pooler.ts";

export interface DatabaseFacts {
  /** `18.4` */
  version: string;
  /** `180004` */
  versionNumber: number;
  /** The database's clock minus this process', in milliseconds. */
  offsetMs: number;
  /** Carillon's tables are there. */
  migrated: boolean;
  /** The connection leads through a pooler that keeps no session. */
  pooled: boolean;
}

/** What an operator wants to know about a database before a node uses it. */
export async function databaseFacts(connection: ConnectionTarget, now: () => number): Promise<DatabaseFacts> {
  const client = new pg.Client(connectionConfig(connection, { startUpOptions: false }));
  client.on("error", () => {});
  await client.connect();
  try {
    const sentAt = now();
    const { rows } = await client.query<{ version: string; number: number; at: number; migrated: boolean }>(`
      select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
             (extract(epoch from clock_timestamp()) * 1000)::float8 as at,
             to_regclass('carillon.task') is not null as migrated`);
    const { version, number, at, migrated } = rows[0]!;
    const offsetMs = at - (sentAt + now()) / 2;
    const pooled = (await findPooler(connection)) !== null;
    return { version: version.split(" ")[0]!, versionNumber: number, offsetMs, migrated, pooled };
  } finally {
    await client.end();
  }
}
