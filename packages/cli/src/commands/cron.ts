import type { RuleSource } from "@carillon/core";
import { type CronDialect, cronDialects } from "@carillon/core/cron-fields";
import { parseDuration } from "@carillon/core/duration";
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
    .command("explain <expressions...>")
    .description(
      "Say an expression in plain words, or several together, with their next fires; needs no node. Also RRULEs and intervals",
    )
    .option("--tz <zone>", "IANA time zone", "UTC")
    .addOption(new Option("--dialect <name>", "how it is read").choices(cronDialects).default("ocps"))
    .option("--name <name>", "of the schedule that it is for: what H is spread by")
    .option("--count <n>", "how many fires", wholeNumber(0, 1_000), 10)
    .action(
      async (
        expressions: string[],
        flags: { tz: string; dialect: CronDialect; name?: string; count: number },
        command: Command,
      ) => {
        const { defaultDstOf, previewSchedule, validateRule } = await import("@carillon/core");
        const rules = expressions.map(readSource);
        const read = { ...cronRule("", flags.tz, flags.dialect), cron: null, rules, hashKey: flags.name ?? "" };
        const rule = { ...read, dst: defaultDstOf(read) };
        // That it never fires is an answer here, among the warnings.
        const [error] = validateRule(rule).filter(({ code }) => code !== "cron_never_fires");
        if (error) throw new CarillonError("invalid_request", { detail: error.message, errors: [error] });
        printPreview(previewSchedule(rule, Date.now(), flags.count), wantsJson(command));
      },
    );
}

/** What an interval or an RRULE says, no cron expression does. */
function readSource(text: string): RuleSource {
  if (parseDuration(text) !== null) return { every: text };
  return /^(RRULE|DTSTART|RDATE|EXDATE|FREQ=)/i.test(text.trim()) ? { rrule: text } : { cron: text };
}
