import { type Carillon, CarillonError } from "@carillon/client";
import type { Command } from "commander";
import { type ApplyFile, readApplyFile } from "../apply-file.ts";
import {
  type Changes,
  type PlannedCalendar,
  type PlannedSchedule,
  planCalendar,
  planFollowers,
  planSchedule,
} from "../apply-plan.ts";
import { connect } from "../connect.ts";
import { sayError, USAGE } from "../exit.ts";
import { print, printJson, say } from "../output.ts";

export function applyCommand(program: Command): void {
  program
    .command("apply")
    .description("Bring calendars and schedules to what a file says, and show which fires that adds, removes and moves")
    .requiredOption("-f, --file <file>", 'JSON such as {"schedules": [{"name": …}]}, or - for standard input')
    .option("--dry-run", "only show it")
    .action(async ({ file, dryRun = false }: { file: string; dryRun?: boolean }, command: Command) => {
      const wanted = readApplyFile(file);
      const { carillon, json } = connect(command);
      const plans = await planAll(carillon, wanted);
      if (plans === null) {
        process.exitCode = USAGE;
        say("nothing was applied");
        return;
      }
      const { calendars, schedules, followers, more } = plans;
      if (!dryRun) await applyAll(carillon, wanted, plans);
      for (const plan of [...calendars, ...schedules, ...followers]) {
        if (json) printJson({ ...plan, dryRun });
        else for (const line of describe(plan)) print(line);
      }
      if (more > 0) say(`${more} more schedules use these calendars`);
      const all = [...calendars, ...schedules, ...followers];
      const count = (action: PlannedSchedule["action"]) => all.filter((plan) => plan.action === action).length;
      const counts = `${count("created")} created, ${count("changed")} changed, ${count("unchanged")} unchanged`;
      const following = count("follows") + more;
      const told = following === 0 ? counts : `${counts}, ${following} following their calendars`;
      say(dryRun ? `${told}, if it were applied` : told);
    });
}

interface Plans {
  calendars: PlannedCalendar[];
  schedules: PlannedSchedule[];
  /** Not in the file, but using a calendar that it changes. */
  followers: PlannedSchedule[];
  more: number;
}

/** All are asked about before the first is written. Null: some are refused, and each of these has been said. */
async function planAll(carillon: Carillon, { calendars, schedules }: ApplyFile): Promise<Plans | null> {
  const changes: Changes = { now: Date.now(), calendars: new Map(), created: new Set() };
  const plannedCalendars = await planEach(calendars, "calendar ", (one) => planCalendar(carillon, one, changes));
  // Without them nothing can be said of schedules.
  if (plannedCalendars === null) return null;
  const plannedSchedules = await planEach(schedules, "", (one) => planSchedule(carillon, one, changes));
  if (plannedSchedules === null) return null;
  const named = new Set(schedules.map(({ name }) => name));
  const { plans: followers, more } = await planFollowers(carillon, named, changes);
  return { calendars: plannedCalendars, schedules: plannedSchedules, followers, more };
}

async function planEach<Item extends { name: string }, Plan>(
  items: readonly Item[],
  kind: string,
  plan: (item: Item) => Promise<Plan>,
): Promise<Plan[] | null> {
  const plans: Plan[] = [];
  let refused = false;
  for (const item of items) {
    try {
      plans.push(await plan(item));
    } catch (error) {
      if (!CarillonError.is(error) || (error.code !== "invalid_request" && error.code !== "too_large")) throw error;
      refused = true;
      say(`${kind}${item.name} is refused:`);
      sayError(error);
    }
  }
  return refused ? null : plans;
}

/** Calendars first: schedules name them. */
async function applyAll(carillon: Carillon, { calendars, schedules }: ApplyFile, plans: Plans): Promise<void> {
  for (const [index, { name, definition }] of calendars.entries()) {
    if (plans.calendars[index]!.action !== "unchanged") await carillon.calendars.put(name, definition);
  }
  for (const [index, { name, definition }] of schedules.entries()) {
    const { action } = plans.schedules[index]!;
    if (action === "created" || action === "changed") await carillon.schedules.put(name, definition);
  }
}

/** Of each kind of change, so many fires are shown. */
const SHOWN = 10;

function describe(plan: PlannedCalendar | PlannedSchedule): string[] {
  const { name, action, versionBefore, version } = plan;
  const versions = action === "changed" && versionBefore !== version ? `, version ${versionBefore} to ${version}` : "";
  if (plan.kind === "calendar") return [`calendar ${name}: ${action}${versions}`];
  const { added, removed, moved } = plan;
  const lines = [
    ...some(removed, ({ local }) => `  - ${local}`),
    ...some(added, ({ local }) => `  + ${local}`),
    ...some(moved, ({ from, to }) => `  ~ ${from.local} to ${to.local}`),
  ];
  const isSame = (action === "changed" || action === "follows") && lines.length === 0;
  const said = action === "follows" ? "follows its calendars" : action;
  return [
    `${name}: ${said}${versions}`,
    ...(action === "unchanged" ? [] : lines),
    ...(isSame ? ["  its fires stay as they are"] : []),
  ];
}

function some<Item>(items: readonly Item[], line: (item: Item) => string): string[] {
  const more = items.length - SHOWN;
  return [...items.slice(0, SHOWN).map(line), ...(more > 0 ? [`    and ${more} more`] : [])];
}
