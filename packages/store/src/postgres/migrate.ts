/** Brings a database to the schema of this version: numbered files, forward only, each in its own transaction, by one process at a time. */
import { createHash } from "node:crypto";
import { CarillonError } from "@carillon/core";
import pg from "pg";
import { type ConnectionTarget, connectionConfig } from "./connection.ts";
import { translate } from "./db-errors.ts";
import { type Migration, migrations } from "./migrations/index.ts";

/** `LOCK` in bytes; any constant that no other program uses. */
const LOCK = 0x4c4f434b;

export interface MigrateOptions {
  /** Only say what would run. */
  dryRun?: boolean;
  /** Default: this version's own. */
  migrations?: readonly Migration[];
}

/**
 * Names of the migrations that ran (or would run). Needs a direct connection: a pooler in transaction mode keeps no session for the lock.
 * Refuses a database that a newer version has migrated, and one whose migrations read differently from ours.
 */
export async function migrate(connection: ConnectionTarget, options: MigrateOptions = {}): Promise<string[]> {
  const client = new pg.Client(connectionConfig(connection));
  client.on("error", () => {});
  try {
    await client.connect();
    // Waits for another process that migrates, but not for ever.
    await client.query("set lock_timeout = '60s'");
    await client.query("select pg_advisory_lock($1)", [LOCK]);
    return await migrateLocked(client, options);
  } catch (error) {
    throw translate(error);
  } finally {
    await client.end();
  }
}

async function migrateLocked(client: pg.Client, options: MigrateOptions): Promise<string[]> {
  const known = options.migrations ?? migrations;
  const applied = await appliedMigrations(client);
  const newest = Math.max(0, ...known.map((migration) => migration.version));
  for (const { version, name, checksum } of applied) {
    if (version > newest) {
      throw refused(
        `The database was migrated by a newer version of Carillon (${version} ${name}); this one knows ${newest}.`,
      );
    }
    const ours = known.find((migration) => migration.version === version);
    if (ours && checksumOf(ours) !== checksum) {
      throw refused(`Migration ${version} ${name} was applied with another text than this version has.`);
    }
  }
  const missing = known.filter((migration) => !applied.some(({ version }) => version === migration.version));
  if (!options.dryRun) for (const migration of missing) await apply(client, migration);
  return missing.map(({ version, name }) => `${String(version).padStart(4, "0")}_${name}`);
}

async function appliedMigrations(client: pg.Client): Promise<{ version: number; name: string; checksum: string }[]> {
  const found = await client.query("select to_regclass('carillon.migration') is not null as found");
  if (!found.rows[0].found) return [];
  const result = await client.query("select version, name, checksum from carillon.migration order by version");
  return result.rows;
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query("begin");
  try {
    await client.query("create schema if not exists carillon");
    await client.query(`
      create table if not exists carillon.migration (
        version int primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`);
    await client.query(migration.text);
    await client.query("insert into carillon.migration (version, name, checksum) values ($1, $2, $3)", [
      migration.version,
      migration.name,
      checksumOf(migration),
    ]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => {}); // The connection may be gone; what failed says more.
    throw error;
  }
}

function checksumOf(migration: Migration): string {
  return createHash("sha256").update(migration.text).digest("hex");
}

function refused(detail: string): CarillonError {
  return new CarillonError("internal", { detail });
}
