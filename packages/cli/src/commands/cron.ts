import { type CronDialect, cronDialects } from "@carillon/core/cron-fields";
import { CarillonError } from "@carillon/core/errors";
import { type Command, Option } from "commander";
import { wantsJson } from "../connect.ts";
import { cronRule } from "../cron-rule.ts";
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
    .option("--name <name>", "of the schedule that it is for: what H is spread by")
    .option("--count <n>", "how many fires", wholeNumber(0, 1_000), 10)
    .action(
      async (
        expression: string,
        flags: { tz: string; dialect: CronDialect; name?: string; count: number },
        command: Command,
      ) => {
        const { previewSchedule, validateRule } = await import("@carillon/core");
        const rule = { ...cronRule(expression, flags.tz, flags.dialect), hashKey: flags.name ?? "" };
        // That it never fires is an answer here, among the warnings.
        const [error] = validateRule(rule).filter(({ code }) => code !== "cron_never_fires");
        if (error) throw new CarillonError("invalid_request", { detail: error.message, errors: [error] });
        printPreview(previewSchedule(rule, Date.now(), flags.count), wantsJson(command));
      },
    );
}
