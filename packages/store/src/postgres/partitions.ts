/**
 * Final tasks, payloads, log lines and fires lie in partitions by day (UTC). They are made ahead by `maintain`, and on demand by whoever
 * meets a day without one, so that no write is ever lost to a missing partition.
 */
import { firstIdAt, idCreatedAt } from "@carillon/core";
import { type Db, sqlState } from "./db.ts";

export const partitionedTables = ["archive", "blob", "log_line", "fire"] as const;
export type PartitionedTable = (typeof partitionedTables)[number];

export const DAY_MS = 86_400_000;
export const dayOf = (ms: number): number => Math.floor(ms / DAY_MS) * DAY_MS;

/** More missing days than a statement may ever touch: something else is wrong. */
const ATTEMPTS = 1_000;

/** Runs `work`, a statement or a transaction, again for each day whose partition it missed. `db` makes the partitions. */
export async function withPartitions<T>(db: Db, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const missing = missingPartition(error);
      if (!missing || attempt === ATTEMPTS) throw error;
      await createPartition(db, missing.table, missing.day);
    }
  }
}

/** `no partition of relation "archive" found for row`, whose detail tells the value. */
function missingPartition(error: unknown): { table: PartitionedTable; day: number } | null {
  if (sqlState(error) !== "23514") return null;
  const { table, constraint, detail } = error as { table?: string; constraint?: string; detail?: string };
  const found = partitionedTables.find((name) => name === table);
  const value = detail?.match(/= \((.*)\)\.?$/)?.[1];
  if (!found || constraint !== undefined || value === undefined) return null;
  const ms = found === "blob" ? idCreatedAt(BigInt(value)) : Date.parse(value.replace(/([+-]\d\d)$/, "$1:00"));
  return { table: found, day: dayOf(ms) };
}

/** Made apart and then attached, which keeps nobody from writing; `create table … partition of` would wait for every reader. */
export async function createPartition(db: Db, table: PartitionedTable, day: number): Promise<void> {
  const name = partitionName(table, day);
  const [from, until] = [day, day + DAY_MS].map((ms) => {
    return table === "blob" ? String(firstIdAt(ms)) : `'${new Date(ms).toISOString()}'`;
  });
  await db.transaction(async (tx) => {
    await tx.query({ name: "", text: "set local lock_timeout = '3s'" }, []);
    await tx.query(lockName, [name]);
    const [[exists]] = (await tx.query<[boolean]>(tableExists, [name])) as [[boolean]];
    if (exists) return;
    await tx.query({ name: "", text: `create table ${name} (like ${table} including all)` }, []);
    await tx.query(
      { name: "", text: `alter table ${table} attach partition ${name} for values from (${from}) to (${until})` },
      [],
    );
  });
}

/** `archive_20260801` */
export function partitionName(table: PartitionedTable, day: number): string {
  return `${table}_${new Date(day).toISOString().slice(0, 10).replaceAll("-", "")}`;
}

const lockName = {
  name: "lock_name",
  text: "select pg_advisory_xact_lock(hashtextextended($1, 0))",
};

const tableExists = {
  name: "table_exists",
  text: "select to_regclass($1) is not null",
};
