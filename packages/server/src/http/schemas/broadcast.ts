/** One task for each connected worker. */
import { limits } from "@carillon/core";
import { z } from "zod";
import { checkBuiltinPayload } from "./builtin.ts";
import { name, payload, priority, requires, retry, startWithin, tags, timeout } from "./common.ts";

/** What is left out is as for a task, but for one attempt and `startWithin` a minute. */
export const broadcastBody = z
  .strictObject({
    type: name,
    payload: payload.optional(),
    queue: name.optional(),
    priority: priority.optional(),
    retry: retry.optional(),
    timeout: timeout.optional(),
    startWithin: startWithin.optional(),
    tags: tags.max(limits.tags - 1).optional(),
    requires: requires.optional(),
  })
  .superRefine(checkBuiltinPayload)
  .meta({ id: "BroadcastTask", example: { type: "reload-config", requires: { region: "eu" } } });
export type Broadcast = z.output<typeof broadcastBody>;

export const broadcastAnswer = z.strictObject({
  tag: z.string().meta({
    description: "All of these tasks have it, to be listed by.",
    examples: ["broadcast_01jd3v8q7x2m4"],
  }),
  tasks: z.array(z.strictObject({ id: z.string().meta({ examples: ["task_01jd3v8q7x2m4"] }), worker: z.string() })),
});
export type BroadcastAnswer = z.output<typeof broadcastAnswer>;
