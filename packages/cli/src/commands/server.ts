import type { Command } from "commander";
import { wantsJson } from "../connect.ts";
import { usageError } from "../input.ts";
import { duration, wholeNumber } from "../options.ts";

interface ServerFlags {
  host?: string;
  port?: string;
  dataDir?: string;
  databaseUrl?: string;
  advertiseUrl?: string;
  roles?: string;
  retention?: string;
  concurrency: number;
  drainTimeout: string;
  embedded?: boolean;
  config?: string;
  jsonLogs?: boolean;
}

export function serverCommand(program: Command): void {
  program
    .command("server")
    .description("A node; start as many as you like on one database")
    .option("--host <address>", "loopback address to listen on (CARILLON_HOST, 127.0.0.1)")
    .option("--port <port>", "port to listen on, 0 for any (CARILLON_PORT, 7070)")
    .option("--database-url <url>", "PostgreSQL 15 or newer (CARILLON_DATABASE_URL, else DATABASE_URL)")
    .option("--data-dir <folder>", "where the embedded database lives (CARILLON_DATA_DIR)")
    .option("--embedded", "use the embedded database although NODE_ENV is production")
    .option("--advertise-url <url>", "how workers and other nodes reach this one (CARILLON_ADVERTISE_URL)")
    .option("--roles <list>", "some of api,dispatcher,planner (CARILLON_ROLES)")
    .option("--retention <duration>", "how long final tasks are kept (CARILLON_RETENTION, 14d)")
    .option("--concurrency <n>", "tasks of the types http, noop and sleep at once", wholeNumber(1, 10_000), 50)
    .option("--drain-timeout <duration>", "how long running tasks get at SIGTERM", duration, "30s")
    .option("--config <file>", "JSON file of settings (CARILLON_CONFIG)")
    .option("--json-logs", "the ready line and the log as JSON")
    .action(async (flags: ServerFlags, command: Command) => {
      const { foreignDatabaseUrl, nodeConfig } = await import("../node-config.ts");
      const { runNode } = await import("../run-node.ts");
      const { concurrency, drainTimeout, embedded, config: file, jsonLogs, ...settings } = flags;
      const config = nodeConfig(settings, file);
      const databaseUrl = config.databaseUrl ?? foreignDatabaseUrl();
      if (databaseUrl === undefined && process.env.NODE_ENV === "production" && !embedded) {
        throw usageError(
          "no database: set CARILLON_DATABASE_URL, or say --embedded to use one of its own on this machine",
        );
      }
      await runNode({
        config,
        concurrency,
        tasks: [],
        databaseUrl,
        nextFreePort: false,
        httpAllow: [],
        drainTimeout,
        jsonLogs: jsonLogs ?? wantsJson(command),
      });
    });
}
