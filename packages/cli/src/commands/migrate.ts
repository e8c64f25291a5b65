import type { Command } from "commander";
import { wantsJson } from "../connect.ts";
import { usageError } from "../input.ts";
import { printRows, say } from "../output.ts";

interface MigrateFlags {
  databaseUrl?: string;
  config?: string;
  dryRun?: boolean;
}

export function migrateCommand(program: Command): void {
  program
    .command("migrate")
    .description("Bring a database's schema to this version; every start of a node does it too")
    .option("--database-url <url>", "PostgreSQL 15 or newer (CARILLON_DATABASE_URL, else DATABASE_URL)")
    .option("--config <file>", "JSON file of settings (CARILLON_CONFIG)")
    .option("--dry-run", "only print what is missing")
    .action(async ({ databaseUrl, config: file, dryRun = false }: MigrateFlags, command: Command) => {
      const { foreignDatabaseUrl, nodeConfig } = await import("../node-config.ts");
      const { migrate } = await import("@carillon/store");
      const config = nodeConfig({ databaseUrl }, file);
      // A flag names the database that is meant, also where the environment knows a way past a pooler of another one.
      const url = databaseUrl ?? config.databaseDirectUrl ?? config.databaseUrl ?? foreignDatabaseUrl();
      if (url === undefined) throw usageError("which database? Give --database-url or CARILLON_DATABASE_URL");
      const steps = await migrate({ connectionString: url }, { dryRun });
      const rows = steps.map((step) => ({ migration: step, state: dryRun ? "missing" : "applied" }));
      if (rows.length === 0) say("nothing to do: the schema is of this version");
      else {
        printRows(
          rows,
          [
            { title: "MIGRATION", value: ({ migration }) => migration },
            { title: "STATE", value: ({ state }) => state },
          ],
          wantsJson(command),
        );
      }
    });
}
