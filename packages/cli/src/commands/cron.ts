import {
  CarillonError,
  type CronDialect,
  cronDialects,
  defaultDst,
  previewSchedule,
  type ScheduleRule,
  validateRule,
} from "@carillon/core";
import { type Command, Option } from "commander";
import { wantsJson } from "../connect.ts";
import { wholeNumber } from "../options.ts";
import { printPreview } from "../print-preview.ts";

export function cronCommand(program: Command): void {
  program
    .command("cron")
    .description("Understand cron expressions")
    .command("explain <expression>")
    .description("Say an expression in plain words, with its next fires; needs no node")
    .option("--tz <zone>", "IANA time zone", "UTC")
    .addOption(new Option("--dialect <name>", "how it is read").choices(cronDialects).default("ocps"))
    .option("--count <n>", "how many fires", wholeNumber(0, 1_000), 10)
    .action((expression: string, flags: { tz: string; dialect: CronDialect; count: number }, command: Command) => {
      const rule = cronRule(expression, flags.tz, flags.dialect);
      // That it never fires is an answer here, among the warnings.
      const [error] = validateRule(rule).filter(({ code }) => code !== "cron_never_fires");
      if (error) throw new CarillonError("invalid_request", { detail: error.message, errors: [error] });
      printPreview(previewSchedule(rule, Date.now(), flags.count), wantsJson(command));
    });
}

/** A schedule that has nothing but an expression. */
export function cronRule(cron: string, timeZone: string, dialect: CronDialect): ScheduleRule {
  return {
    cron,
    timeZone,
    dialect,
    every: null,
    dst: defaultDst,
    jitter: null,
    startAt: null,
    endAt: null,
    maxFires: null,
  };
}
