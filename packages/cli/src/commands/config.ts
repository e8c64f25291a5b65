import { formatDuration } from "@carillon/core/duration";
import type { SettingKey } from "@carillon/server";
import type { Command } from "commander";
import { wantsJson } from "../connect.ts";
import { type Column, printRows } from "../output.ts";

interface Row {
  key: SettingKey;
  variable: string;
  value: string | null;
  origin: string;
}

const columns: Column<Row>[] = [
  { title: "SETTING", value: ({ key }) => key },
  { title: "VARIABLE", value: ({ variable }) => variable },
  { title: "VALUE", value: ({ value }) => value },
];

export function configCommand(program: Command): void {
  program
    .command("config")
    .description("What a node started here would use")
    .command("print")
    .description("Print every setting; secrets are not shown")
    .option("--show-origin", "and where each value comes from: flag, environment, file or default")
    .option("--config <file>", "JSON file of settings (CARILLON_CONFIG)")
    .action(async ({ showOrigin, config: file }: { showOrigin?: boolean; config?: string }, command: Command) => {
      const { settings } = await import("@carillon/server");
      const { nodeConfig } = await import("../node-config.ts");
      const config = nodeConfig({}, file);
      const rows = (Object.keys(settings) as SettingKey[]).map((key) => ({
        key,
        variable: settings[key].env,
        value: settings[key].secret && config[key] !== undefined ? "(set)" : show(key, config[key]),
        origin: config.origins[key],
      }));
      const origin: Column<Row> = { title: "ORIGIN", value: (row) => row.origin };
      printRows(rows, showOrigin ? [...columns, origin] : columns, wantsJson(command));
    });
}

function show(key: SettingKey, value: unknown): string | null {
  if (value === undefined) return null;
  if (key === "retention" || key === "logRetention") return formatDuration(value as number);
  return Array.isArray(value) ? value.join(",") : String(value);
}
