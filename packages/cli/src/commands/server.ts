import { CarillonError } from "@carillon/core";
import type { Command } from "commander";
import { nodeConfig } from "../node-config.ts";
import { runNode } from "../run-node.ts";

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
    .option("--host <address>", "CARILLON_HOST (127.0.0.1)")
    .option("--port <port>", "CARILLON_PORT (7070)")
    .option("--database-url <url>", "CARILLON_DATABASE_URL, then DATABASE_URL")
    .option("--data-dir <folder>", "CARILLON_DATA_DIR, for the embedded database")
    .option("--embedded", "use the embedded database although NODE_ENV is production")
    .option("--advertise-url <url>", "CARILLON_ADVERTISE_URL: how workers and other nodes reach this one")
    .option("--roles <list>", "CARILLON_ROLES: api,dispatcher,planner")
    .option("--retention <duration>", "CARILLON_RETENTION (14d)")
    .option("--concurrency <n>", "http tasks at once in this process", Number, 50)
    .option("--drain-timeout <duration>", "how long running tasks get at SIGTERM", "30s")
    .option("--config <file>", "JSON file of settings")
    .option("--json-logs", "the ready line and logs as JSON")
    .action(async ({ concurrency, drainTimeout, embedded, config: file, jsonLogs, ...flags }: ServerFlags) => {
      const config = nodeConfig(flags, file);
      const databaseUrl = config.databaseUrl ?? process.env.DATABASE_URL;
      if (databaseUrl === undefined && process.env.NODE_ENV === "production" && !embedded) {
        throw new CarillonError("invalid_request", {
          detail: "no database: set CARILLON_DATABASE_URL, or say --embedded to use one of its own on this machine",
        });
      }
      await runNode({
        config,
        concurrency,
        tasks: [],
        databaseUrl,
        nextFreePort: false,
        httpAllow: [],
        drainTimeout,
        jsonLogs: jsonLogs ?? false,
      });
    });
}
