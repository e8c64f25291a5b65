/** What tasks call, in answers. */
import { targetStates } from "@carillon/core";
import { z } from "zod";
import { instantAnswer, nextPageToken, pageQuery } from "./common.ts";

export const listTargetsQuery = z.strictObject({ ...pageQuery });
export type ListTargets = z.output<typeof listTargetsQuery>;

const target = z
  .strictObject({
    name: z.string().meta({ description: "Host and port of the URL.", examples: ["api.example.com"] }),
    state: z.enum(targetStates).meta({
      description: "`open`: tasks that call it wait; `half-open`: one of them at a time tries; `closed`: all is well.",
    }),
    since: instantAnswer.meta({ description: "In this state." }),
    until: instantAnswer.nullable().meta({ description: "When an open one is tried next." }),
    trips: z.int().meta({ description: "How often it opened without closing in between." }),
    reason: z.string().nullable().meta({ description: "What its last failure was." }),
    waiting: z.int().meta({ description: "Tasks that wait for it, counted up to 1,000." }),
  })
  .meta({ id: "Target" });

export const targetList = z.strictObject({ targets: z.array(target), nextPageToken });
export type TargetList = z.output<typeof targetList>;
