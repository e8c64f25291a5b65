/** Pieces that the request and answer schemas share. Requests: strict, no coercion, text already cleared of NUL by the JSON reader. */
import {
  afterConditions,
  formatDuration,
  isName,
  labelValueProblem,
  limits,
  parseDuration,
  parseId,
  parseInstant,
} from "@carillon/core";
import { z } from "zod";
import { payloadProblem } from "./payload.ts";

/** Adds a problem with a code of our own; `field-errors.ts` reads it back. */
export function problem(context: z.core.$RefinementCtx, code: string, message: string, path: PropertyKey[] = []): void {
  context.issues.push({ code: "custom", input: context.value, path, message, params: { code } });
}

export const name = z
  .string()
  .superRefine((text, context) => {
    if (!isName(text))
      problem(
        context,
        "invalid_name",
        "A name has 1 to 128 letters, digits, dots, dashes or underscores and begins with a letter or digit.",
      );
  })
  .meta({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", examples: ["send-invoice"] });

/** Text as an instant; epoch milliseconds after parsing. */
export const instant = z
  .string()
  .meta({
    description: "RFC 3339 with any offset, or a wall time with its zone: `2027-03-28T02:30[Europe/Paris]`.",
    examples: ["2027-01-01T08:00:00Z"],
  })
  .transform((text, context) => {
    const at = parseInstant(text);
    if (at !== null) return at;
    problem(
      context,
      "invalid_instant",
      "An instant such as 2027-01-01T08:00:00Z or 2027-01-01T09:00[Europe/Paris], in the years 1970 to 9999.",
    );
    return z.NEVER;
  });

/** Text as a duration between two bounds; milliseconds after parsing. */
export function duration([least, most]: readonly [number, number], example: string) {
  const bounds = `${formatDuration(least)} to ${formatDuration(most)}`;
  return z
    .string()
    .meta({ description: `A duration such as \`1h30m\` or \`PT90M\`; ${bounds}.`, examples: [example] })
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms === null) {
        problem(context, "invalid_duration", "A duration such as 500ms, 30s, 5m or 1h30m; numbers need a unit.");
        return z.NEVER;
      }
      if (ms < least || ms > most) {
        problem(context, "out_of_range", `From ${bounds}.`);
        return z.NEVER;
      }
      return ms;
    });
}

/** A JSON value as its text. Depth, keys and bytes are bounded; null is no payload. */
export const payload = z
  .unknown()
  .meta({
    description: "Any JSON value: at most 256 KiB, 64 levels deep, 10,000 keys.",
    examples: [{ customerId: "42" }],
  })
  .transform((value, context) => {
    if (value === null || value === undefined) return null;
    const found = payloadProblem(value);
    if (found) {
      problem(context, found.code, found.message);
      return z.NEVER;
    }
    return JSON.stringify(value);
  });

export const priority = z.int().min(1).max(9).meta({ description: "1 urgent … 9 idle; 5 by default." });

export const tags = z.array(z.string().min(1).max(limits.tagLength)).max(limits.tags);

/** Keys are names. */
export const requires = z
  .record(z.string(), z.string())
  .superRefine((labels, context) => {
    const entries = Object.entries(labels);
    if (entries.length > limits.requires) problem(context, "too_many", `At most ${limits.requires} labels.`);
    for (const [key, value] of entries) {
      if (!isName(key)) problem(context, "invalid_name", "A label's key is a name.", [key]);
      const wrong = labelValueProblem(value);
      if (wrong !== null) problem(context, "invalid_label", wrong, [key]);
    }
  })
  .meta({
    description:
      "Only workers with all these labels run it, at most 8. Every worker has the label `worker`, with its name.",
    examples: [{ region: "eu" }],
  });

export const requiresAnswer = z.record(z.string(), z.string());

export const reason = z.string().superRefine((text, context) => {
  if (Buffer.byteLength(text) > limits.reasonBytes) problem(context, "too_large", "A reason has at most 1 KiB.");
});

export const retry = z
  .strictObject({
    maxAttempts: z.int().min(1).max(limits.maxAttempts).optional(),
    backoff: z
      .strictObject({
        kind: z.enum(["fixed", "linear", "exponential"]).optional(),
        initial: duration(limits.backoffMs, "1s").optional(),
        factor: z.number().min(1).max(100).optional(),
        max: duration(limits.backoffMs, "10m").optional(),
        jitter: z.enum(["full", "none"]).optional(),
      })
      .optional(),
  })
  .meta({ description: "How many attempts may end in an error, and how long to wait between them." });
