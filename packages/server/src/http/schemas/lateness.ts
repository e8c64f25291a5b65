/** How late tasks start, in requests and answers: of queues, and of one schedule. */
import { latenessPhases, publicStates } from "@carillon/core";
import { z } from "zod";
import { duration, durationAnswer, instant, instantAnswer, name, problem } from "./common.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

export const latenessQuery = z.strictObject({
  window: duration([5 * MINUTE_MS, DAY_MS], "1h")
    .meta({ description: "5m to 24h, until now; 1h by default." })
    .optional(),
  queue: name.meta({ description: "This queue alone." }).optional(),
});
export type LatenessQuery = z.output<typeof latenessQuery>;

export const scheduleStatsQuery = z
  .strictObject({
    window: duration([MINUTE_MS, 366 * DAY_MS], "24h")
      .meta({ description: "1m to 366d, until now; 24h by default. Not with `from` or `to`." })
      .optional(),
    from: instant.meta({ description: "Fires from here on; 24 h before `to` by default." }).optional(),
    to: instant.meta({ description: "Fires before this; now by default." }).optional(),
  })
  .superRefine(({ window, from, to }, context) => {
    if (window !== undefined && (from !== undefined || to !== undefined))
      problem(context, "conflict", "Either `window`, or `from` and `to`.", ["window"]);
    if (from !== undefined && to !== undefined && to < from)
      problem(context, "range_reversed", "`to` is before `from`.", ["to"]);
  });
export type ScheduleStatsQuery = z.output<typeof scheduleStatsQuery>;

// Answers.

const ms = z.number().nullable().meta({ description: "Milliseconds; null when nothing was counted." });
const spread = { p50Ms: ms, p99Ms: ms, maxMs: ms };
const histogram = z.array(z.strictObject({ toMs: z.number().nullable(), count: z.int() })).meta({
  description: "How many were at most so late, and later than the step before; null: beyond all steps. In order.",
});
const lateness = z.strictObject({ ...spread, histogram });

export const queueLateness = z
  .strictObject({
    queue: z.string(),
    started: z.int().meta({ description: "Attempts that started." }),
    ...lateness.shape,
    meanMs: z
      .strictObject(
        Object.fromEntries(latenessPhases.map((phase) => [phase, z.number()])) as Record<Phase, z.ZodNumber>,
      )
      .meta({
        description:
          "Where it arose, on the average of all starts. `claim` to `start` add up to the mean lateness; `planner` stands before.",
      }),
  })
  .meta({ id: "QueueLateness" });
type Phase = (typeof latenessPhases)[number];
export type QueueLatenessAnswer = z.output<typeof queueLateness>;

export const latenessAnswer = z.strictObject({
  window: durationAnswer,
  from: instantAnswer.meta({
    description: "Counted in steps of five minutes: the window begins with the step that holds its start.",
  }),
  to: instantAnswer,
  queues: z.array(queueLateness).meta({ description: "By name; those in which something started." }),
});
export type LatenessAnswer = z.output<typeof latenessAnswer>;

const fireCounts = z.strictObject({ task: z.int(), skipped: z.int(), missed: z.int(), withdrawn: z.int() });

export const scheduleStats = z
  .strictObject({
    window: durationAnswer,
    from: instantAnswer,
    to: instantAnswer,
    complete: z.boolean().meta({
      description: "False: of the fires in the window only the latest 1,000 are counted, `from` the first of them.",
    }),
    fires: z.int(),
    outcomes: fireCounts.meta({ description: "What became of the fires." }),
    tasks: z
      .strictObject({
        ...(Object.fromEntries(publicStates.map((state) => [state, z.int()])) as Record<State, z.ZodInt>),
        forgotten: z.int(),
      })
      .meta({ description: "How their tasks stand; those deleted or past their retention are `forgotten`." }),
    successRate: z
      .number()
      .nullable()
      .meta({ description: "Succeeded of those that succeeded or failed; null: none did." }),
    lateness: lateness.meta({ description: "Of the latest attempt of each task that started, as `latenessMs`." }),
    duration: z
      .strictObject(spread)
      .meta({ description: "From start to end of the last attempt, of tasks that are final." }),
  })
  .meta({ id: "ScheduleStats" });
type State = (typeof publicStates)[number];
export type ScheduleStatsAnswer = z.output<typeof scheduleStats>;
