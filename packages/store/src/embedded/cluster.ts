import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { CarillonError } from "@carillon/core";
import { type Account, giveTo } from "./account.ts";
import type { Binaries } from "./binaries.ts";
import { startChild } from "./child.ts";
import { explainFailure } from "./failure.ts";
import type { ServerLog } from "./log.ts";

/** PostgreSQL's own data folder, named after its major version: `pg18`. */
interface Cluster {
  path: string;
  major: number;
  owner: Account;
}

/** Who owns the data that is already there; null when there is none. */
export function dataOwner(dataDir: string): Account | null {
  return findClusters(dataDir)[0]?.owner ?? null;
}

/** Refuses data of another major version, and leaves it alone. */
export function checkMajor(dataDir: string, binaries: Binaries): void {
  const other = findClusters(dataDir).find((cluster) => cluster.major !== binaries.major);
  if (!other) return;
  throw new CarillonError("unavailable", {
    detail:
      `The data in ${other.path} was made by PostgreSQL ${other.major}; PostgreSQL ${binaries.version} cannot read it. ` +
      `Nothing was changed. Set CARILLON_POSTGRES_BIN to the bin folder of a PostgreSQL ${other.major} to go on with it, ` +
      "or dump it with that version (pg_dump) and restore it into a new data folder.",
  });
}

/**
 * The folder to start: the existing one, or a new one that `initdb` makes under a temporary name and that is then renamed, so
 * that an interrupted first start leaves nothing that looks like data.
 */
export async function prepareCluster(
  dataDir: string,
  binaries: Binaries,
  account: Account | null,
  log: ServerLog,
): Promise<{ path: string; isNew: boolean }> {
  for (const name of readdirSync(dataDir)) {
    // Its initdb may be about to end; removing is tried again then.
    if (/^pg\d+\.tmp-/.test(name)) rmSync(join(dataDir, name), { recursive: true, force: true, maxRetries: 10 });
  }
  const path = join(dataDir, `pg${binaries.major}`);
  const existing = findClusters(dataDir).find((cluster) => cluster.path === path);
  if (existing) {
    if (account && account.uid !== existing.owner.uid) giveTo(account, path);
    return { path, isNew: false };
  }
  if (existsSync(path)) removeIfEmpty(path);
  await initialise(dataDir, path, binaries, account, log);
  return { path, isNew: true };
}

async function initialise(
  dataDir: string,
  path: string,
  binaries: Binaries,
  account: Account | null,
  log: ServerLog,
): Promise<void> {
  const temporary = mkdtempSync(`${path}.tmp-`);
  if (account) giveTo(account, temporary);
  const written = log.mark();
  const options = [
    "--username=carillon",
    "--auth-local=trust",
    "--auth-host=reject",
    "--encoding=UTF8",
    "--locale=C",
    "--data-checksums",
    "--no-instructions",
  ];
  const initdb = await startChild(join(binaries.binDir, "initdb"), options, { folder: temporary, account, log });
  const { code } = await initdb.exited;
  if (code !== 0) {
    rmSync(temporary, { recursive: true, force: true });
    throw explainFailure("The database could not be created", written(), dataDir, log.path);
  }
  renameSync(temporary, path);
  syncFolder(dataDir);
}

function findClusters(dataDir: string): Cluster[] {
  if (!existsSync(dataDir)) return [];
  return readdirSync(dataDir)
    .filter((name) => /^pg\d+$/.test(name))
    .flatMap((name) => {
      const path = join(dataDir, name);
      const { uid, gid } = statSync(path);
      const { geteuid } = process;
      if (geteuid && geteuid() !== 0 && geteuid() !== uid) {
        throw new CarillonError("unavailable", {
          detail: `The data in ${path} belongs to the user with uid ${uid}. Start Carillon as that user or as root.`,
        });
      }
      const major = readMajor(path);
      return major === null ? [] : [{ path, major, owner: { uid, gid } }];
    });
}

/** Null: no database lies here. */
function readMajor(path: string): number | null {
  try {
    return Number.parseInt(readFileSync(join(path, "PG_VERSION"), "utf8"), 10);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (cause) {
    throw new CarillonError("unavailable", {
      detail: `${path} is there, but it is not a PostgreSQL data folder. Nothing was changed; move it away or name another data folder.`,
      cause,
    });
  }
}

/** Makes a rename survive a power cut. */
function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
