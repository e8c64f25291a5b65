/** What waits, runs and moves: of one queue, and of all. */
import { z } from "zod";
import { durationAnswer, instantAnswer } from "./common.ts";
import { queuePause } from "./queues.ts";

const count = z.int();
const rate = z.number();
const ms = z.number().nullable();

const figures = {
  due: count.meta({ description: "Tasks that may start now, or are on their way to a worker." }),
  scheduled: count.meta({ description: "Tasks that are due later, those that are tried again among them." }),
  running: count,
  blocked: count.meta({ description: "Tasks that wait for others." }),
  depth: count.meta({ description: "All that are not final: the sum of these." }),
  capped: z.boolean().meta({
    description: "True: of some task types there are 10,000 or more in one state, and only so many are counted.",
  }),
  oldestAgeMs: ms.meta({ description: "How long the first task that is due waits for a worker; null: none does." }),
  perSecond: z
    .strictObject({ created: rate, started: rate, finished: rate })
    .meta({ description: "Means over about the last minute, as nodes knew them up to five seconds ago." }),
  lateness: z
    .strictObject({ p50Ms: ms, p99Ms: ms, maxMs: ms, window: durationAnswer })
    .meta({ description: "Of attempts that started in the window; null: none did." }),
};

export const queueStats = z
  .strictObject({ name: z.string(), paused: z.boolean(), pause: queuePause, ...figures })
  .meta({ id: "QueueStats" });
export type QueueStatsAnswer = z.output<typeof queueStats>;

const fires = z.array(instantAnswer);

const zoneChange = z.strictObject({
  at: instantAnswer,
  schedule: z.string(),
  from: z.string().meta({ description: "The time zone data that its fires were planned with." }),
  to: z.string(),
  removed: fires.meta({
    description: "Planned fires that were withdrawn: with the new data there are none at these instants.",
  }),
  added: fires.meta({ description: "Fires that the old data did not have, the first 100." }),
  nextFireAt: z.strictObject({ before: instantAnswer.nullable(), after: instantAnswer.nullable() }),
});

export const stats = z
  .strictObject({
    version: z.string(),
    tzdata: z.string().meta({
      description:
        "Version of the time zone data that schedules are planned with: the newest among the nodes that plan.",
      examples: ["2026a"],
    }),
    nodes: count.meta({ description: "Living ones." }),
    workers: count.meta({ description: "Connected to any of them." }),
    ...figures,
    nodesByTzdata: z.record(z.string(), count).meta({
      description: "How many nodes plan with which version; more than one while a new version is rolled out.",
    }),
    zoneChanges: z.array(zoneChange).meta({
      description: "What new time zone data changed, a schedule each; the latest 100, newest first.",
    }),
  })
  .meta({ id: "Stats" });
export type StatsAnswer = z.output<typeof stats>;
