/** Brings a database to the schema of this version: numbered files, forward only, each in its own transaction, by one process at a time. */
import { createHash } from "node:crypto";
import { CarillonError } from "@carillon/core";
import pg from "pg";
import { beginWith, type ConnectionTarget, connectionConfig, settings } from "./connection.ts";
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
 * Names of the migrations that ran (or would run). Refuses a database that a newer version has migrated, and one whose migrations read
 * differently from ours. Lock and settings are each transaction's own: a pooler in transaction mode keeps neither.
 */
export async function migrate(connection: ConnectionTarget, options: MigrateOptions = {}): Promise<string[]> {
  const known = options.migrations ?? migrations;
  const client = new pg.Client(connectionConfig(connection, { startUpOptions: false }));
  client.on("error", () => {});
  const applyNext = () =>
    locked(client, async () => {
      const [next] = await missingMigrations(client, known);
      if (next) await apply(client, next);
      return next;
    });
  try {
    await client.connect();
    if (options.dryRun) return (await locked(client, () => missingMigrations(client, known))).map(fullName);
    const ran: Migration[] = [];
    for (let next = await applyNext(); next; next = await applyNext()) ran.push(next);
    return ran.map(fullName);
  } catch (error) {
    throw translate(error);
  } finally {
    await client.end();
  }
}

/** In a transaction, while no other process migrates; waits for one that does, but not for ever. */
async function locked<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query(beginWith({ ...settings, lock_timeout: "60s" }));
  try {
    await client.query("select pg_advisory_xact_lock($1)", [LOCK]);
    const answer = await work();
    await client.query("commit");
    return answer;
  } catch (error) {
    await client.query("rollback").catch(() => {}); // The connection may be gone; what failed says more.
    throw error;
  }
}

async function missingMigrations(client: pg.Client, known: readonly Migration[]): Promise<Migration[]> {
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
  return known.filter((migration) => !applied.some(({ version }) => version === migration.version));
}

async function appliedMigrations(client: pg.Client): Promise<{ version: number; name: string; checksum: string }[]> {
  const found = await client.query("select to_regclass('carillon.migration') is not null as found");
  if (!found.rows[0].found) return [];
  const result = await client.query("select version, name, checksum from carillon.migration order by version");
  return result.rows;
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
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
}

function fullName({ version, name }: Migration): string {
  return `${String(version).padStart(4, "0")}_${name}`;
}

function checksumOf(migration: Migration): string {
  return createHash("sha256").update(migration.text).digest("hex");
}

function refused(detail: string): CarillonError {
  return new CarillonError("internal", { detail });
}
