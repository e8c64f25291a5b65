import type { Command } from "commander";
import { loadTasks } from "../load-tasks.ts";
import { nodeConfig } from "../node-config.ts";
import { loopbackAllowed, runNode } from "../run-node.ts";

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
    .description("One node with its own PostgreSQL and the dashboard; also runs the tasks that these modules export")
    .option("--host <address>", "CARILLON_HOST (127.0.0.1)")
    .option("--port <port>", "CARILLON_PORT (7070, or the next free one)")
    .option("--data-dir <folder>", "CARILLON_DATA_DIR")
    .option("--database-url <url>", "CARILLON_DATABASE_URL: use this server instead of the embedded one")
    .option("--concurrency <n>", "tasks at once in this process", Number, 50)
    .option("--config <file>", "JSON file of settings")
    .option("--json-logs", "the ready line and logs as JSON")
    .action(async (files: string[], { concurrency, config: file, jsonLogs, ...flags }: DevFlags) => {
      const config = nodeConfig(flags, file);
      await runNode({
        config,
        concurrency,
        tasks: await loadTasks(files),
        databaseUrl: config.databaseUrl,
        nextFreePort: config.origins.port === "default",
        httpAllow: loopbackAllowed(config.host),
        drainTimeout: "5s",
        jsonLogs: jsonLogs ?? false,
      });
    });
}
