/** For tests: Debian's PgBouncer before a server, as unforgiving as they come: in transaction mode, and without prepared statements. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import pg from "pg";
import { until } from "./timers.ts";

export interface TestPooler {
  /** Like the server's own, through here. */
  connectionString: string;
  stop(): Promise<void>;
}

const program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].find((path) => existsSync(path));

/** Whether there is one on this machine; where nothing may be skipped, its absence is an error. */
export function hasPooler(): boolean {
  if (program) return true;
  if (process.env.CARILLON_TEST_REQUIRE === "all")
    throw new Error("PgBouncer is required here but absent: install the package pgbouncer");
  console.warn("\n*** SKIPPED: tests behind a pooler, because PgBouncer was not found. ***\n");
  return false;
}

/**
 * Beside the server's own socket, and under the server's account: PgBouncer refuses to run as root. `size`: sessions per database;
 * `ignoreOptions`: start-up options are dropped in silence.
 */
export async function startTestPooler(
  connectionString: string,
  { size = 20, port = 6432, ignoreOptions = false } = {},
): Promise<TestPooler> {
  const { host: socketDir, port: serverPort } = new pg.Client({ connectionString });
  const { uid, gid } = statSync(socketDir);
  const folder = mkdtempSync(join(tmpdir(), "carillon-pooler-"));
  const file = join(folder, "pgbouncer.ini");
  writeFileSync(
    file,
    configuration({ socketDir, serverPort, port, size }) +
      (ignoreOptions ? "ignore_startup_parameters = options\n" : ""),
  );
  for (const path of [folder, file]) chownSync(path, uid, gid);
  // The shell ends it when we are gone, however that came about.
  const child = spawn("sh", ["-c", `"$0" -q "$1" & read -r _; kill $!; wait`, program!, file], {
    ...(process.getuid?.() === 0 ? { uid, gid } : {}),
    cwd: "/",
    stdio: ["pipe", "ignore", "pipe"],
  });
  const said = text(child.stderr);
  const exited = once(child, "exit");
  const socket = join(socketDir, `.s.PGSQL.${port}`);
  if (!(await until(() => answers(socket), { timeoutMs: 10_000, everyMs: 5 }))) {
    child.stdin.end();
    throw new Error(`PgBouncer did not start: ${await said}`);
  }
  return {
    connectionString: throughPooler(connectionString, port),
    async stop() {
      child.stdin.end();
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function answers(path: string): Promise<boolean> {
  const socket = connect(path);
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}

/** The same database by the pooler on this port. */
export function throughPooler(connectionString: string, port = 6432): string {
  return connectionString.replace(/port=\d+/, `port=${port}`);
}

function configuration(options: { socketDir: string; serverPort: number; port: number; size: number }): string {
  return `[databases]
* = host=${options.socketDir} port=${options.serverPort} user=carillon

[pgbouncer]
pool_mode = transaction
unix_socket_dir = ${options.socketDir}
listen_port = ${options.port}
auth_type = any
default_pool_size = ${options.size}
max_client_conn = 2000
max_db_connections = ${options.size}
server_idle_timeout = 5
`;
}
