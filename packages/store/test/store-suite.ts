import type { Store } from "@carillon/store";
import { describe, test } from "vitest";
import { calendars } from "./promises/calendars.ts";
import { claiming } from "./promises/claiming.ts";
import { creating } from "./promises/creating.ts";
import { dependencies } from "./promises/dependencies.ts";
import { fairKeys } from "./promises/fair-keys.ts";
import { figures } from "./promises/figures.ts";
import { finishWithin } from "./promises/finish-within.ts";
import { gates } from "./promises/gates.ts";
import { limits } from "./promises/limits.ts";
import { operations } from "./promises/operations.ts";
import { outcomes } from "./promises/outcomes.ts";
import { progress } from "./promises/progress.ts";
import { queues } from "./promises/queues.ts";
import { schedules } from "./promises/schedules.ts";
import { sessions } from "./promises/sessions.ts";
import { startWithin } from "./promises/start-within.ts";
import { tasks } from "./promises/tasks.ts";
import { workflowAdditions } from "./promises/workflow-additions.ts";
import { workflows } from "./promises/workflows.ts";
import { type Promises, setup } from "./promises/world.ts";
import { zoneData } from "./promises/zone-data.ts";

const promises: Record<string, Promises> = {
  creating,
  claiming,
  outcomes,
  progress,
  sessions,
  tasks,
  "start-within": startWithin,
  "finish-within": finishWithin,
  schedules,
  gates,
  queues,
  limits,
  fairKeys,
  operations,
  calendars,
  figures,
  zoneData,
  dependencies,
  workflows,
  "workflow-additions": workflowAdditions,
};

/**
 * What every store promises, one sentence each. The random comparison in `model/` finds what nobody thought of; this says what was.
 *
 * @param createStore a store without any data, for one test
 */
export function storeSuite(name: string, createStore: () => Promise<Store>): void {
  describe.each(Object.keys(promises))(`${name}: %s`, (noun) => {
    for (const [promise, check] of Object.entries(promises[noun]!)) {
      test(promise, async () => check(await setup(await createStore())));
    }
  });
}
