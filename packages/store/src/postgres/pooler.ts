/**
 * A pooler in transaction mode gives each transaction whichever session is free, so nothing may be left in one: no settings, no prepared
 * statements, no LISTEN, no lock. It need not be announced: a start finds out, since a node that took it for the server itself would
 * fail later, at random.
 */
import { CarillonError } from "@carillon/core";
import pg from "pg";
import { type ConnectionTarget, connectionConfig, settings } from "./connection.ts";
import { isProtocolViolation, translate } from "./db-errors.ts";

/** What nobody waits for any more shall not go on, as lists that ran out of time do for minutes. Servers on Windows cannot. */
export const CHECK_CLIENT = { client_connection_check_interval: "1s" };

export interface Pooler {
  /** For the beginning of each transaction. */
  settings: Record<string, string>;
}

/** Null: connections are sessions, and have their settings from their start-up options. */
export async function findPooler(connection: ConnectionTarget): Promise<Pooler | null> {
  if ((await inspect(connection)) === "session") return null;
  return await withClient(connectionConfig(connection, { startUpOptions: false }), async (client) => {
    const [[name, value]] = Object.entries(CHECK_CLIENT) as [[string, string]];
    const able = await client.query("select set_config($1, $2, true)", [name, value]).then(
      () => true,
      () => false,
    );
    return { settings: { ...settings, ...(able ? CHECK_CLIENT : {}) } };
  });
}

/** Throws when an address that was given as the server's own leads to a pooler, too. */
export async function requireSession(direct: ConnectionTarget): Promise<void> {
  // A foreign process id alone is no proof here: some hosts put a proxy of theirs, which keeps sessions, before every server.
  if ((await inspect(direct)) !== "refused") return;
  throw new CarillonError("invalid_request", {
    detail:
      "CARILLON_DATABASE_DIRECT_URL leads to a pooler, too, which keeps no session: " +
      "set it to the address of the PostgreSQL server itself, or leave it out.",
  });
}

/**
 * `refused`: start-up options are, loudly or in silence. `foreign`: the session's process is not the one that the connection was told
 * of, since poolers make up their own keys for cancelling; PostgreSQL itself always names its own.
 */
async function inspect(connection: ConnectionTarget): Promise<"session" | "foreign" | "refused"> {
  try {
    return await withClient(connectionConfig(connection), async (client) => {
      const { rows } = await client.query("select current_setting('search_path') as path, pg_backend_pid() as pid");
      if (rows[0].path !== settings.search_path) return "refused";
      return rows[0].pid === (client as unknown as { processID: number | null }).processID ? "session" : "foreign";
    });
  } catch (error) {
    // "unsupported startup parameter: options"
    if (isProtocolViolation(error)) return "refused";
    throw error;
  }
}

async function withClient<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(config);
  client.on("error", () => {});
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw translate(error);
  } finally {
    await client.end();
  }
}
