import type { Command } from "commander";
import { wantsJson } from "../connect.ts";
import { loadTasks } from "../load-tasks.ts";
import { wholeNumber } from "../options.ts";

interface DevFlags {
  host?: string;
  port?: string;
  dataDir?: string;
  databaseUrl?: string;
  concurrency: number;
  config?: string;
  jsonLogs?: boolean;
}

export function devCommand(program: Command): void {
  program
    .command("dev [files...]")
    .description("A node for your machine: its own PostgreSQL, the dashboard, and the tasks that these modules export")
    .option("--host <address>", "loopback address to listen on (CARILLON_HOST, 127.0.0.1)")
    .option("--port <port>", "port to listen on, 0 for any (CARILLON_PORT, 7070 or the next free one)")
    .option("--data-dir <folder>", "where the database lives (CARILLON_DATA_DIR)")
    .option("--database-url <url>", "use this PostgreSQL instead of an own one (CARILLON_DATABASE_URL)")
    .option("--concurrency <n>", "tasks at once in this process", wholeNumber(1, 10_000), 50)
    .option("--config <file>", "JSON file of settings (CARILLON_CONFIG)")
    .option("--json-logs", "the ready line and the log as JSON")
    .action(async (files: string[], flags: DevFlags, command: Command) => {
      const { nodeConfig } = await import("../node-config.ts");
      const { loopbackAllowed, runNode } = await import("../run-node.ts");
      const { concurrency, config: file, jsonLogs, ...settings } = flags;
      const config = nodeConfig(settings, file);
      await runNode({
        config,
        concurrency,
        tasks: await loadTasks(files),
        databaseUrl: config.databaseUrl,
        nextFreePort: config.origins.port === "default",
        httpAllow: loopbackAllowed(config.host),
        drainTimeout: "5s",
        jsonLogs: jsonLogs ?? wantsJson(command),
      });
    });
}