export type RetryInput = z.output<typeof retry>;

export const timeout = duration(limits.timeoutMs, "5m");

export const startWithin = duration(limits.startWithinMs, "5m").meta({
  description: "Skipped unless its first attempt has started so long after it was first due. 1ms to 366d.",
  examples: ["5m"],
});

export const finishWithin = duration(limits.finishWithinMs, "1h").meta({
  description:
    "Aborted and failed unless it is final so long after it was first due; the nearer that is, the more urgent it becomes while it waits. 1ms to 366d.",
  examples: ["1h"],
});

export const uniqueKey = z.string().min(1).max(limits.uniqueKeyLength);

export const uniqueFor = duration(limits.uniqueForMs, "1h").meta({
  description:
    "So long after its creation the key stays taken for creates that give a window too, also once the task is final. 1ms to 366d.",
  examples: ["1h"],
});
export const concurrencyKey = z
  .string()
  .min(1)
  .max(limits.concurrencyKeyLength)
  .meta({
    description: "Its queue may limit how many tasks of one key run at once (`concurrencyPerKey`), and how many start.",
    examples: ["customer-42"],
  });

export const fairKey = z
  .string()
  .min(1)
  .max(limits.fairKeyLength)
  .meta({
    description:
      "Tasks of different keys take turns, however many of one key wait; its queue may give keys weights (`fairWeights`).",
    examples: ["customer-42"],
  });

/** What can be no id is answered as one that nobody has. */
const taskId = z
  .string()
  .meta({ examples: ["task_01jd3v8q7x2m4"] })
  .transform((text, context) => {
    const id = parseId("task", text);
    if (id !== null) return id;
    problem(context, "unknown_task", `There is no task ${text.slice(0, 64)}.`);
    return z.NEVER;
  });

export const after = z
  .array(taskId)
  .max(limits.after)
  .superRefine((ids, context) => refuseTwice(ids, context))
  .meta({ description: "Tasks that come first; which ends of theirs it waits for, `when` says." });

export const afterCondition = z.enum(afterConditions).meta({
  description:
    "`all` (default): once all of them succeeded; `any`: once one has; `all-done`: once all are final; `on-failure`: once one has failed. When that can no longer come true, the task is skipped (`parents`).",
});

export function refuseTwice(items: readonly (bigint | string)[], context: z.core.$RefinementCtx): void {
  const seen = new Set<bigint | string>();
  for (const [index, item] of items.entries()) {
    if (seen.has(item)) problem(context, "duplicate", "It is in this list already.", [index]);
    seen.add(item);
  }
}

/** Query text: what people type into a search box. */
export const queryText = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .superRefine((text, context) => {
      if (text.includes("\0")) problem(context, "nul", "Text holds no NUL character.");
    });

/** A list in a query: `a,b` or repeated. */
export function queryList<Item extends z.ZodType<unknown, string>>(item: Item, most = 20) {
  return z
    .union([z.string(), z.array(z.string())])
    .meta({ description: "Several as `a,b` or repeated." })
    .transform((text) => (Array.isArray(text) ? text : [text]).flatMap((part) => part.split(",")))
    .pipe(z.array(item).min(1).max(most));
}

export const pageSize = z
  .string()
  .meta({ description: `1 to ${limits.pageSize}; ${limits.defaultPageSize} by default.` })
  .transform((text, context) => {
    const size = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
    if (size >= 1 && size <= limits.pageSize) return size;
    problem(context, "out_of_range", `A whole number from 1 to ${limits.pageSize}.`);
    return z.NEVER;
  });

export const pageQuery = {
  pageSize: pageSize.optional(),
  pageToken: queryText(2_000).meta({ description: "`nextPageToken` of the page before." }).optional(),
};

// Answers.

export const instantAnswer = z.iso.datetime({ precision: 3 }).meta({ examples: ["2026-11-21T01:00:00.123Z"] });
export const durationAnswer = z.string().meta({ examples: ["1h30m"] });
export const nextPageToken = z.string().nullable().meta({ description: "null on the last page." });

export const retryAnswer = z.strictObject({
  maxAttempts: z.int(),
  backoff: z.strictObject({
    kind: z.enum(["fixed", "linear", "exponential"]),
    initial: durationAnswer,
    factor: z.number(),
    max: durationAnswer,
    jitter: z.enum(["full", "none"]),
  }),
});

export const publicState = z.enum([
  "blocked",
  "scheduled",
  "queued",
  "running",
  "retrying",
  "succeeded",
  "failed",
  "cancelled",
  "skipped",
]);
