/** What is done to many tasks at once, in requests and answers. */
import { FINGERPRINT, limits } from "@carillon/core";
import { z } from "zod";
import { instant, name, priority, problem, publicState, queryText, reason } from "./common.ts";

/** One, or several. */
const oneOrMore = <Item extends z.ZodType>(item: Item) =>
  z
    .union([item, z.array(item).min(1).max(20)])
    .transform((given) => (Array.isArray(given) ? given : [given]) as z.output<Item>[]);

const taskFilterBody = z
  .strictObject({
    state: oneOrMore(publicState).optional(),
    type: oneOrMore(name).optional(),
    queue: oneOrMore(name).optional(),
    schedule: name.optional(),
    workflow: queryText(64).meta({ description: "Id of the workflow that they belong to." }).optional(),
    tag: queryText(limits.tagLength).optional(),
    q: queryText(256).meta({ description: "A part of the type, payload or error, or a task id." }).optional(),
    fingerprint: z
      .string()
      .regex(FINGERPRINT)
      .meta({ description: "Those whose latest attempt failed of this, as `GET /api/v1/failures` names it." })
      .optional(),
    from: instant.meta({ description: "Created at or after." }).optional(),
    to: instant
      .meta({ description: "Created before. Tasks that are made after the request are never meant." })
      .optional(),
  })
  .superRefine(({ from, to }, context) => {
    if (from !== undefined && to !== undefined && to < from)
      problem(context, "range_reversed", "`to` is before `from`.", ["to"]);
  })
  .meta({ description: "As in the list of tasks; an empty one matches all of them." });
export type TaskFilterBody = z.output<typeof taskFilterBody>;

const bulkAction = z.union([z.enum(["cancel", "retry", "run-now"]), z.strictObject({ priority })]);
export type BulkAction = z.output<typeof bulkAction>;

export const bulkTasksBody = z
  .strictObject({
    filter: taskFilterBody,
    action: bulkAction.meta({ description: "Tasks in whose state it has nothing to do are not meant." }),
    reason: reason.meta({ description: "Kept with each task that is cancelled." }).optional(),
    dryRun: z.boolean().meta({ description: "true: only count." }).optional(),
  })
  .superRefine(({ action, reason }, context) => {
    if (reason !== undefined && action !== "cancel")
      problem(context, "not_with_this", "Only `cancel` takes a reason.", ["reason"]);
  })
  .meta({ id: "BulkTasks", example: { filter: { state: "failed", type: "send-invoice" }, action: "retry" } });
export type BulkTasks = z.output<typeof bulkTasksBody>;

export const bulkCount = z
  .strictObject({
    matched: z.int().meta({ description: `Counted up to ${limits.countedTasks}.` }),
    capped: z.boolean().meta({ description: "There may be more." }),
  })
  .meta({ id: "BulkCount" });
