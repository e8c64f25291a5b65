import { type SettingKey, settings } from "@carillon/server";
import type { Command } from "commander";
import { nodeConfig } from "../node-config.ts";
import { printRows } from "../output.ts";

export function configCommand(program: Command): void {
  program
    .command("config")
    .description("What a node started here would use")
    .command("print")
    .description("Print every setting; secrets are masked")
    .option("--show-origin", "and where each value comes from")
    .option("--config <file>", "JSON file of settings")
    .action(({ showOrigin, config: file }: { showOrigin?: boolean; config?: string }, command: Command) => {
      const config = nodeConfig({}, file);
      const rows = (Object.keys(settings) as SettingKey[]).map((key) => ({
        key,
        variable: settings[key].env,
        value: show(key, config[key]),
        origin: config.origins[key],
      }));
      printRows(
        rows,
        [
          { title: "SETTING", value: (row) => row.key },
          { title: "VARIABLE", value: (row) => row.variable },
          { title: "VALUE", value: (row) => row.value },
          ...(showOrigin ? [{ title: "ORIGIN", value: (row: { origin: string }) => row.origin }] : []),
        ],
        command.optsWithGlobals<{ json?: boolean }>().json ?? false,
      );
    });
}

function show(key: SettingKey, value: unknown): string | null {
  if (value === undefined) return null;
  if (settings[key].secret) return "(set)";
  if (key === "retention" || key === "logRetention") return `${Number(value) / 86_400_000}d`;
  return Array.isArray(value) ? value.join(",") : String(value);
}
