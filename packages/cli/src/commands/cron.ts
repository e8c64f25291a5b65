import {
  CarillonError,
  type CronDialect,
  cronDialects,
  defaultDst,
  previewSchedule,
  validateRule,
} from "@carillon/core";
import type { Command } from "commander";
import { printRecord } from "../output.ts";

export function cronCommand(program: Command): void {
  program
    .command("cron")
    .description("Understand cron expressions")
    .command("explain <expression>")
    .description("Say an expression in plain words, with its next fires")
    .option("--tz <zone>", "IANA time zone", "UTC")
    .option("--dialect <name>", cronDialects.join(" or "), "ocps")
    .option("--count <n>", "how many fires", Number, 10)
    .action((expression: string, flags: { tz: string; dialect: string; count: number }, command: Command) => {
      const rule = {
        cron: expression,
        every: null,
        timeZone: flags.tz,
        dialect: flags.dialect as CronDialect,
        dst: defaultDst,
        jitter: null,
        startAt: null,
        endAt: null,
        maxFires: null,
      };
      const errors = validateRule(rule);
      if (errors[0]) throw new CarillonError("invalid_request", { detail: errors[0].message, errors });
      const preview = previewSchedule(rule, Date.now(), flags.count);
      if (command.optsWithGlobals<{ json?: boolean }>().json) return printRecord(preview, true);
      console.log(preview.words);
      for (const { local } of preview.fires) console.log(`  ${local}`);
      for (const { message } of preview.warnings) console.error(`warning: ${message}`);
    });
}
