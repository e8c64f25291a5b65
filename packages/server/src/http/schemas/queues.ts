/** Queues in requests and answers: what each allows, and whether it is paused. */
import { isName, limits } from "@carillon/core";
import { z } from "zod";
import { duration, durationAnswer, instantAnswer, nextPageToken, pageQuery, problem, reason } from "./common.ts";

const few = z.int().min(1).max(limits.queueLimit);

const rateLimit = z.strictObject({
  limit: few.meta({ description: "So many tasks may start …" }),
  per: duration(limits.ratePerMs, "1m").meta({ description: "… in this time, evenly.", examples: ["1m"] }),
  burst: few.meta({ description: "So many may start at once after a pause; `limit` by default." }).optional(),
});
export type RateLimitInput = z.output<typeof rateLimit>;

const breaker = z.strictObject({
  failures: z
    .int()
    .min(1)
    .max(limits.breakerFailures)
    .meta({ description: "So many in a row open it; 5 by default." })
    .optional(),
  openFor: duration(limits.breakerOpenMs, "5s")
    .meta({ description: "How long nothing is tried at first, then twice as long each time, up to 5m; 5s by default." })
    .optional(),
  adaptive: z
    .boolean()
    .meta({
      description: "How many tasks of a key run at once follows how fast and how well they end; false by default.",
    })
    .optional(),
});
export type BreakerInput = z.output<typeof breaker>;

const fairWeights = z
  .record(z.string(), z.int().min(1).max(limits.fairWeight))
  .superRefine((weights, context) => {
    const keys = Object.keys(weights);
    if (keys.length > limits.fairWeights)
      problem(context, "too_many", `At most ${limits.fairWeights} keys have a weight.`);
    for (const key of keys)
      if (key.length < 1 || key.length > limits.fairKeyLength)
        problem(context, "invalid_key", `A fair key has 1 to ${limits.fairKeyLength} characters.`, [key]);
  })
  .meta({
    description:
      "How much of what starts tasks of these keys (`fairKey`) have, beside those of a key that is not named, which weighs 1. 1 to 100, at most 100 keys.",
    examples: [{ "customer-42": 3 }],
  });

const settings = {
  concurrency: few.meta({ description: "Tasks that run at once, over all workers." }).optional(),
  concurrencyPerKey: few
    .meta({ description: "Tasks of one `concurrencyKey` that run at once; 1 makes the key a mutex." })
    .optional(),
  concurrencyPerType: z
    .record(z.string(), few)
    .superRefine((slots, context) => {
      const types = Object.keys(slots);
      if (types.length > limits.limitedTypes) problem(context, "too_many", `At most ${limits.limitedTypes} types.`);
      for (const type of types) if (!isName(type)) problem(context, "invalid_name", "A type is a name.", [type]);
    })
    .meta({
      description: `Tasks of each of these types that run at once, at most ${limits.limitedTypes} types.`,
      examples: [{ "send-letter": 2 }],
    })
    .optional(),
  rateLimit: rateLimit.meta({ description: "How fast tasks start." }).optional(),
  rateLimitPerKey: rateLimit.meta({ description: "How fast tasks of one `concurrencyKey` start." }).optional(),
  maxBacklog: z
    .int()
    .min(1)
    .max(limits.maxBacklog)
    .meta({ description: "Tasks that are not final; creates over it are refused with 429 `backlog_full`." })
    .optional(),
  breaker: breaker
    .meta({
      description:
        "Tasks of a `concurrencyKey` wait, without losing attempts, while those before them fail, and one at a time tries; those without a key are together. Those of type `http` go by their hosts instead.",
    })
    .optional(),
  fairWeights: fairWeights.optional(),
  paused: z.boolean().meta({ description: "Nothing starts; as it is when left out." }).optional(),
};

const example = { concurrency: 20, rateLimit: { limit: 100, per: "1s" }, maxBacklog: 10_000 };

/** What is left out has no limit. */
export const putQueueBody = z.strictObject(settings).meta({ id: "PutQueue", example });
export type PutQueue = z.output<typeof putQueueBody>;

/** A merge patch (RFC 7396): what is left out stays, null is no limit. The result is checked as a `PUT` would be. */
export const patchQueueBody = z
  .strictObject(
    Object.fromEntries(Object.keys(settings).map((field) => [field, z.unknown().optional()])) as Record<
      keyof typeof settings,
      z.ZodOptional<z.ZodUnknown>
    >,
  )
  .meta({ id: "PatchQueue", example: { concurrency: 5, rateLimit: null } });

export const pauseQueueBody = z
  .strictObject({ reason: reason.optional() })
  .meta({ example: { reason: "the bank is down" } });

export const queueParams = z.object({ name: z.string().meta({ examples: ["billing"] }) });

export const listQueuesQuery = z.strictObject({ ...pageQuery });
export type ListQueues = z.output<typeof listQueuesQuery>;

// Answers.

const limit = z.int().nullable();
const rateLimitAnswer = z.strictObject({ limit: z.int(), per: durationAnswer, burst: z.int() }).nullable();

export const queuePause = z
  .strictObject({
    reason: z.string().nullable(),
    at: instantAnswer,
    by: z.string().nullable().meta({ description: "Who paused it; null while calls have no author." }),
  })
  .nullable();

export const queueAnswer = z
  .strictObject({
    name: z.string(),
    namespace: z.string(),
    version: z.int().meta({ description: "0: nobody has ever set anything." }),
    concurrency: limit,
    concurrencyPerKey: limit,
    concurrencyPerType: z.record(z.string(), z.int()).nullable(),
    rateLimit: rateLimitAnswer,
    rateLimitPerKey: rateLimitAnswer,
    maxBacklog: limit,
    breaker: z.strictObject({ failures: z.int(), openFor: durationAnswer, adaptive: z.boolean() }).nullable(),
    fairWeights: z.record(z.string(), z.int()),
    paused: z.boolean(),
    pause: queuePause,
    createdAt: instantAnswer.nullable().meta({ description: "When something was first set; null: never." }),
    updatedAt: instantAnswer.nullable(),
  })
  .meta({ id: "Queue" });
export type Queue = z.output<typeof queueAnswer>;
export const queueList = z.strictObject({ queues: z.array(queueAnswer), nextPageToken });
