import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { CarillonError } from "@carillon/core";
import pg from "pg";
import { type Account, chooseAccount, isReachable } from "./account.ts";
import { findBinaries } from "./binaries.ts";
import type { Exit } from "./child.ts";
import { checkMajor, dataOwner, prepareCluster } from "./cluster.ts";
import { diskWarnings } from "./disk.ts";
import { diskFull, explainFailure, isDiskFull } from "./failure.ts";
import { clearLeftovers } from "./leftover.ts";
import { serverLog } from "./log.ts";
import { takeOwnership } from "./owner.ts";
import { endServer, launchServer } from "./server.ts";
import { serverSettings } from "./settings.ts";
import { repeat } from "./timers.ts";

export interface EmbeddedOptions {
  /** Made when absent. The database lies in `pg18` (its major version) inside, beside `carillon.lock` and `postgres.log`. */
  dataDir: string;
  /** A folder with `postgres` and `initdb` of PostgreSQL 15 or newer; default: the PostgreSQL installed with Carillon. */
  postgresBin?: string;
  /** Further PostgreSQL settings; they win over ours. */
  settings?: Record<string, string>;
  log?: (line: string) => void;
  /** The database ended although nobody stopped it. The data folder is free again by then. */
  onExit?: (info: Exit & { reason: string }) => void;
}

export interface EmbeddedPostgres {
  /** For `pg`; the host is the folder of the unix socket. */
  connection: { host: string; port: number; user: string; database: string };
  /** The same as a URL, for `pg` and psql. */
  connectionString: string;
  pid: number;
  /** `18.4` */
  version: string;
  /** Absolute. */
  dataDir: string;
  /** The database was made by this start. */
  firstStart: boolean;
  /** What had to be put right first, for example `stopped an orphaned database (pid 123)` or `recovered from an unclean end`. */
  recovered: string | null;
  /** What the data survives, in one sentence. */
  survives: string;
  /** What the operator should know: a disk that does not write when told to, one that is almost full. */
  warnings: string[];
  /** Fast shutdown; afterwards the data folder is free. */
  stop(): Promise<void>;
}

const watchEveryMs = 5_000;

