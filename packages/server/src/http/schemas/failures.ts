/** Failed tasks by cause, in requests and answers. */
import { limits } from "@carillon/core";
import { z } from "zod";
import { instant, instantAnswer, name, problem, queryList, queryText } from "./common.ts";
import { taskError } from "./tasks.ts";

export const listFailuresQuery = z
  .strictObject({
    type: queryList(name).optional(),
    queue: queryList(name).optional(),
    schedule: name.optional(),
    tag: queryText(limits.tagLength).optional(),
    from: instant.meta({ description: "Created at or after." }).optional(),
    to: instant.meta({ description: "Created before." }).optional(),
  })
  .superRefine(({ from, to }, context) => {
    if (from !== undefined && to !== undefined && to < from)
      problem(context, "range_reversed", "`to` is before `from`.", ["to"]);
  });
export type ListFailures = z.output<typeof listFailuresQuery>;

const failureGroup = z
  .strictObject({
    fingerprint: z.string().meta({
      description:
        "Of type, error and place, without what differs from case to case. `tasks:bulk` takes it as a filter.",
      examples: ["5f0c1d2e9a8b7c6d"],
    }),
    type: z.string(),
    error: taskError.omit({ stack: true }).meta({ description: "Of the newest of its tasks." }),
    count: z.int(),
    firstAt: instantAnswer.meta({ description: "When the first of them became final." }),
    lastAt: instantAnswer,
    tasks: z.array(z.string()).meta({ description: "Ids of the newest, a few." }),
  })
  .meta({ id: "FailureGroup" });

export const failureList = z.strictObject({
  failures: z.array(failureGroup),
  read: z.int().meta({ description: `How many failed tasks were looked at, at most ${limits.countedTasks}.` }),
  complete: z.boolean().meta({ description: "False: there are older ones, or more groups." }),
});
export type FailureList = z.output<typeof failureList>;
