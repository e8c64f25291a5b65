/** Workers that are connected. */
import { z } from "zod";
import { instantAnswer, nextPageToken } from "./common.ts";

export const worker = z
  .strictObject({
    name: z.string(),
    node: z.string().nullable().meta({ description: "Where it is connected; null: that node has yet to say so." }),
    version: z.string(),
    labels: z.record(z.string(), z.string()).meta({
      description: "It has the label `worker` too, with its name.",
      examples: [{ region: "eu" }],
    }),
    queues: z.array(z.string()),
    types: z.array(z.string()),
    slots: z.int().meta({ description: "How many tasks it can hold at once." }),
    busy: z.int(),
    connectedAt: instantAnswer,
  })
  .meta({ id: "Worker" });
export type WorkerAnswer = z.output<typeof worker>;

export const workerList = z.strictObject({ workers: z.array(worker), nextPageToken });