/**
 * Starts the PostgreSQL of a data folder as a child process and waits until it takes connections.
 *
 * One process owns the folder (owner.ts); the database outlives its supervisor only until its watchdog notices, or until the next start
 * stops it (leftover.ts). Whatever is killed, whenever: what was committed is there after the next start.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir);
  try {
    return await start(dataDir, options);
  } catch (error) {
    if (CarillonError.is(error)) throw error;
    const { message } = error as Error;
    if (isDiskFull(message)) throw diskFull(dataDir, error);
    throw new CarillonError("unavailable", {
      detail: `The embedded PostgreSQL could not be started in ${dataDir}: ${message}`,
      cause: error,
    });
  }
}

async function start(dataDir: string, options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const say = options.log ?? (() => {});
  if (process.platform === "win32") {
    throw new CarillonError("unavailable", {
      detail:
        "The embedded PostgreSQL does not run on Windows. Use WSL or a container, or set CARILLON_DATABASE_URL to a PostgreSQL server.",
    });
  }
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const account = chooseAccount(dataOwner(dataDir));
  const binaries = await findBinaries(options.postgresBin, dataDir, account);
  checkMajor(dataDir, binaries);
  const socketDir = makeSocketFolder(account);
  const undo: (() => void)[] = [() => rmSync(socketDir, { recursive: true, force: true })];
  const free = () => {
    for (const step of undo.splice(0).reverse()) step();
  };
  try {
    const ownership = await takeOwnership(dataDir, socketDir, { log: say });
    undo.push(() => ownership.release());
    const log = serverLog(join(dataDir, "postgres.log"));
    log.trim();
    const cluster = await prepareCluster(dataDir, binaries, account, log);
    const stopped = await clearLeftovers(cluster.path, ownership.previous?.socketDir ?? null);
    if (ownership.previous) removeSocketFolder(ownership.previous.socketDir);

    const settings = serverSettings(socketDir, options.settings);
    const launch = { binDir: binaries.binDir, cluster: cluster.path, dataDir, socketDir, account, settings, log };
    const starting = log.mark();
    const launching = launchServer(launch);
    const warnings = diskWarnings(dataDir);
    const server = await launching;
    const replayed = starting().includes("not properly shut down") ? "recovered from an unclean end" : null;
    const recovered = [stopped, replayed].filter((done) => done !== null).join(", ") || null;
    if (recovered) say(recovered);
    const running = log.mark();
    undo.push(
      repeat(watchEveryMs, () => {
        log.trim();
        // Somebody else's by now: end at once, without writing.
        if (!ownership.stillOurs()) server.kill("SIGQUIT");
      }),
    );
    let stopping = false;
    void server.exited.then((exit) => {
      free();
      if (stopping) return;
      const doing = `PostgreSQL ended by itself (${exit.signal ?? `code ${exit.code}`})`;
      const { message: reason } = explainFailure(doing, running(), dataDir, log.path);
      options.onExit?.({ ...exit, reason });
    });
    const stop = async () => {
      stopping = true;
      await endServer(server);
      await server.exited;
    };

    const connection = { host: socketDir, port: 5432, user: "carillon", database: "carillon" };
    try {
      await createDatabase(connection);
    } catch (error) {
      await stop();
      throw error;
    }
    return {
      connection,
      connectionString: `postgresql:///carillon?host=${encodeURIComponent(socketDir)}&port=5432&user=carillon`,
      pid: server.pid,
      version: binaries.version,
      dataDir,
      firstStart: cluster.isNew,
      recovered,
      survives: whatSurvives(settings),
      warnings,
      stop,
    };
  } catch (error) {
    free();
    throw error;
  }
}

/** Idempotent, so a first start that was interrupted right before is made up for by the next. */
async function createDatabase(connection: EmbeddedPostgres["connection"]): Promise<void> {
  const client = new pg.Client({ ...connection, database: "postgres" });
  await client.connect();
  try {
    const { rowCount } = await client.query("select from pg_database where datname = $1", [connection.database]);
    if (rowCount === 0) await client.query(`create database ${connection.database}`);
  } finally {
    await client.end();
  }
}

/**
 * A private folder for the unix socket: of the database's user, with a path short enough for a socket address (107 bytes on
 * Linux, 103 on macOS), which the data folder's need not be.
 */
function makeSocketFolder(account: Account | null): string {
  const fits = (folder: string) =>
    Buffer.byteLength(join(folder, "carillon-XXXXXX", ".s.PGSQL.5432")) <= 103 && (!account || isReachable(folder));
  const folder = mkdtempSync(join(socketParents().find(fits) ?? "/var/tmp", "carillon-"));
  if (account) chownSync(folder, account.uid, account.gid);
  return folder;
}

const socketParents = () => [tmpdir(), "/tmp", "/var/tmp"];

/**
 * What a killed owner left, if it is one of ours: the name comes from a file that anybody may have written, so nothing but a socket goes,
 * and the folder only when nothing else is in it.
 */
export function removeSocketFolder(folder: string): void {
  if (!isSocketFolder(folder)) return;
  try {
    for (const name of readdirSync(folder)) if (name.startsWith(".s.PGSQL.5432")) rmSync(join(folder, name));
    rmdirSync(folder);
  } catch {
    // Gone already, or not ours.
  }
}

function isSocketFolder(folder: string): boolean {
  return socketParents().includes(dirname(folder)) && /^carillon-[A-Za-z0-9]{6}$/.test(basename(folder));
}

function whatSurvives(settings: Record<string, string>): string {
  const durable = ["fsync", "full_page_writes", "synchronous_commit"].every((name) => settings[name] === "on");
  if (!durable) return "It survives a crash of Carillon, but not of this machine: writes to disk are not waited for.";
  return "It survives crashes of Carillon, of the database and of this machine, but not the loss of this disk.";
}
