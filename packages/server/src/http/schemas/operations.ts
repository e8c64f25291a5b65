/** What goes on in the background, in requests and answers. */
import { z } from "zod";
import { instant, instantAnswer, nextPageToken, pageQuery, problem } from "./common.ts";

export const backfillBody = z
  .strictObject({
    from: instant.meta({ description: "The first fire is the first at or after this." }),
    to: instant.meta({ description: "The end, itself not part of it; not after now." }),
    overlap: z.enum(["allow"]).meta({ description: "Whether its tasks may run beside each other." }).optional(),
  })
  .superRefine(({ from, to }, context) => {
    if (to <= from) problem(context, "range_reversed", "`to` is not after `from`.", ["to"]);
  })
  .meta({ id: "Backfill", example: { from: "2026-11-01T00:00:00Z", to: "2026-11-08T00:00:00Z" } });
export type Backfill = z.output<typeof backfillBody>;

export const operationParams = z.object({ id: z.string().meta({ examples: ["op_01jd3v8q7x2m4"] }) });
export const listOperationsQuery = z.strictObject(pageQuery);
export type ListOperations = z.output<typeof listOperationsQuery>;

export const operationAnswer = z
  .strictObject({
    id: z.string().meta({ examples: ["op_01jd3v8q7x2m4"] }),
    kind: z.enum(["backfill", "bulk"]),
    action: z
      .enum(["cancel", "retry", "run-now", "priority"])
      .nullable()
      .meta({ description: "Of `bulk`: what is done to the tasks." }),
    state: z.enum(["running", "done", "cancelled"]),
    schedule: z.string().nullable(),
    matched: z.int().meta({
      description:
        "How many things it is about. Of `bulk`: counted at the beginning, up to a bound, beyond which it grows.",
    }),
    done: z.int(),
    skipped: z.int().meta({
      description:
        "Those that needed nothing: for a backfill, fires that have a task; for bulk, tasks that have changed before their turn.",
    }),
    failed: z.int(),
    createdAt: instantAnswer,
    finishedAt: instantAnswer.nullable(),
  })
  .meta({ id: "Operation" });
export type OperationAnswer = z.output<typeof operationAnswer>;
export const operationList = z.strictObject({ operations: z.array(operationAnswer), nextPageToken });
