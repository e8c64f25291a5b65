import { type Carillon, CarillonError } from "@carillon/client";
import type { Command } from "commander";
import { type NamedSchedule, readApplyFile } from "../apply-file.ts";
import { type PlannedSchedule, planSchedule } from "../apply-plan.ts";
import { connect } from "../connect.ts";
import { sayError, USAGE } from "../exit.ts";
import { print, printJson, say } from "../output.ts";

export function applyCommand(program: Command): void {
  program
    .command("apply")
    .description("Bring schedules to what a file says, and show which fires that adds, removes and moves")
    .requiredOption("-f, --file <file>", 'JSON such as {"schedules": [{"name": …}]}, or - for standard input')
    .option("--dry-run", "only show it")
    .action(async ({ file, dryRun = false }: { file: string; dryRun?: boolean }, command: Command) => {
      const schedules = readApplyFile(file);
      const { carillon, json } = connect(command);
      const plans = await planAll(carillon, schedules);
      if (plans === null) {
        process.exitCode = USAGE;
        say("nothing was applied");
        return;
      }
      for (const [index, plan] of plans.entries()) {
        const { name, definition } = schedules[index]!;
        if (!dryRun && plan.action !== "unchanged") await carillon.schedules.put(name, definition);
        if (json) printJson({ ...plan, dryRun });
        else for (const line of describe(plan)) print(line);
      }
      const counts = (["created", "changed", "unchanged"] as const)
        .map((action) => `${plans.filter((plan) => plan.action === action).length} ${action}`)
        .join(", ");
      say(dryRun ? `${counts}, if it were applied` : counts);
    });
}

/** All are asked about before the first is written. Null: some are refused, and each of these has been said. */
async function planAll(carillon: Carillon, schedules: NamedSchedule[]): Promise<PlannedSchedule[] | null> {
  const now = Date.now();
  const plans: PlannedSchedule[] = [];
  let refused = false;
  for (const schedule of schedules) {
    try {
      plans.push(await planSchedule(carillon, schedule, now));
    } catch (error) {
      if (!CarillonError.is(error) || (error.code !== "invalid_request" && error.code !== "too_large")) throw error;
      refused = true;
      say(`${schedule.name} is refused:`);
      sayError(error);
    }
  }
  return refused ? null : plans;
}

/** Of each kind of change, so many fires are shown. */
const SHOWN = 10;

function describe(plan: PlannedSchedule): string[] {
  const { name, action, versionBefore, version, added, removed, moved } = plan;
  const versions = action === "changed" && versionBefore !== version ? `, version ${versionBefore} to ${version}` : "";
  const lines = [
    ...some(removed, ({ local }) => `  - ${local}`),
    ...some(added, ({ local }) => `  + ${local}`),
    ...some(moved, ({ from, to }) => `  ~ ${from.local} to ${to.local}`),
  ];
  const same = action === "changed" && lines.length === 0 ? ["  its fires stay as they are"] : [];
  return [`${name}: ${action}${versions}`, ...(action === "unchanged" ? [] : lines), ...same];
}

function some<Item>(items: readonly Item[], line: (item: Item) => string): string[] {
  const more = items.length - SHOWN;
  return [...items.slice(0, SHOWN).map(line), ...(more > 0 ? [`    and ${more} more`] : [])];
}
