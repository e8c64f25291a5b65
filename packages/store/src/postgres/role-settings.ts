/**
 * Connections get their settings as start-up options. A pooler may refuse those, or drop them in silence; then the role gets them, for
 * this database, and with it every connection that the pooler opens from then on.
 */
import { CarillonError } from "@carillon/core";
import pg from "pg";
import { type ConnectionTarget, connectionConfig, settings } from "./connection.ts";
import { sqlState, translate } from "./db-errors.ts";

/** Whether connections shall ask for their settings at start-up. Otherwise they have them. */
export async function prepareSettings(connection: ConnectionTarget, direct: ConnectionTarget): Promise<boolean> {
  try {
    if (await searchesSchema(connection, true)) return true;
  } catch (error) {
    if (sqlState(error) !== "08P01") throw translate(error);
  }
  await withClient(connectionConfig(direct), (client) => client.query(setForRole));
  if (await searchesSchema(connection, false)) return false;
  throw new CarillonError("internal", {
    detail:
      "The pooler refuses start-up options, and its connections are older than the role's settings: let it reconnect.",
  });
}

async function searchesSchema(connection: ConnectionTarget, startUpOptions: boolean): Promise<boolean> {
  return withClient(connectionConfig(connection, { startUpOptions }), async (client) => {
    const result = await client.query("select current_setting('search_path') as path");
    return result.rows[0].path === settings.search_path;
  });
}

async function withClient<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(config);
  client.on("error", () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end();
  }
}

const setForRole = `
do $$
begin
  ${Object.entries(settings)
    .map(
      ([name, value]) =>
        `execute format('alter role %I in database %I set ${name} to %L', current_user, current_database(), '${value}');`,
    )
    .join("\n  ")}
end $$`;
