/** Random sequences of commands on two stores that are to behave alike. */
import type { Store } from "@carillon/store";
import fc from "fast-check";
import { calendarCommands } from "./commands/calendars.ts";
import { createCommands } from "./commands/create.ts";
import { dependencyCommands } from "./commands/dependencies.ts";
import { holdCommands } from "./commands/hold.ts";
import { operationCommands } from "./commands/operations.ts";
import { peopleCommands } from "./commands/people.ts";
import { queueCommands } from "./commands/queues.ts";
import { scheduleCommands } from "./commands/schedules.ts";
import { open, sessionCommands } from "./commands/sessions.ts";
import { targetCommands } from "./commands/targets.ts";
import { zoneDataCommands } from "./commands/zone-data.ts";
import { compareEverything } from "./end-state.ts";
import { createWorld } from "./world.ts";

const MAX_COMMANDS = 50;

const commands = fc.commands(
  [
    ...createCommands,
    ...holdCommands,
    ...sessionCommands,
    ...peopleCommands,
    ...scheduleCommands,
    ...queueCommands,
    ...calendarCommands,
    ...operationCommands,
    ...targetCommands,
    ...dependencyCommands,
    ...zoneDataCommands,
  ],
  { maxCommands: MAX_COMMANDS, size: "max" },
);

export interface Amount {
  sequences: number;
  /** Further sequences are left out once this has passed; default never. */
  limitMs?: number;
  /** Repeats the run that a failure named. */
  seed?: number;
}

/** @param fresh two stores without any data */
export async function compareStores(fresh: () => Promise<[Store, Store]>, amount: Amount): Promise<number> {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      const [left, right] = await fresh();
      const world = createWorld(left, right);
      for (const node of ["node-1", "node-2"]) await open(world, node);
      await fc.asyncModelRun(() => ({ model: world, real: null }), sequence);
      await compareEverything(world);
      compared++;
    }),
    {
      numRuns: amount.sequences,
      ...(amount.seed === undefined ? {} : { seed: amount.seed }),
      ...(amount.limitMs === undefined ? {} : { interruptAfterTimeLimit: amount.limitMs }),
    },
  );
  return compared;
}
