import { CarillonError } from "@carillon/core";
import { migrate } from "@carillon/store";
import type { Command } from "commander";
import { nodeConfig } from "../node-config.ts";
import { printRows } from "../output.ts";

export function migrateCommand(program: Command): void {
  program
    .command("migrate")
    .description("Bring the database's schema to this version (also done at every start)")
    .option("--database-url <url>", "default CARILLON_DATABASE_URL, then DATABASE_URL")
    .option("--dry-run", "only print what is missing")
    .action(async ({ databaseUrl, dryRun }: { databaseUrl?: string; dryRun?: boolean }, command: Command) => {
      const config = nodeConfig({ databaseUrl });
      const url = config.databaseDirectUrl ?? config.databaseUrl ?? process.env.DATABASE_URL;
      if (url === undefined) {
        throw new CarillonError("invalid_request", {
          detail: "which database? Give --database-url or CARILLON_DATABASE_URL",
        });
      }
      const steps = await migrate({ connectionString: url }, { dryRun: dryRun ?? false });
      printRows(
        steps.map((step) => ({ migration: step, state: dryRun ? "missing" : "applied" })),
        [
          { title: "MIGRATION", value: (row) => row.migration },
          { title: "STATE", value: (row) => row.state },
        ],
        command.optsWithGlobals<{ json?: boolean }>().json ?? false,
      );
    });
}
