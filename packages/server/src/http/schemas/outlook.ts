/** What schedules will do and why they did what they did, in requests and answers. */
import { reasonCodes } from "@carillon/core";
import { z } from "zod";
import { duration, durationAnswer, instant, instantAnswer, problem } from "./common.ts";

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;

export const explainScheduleQuery = z.strictObject({
  at: instant.meta({ description: "The instant asked about; the next fire by default." }).optional(),
});
export type ExplainScheduleQuery = z.output<typeof explainScheduleQuery>;

export const MOST_STEPS = 1_440;

export const scheduleLoadQuery = z
  .strictObject({
    from: instant.meta({ description: "The step that holds the present instant by default." }).optional(),
    to: instant.meta({ description: "The end, itself not included; 24 h after `from` by default." }).optional(),
    step: duration([SECOND_MS, DAY_MS], "1m")
      .meta({ description: "1s to 1d; at most 1,440 steps. By default as short as that allows, from 1m on." })
      .optional(),
  })
  .superRefine(({ from, to }, context) => {
    if (from !== undefined && to !== undefined && to <= from)
      problem(context, "range_reversed", "`to` is not after `from`.", ["to"]);
  });
export type ScheduleLoadQuery = z.output<typeof scheduleLoadQuery>;

// Answers.

export const explanationAnswer = z
  .strictObject({
    summary: z.string().meta({ description: "One sentence." }),
    reasons: z.array(
      z.strictObject({
        code: z.enum(reasonCodes),
        message: z.string(),
        until: instantAnswer
          .nullable()
          .meta({ description: "When it ends by itself, or happens; null: nobody can tell." }),
        refs: z.array(z.string()).meta({ description: "Ids of the tasks and instants of the fires it speaks of." }),
      }),
    ),
  })
  .meta({ id: "Explanation" });
export type ExplanationAnswer = z.output<typeof explanationAnswer>;

export const scheduleLoadAnswer = z
  .strictObject({
    from: instantAnswer,
    to: instantAnswer,
    step: durationAnswer,
    schedules: z.int().meta({ description: "How many were looked at; paused ones are left out." }),
    fires: z.int(),
    complete: z.boolean().meta({ description: "False: there are more fires than were counted." }),
    counts: z
      .array(z.int())
      .meta({ description: "Tasks that fires make due in each step, by the rules as they are now, jitter included." }),
    peaks: z
      .array(
        z.strictObject({
          at: instantAnswer,
          fires: z.int(),
          spread: z
            .strictObject({
              jitter: durationAnswer,
              schedules: z
                .int()
                .meta({ description: "Those that fire in this step, rarely enough, without a jitter." }),
              fires: z.int().meta({ description: "So many there would be in the highest step then, about." }),
              message: z.string(),
            })
            .nullable()
            .meta({ description: "The shortest jitter that halves it; null: none does." }),
        }),
      )
      .meta({ description: "The three highest steps above the mean, highest first." }),
  })
  .meta({ id: "ScheduleLoad" });
export type ScheduleLoadAnswer = z.output<typeof scheduleLoadAnswer>;
