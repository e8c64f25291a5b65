/** Schedules in requests and answers. What makes a rule valid (cron, zone, range, interval) is core's `validateRule`. */
import { cronDialects, limits, overlapPolicies, rolls } from "@carillon/core";
import { z } from "zod";
import { checkBuiltinPayload } from "./builtin.ts";
import { calendarContent } from "./calendars.ts";
import {
  concurrencyKey,
  duration,
  durationAnswer,
  fairKey,
  finishWithin,
  instant,
  instantAnswer,
  name,
  nextPageToken,
  pageQuery,
  payload,
  priority,
  problem,
  publicState,
  queryText,
  reason,
  requires,
  requiresAnswer,
  retry,
  retryAnswer,
  startWithin,
  tags,
  timeout,
} from "./common.ts";

const DAY_MS = 86_400_000;

const cron = z
  .string()
  .max(limits.expressionLength)
  .meta({
    description:
      "5, 6 or 7 fields with names, ranges, steps, `L W #`, `H`, or `@daily` and the like; other dialects as they say.",
    examples: ["0 2 * * *"],
  });
const every = z
  .string()
  .max(64)
  .meta({ description: "A fixed interval, 1s to 366d.", examples: ["5m"] });
const delay = z.strictObject({ interval: z.string().max(64), after: z.literal("end") }).meta({
  description: "So long after the task of the fire before became final.",
  examples: [{ interval: "5m", after: "end" }],
});
const rrule = z
  .string()
  .max(limits.rruleLength)
  .meta({
    description: "RFC 5545: a rule, also with lines `DTSTART`, `EXDATE` and `RDATE`.",
    examples: ["FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9"],
  });
const at = z
  .string()
  .max(128)
  .meta({
    description:
      "Once: a wall time of the schedule's zone, placed by `dst` where the clock changes, or an instant as for `dueAt`.",
    examples: ["2026-12-24T18:00"],
  });
const source = z.strictObject({
  cron: cron.optional(),
  every: every.optional(),
  rrule: rrule.optional(),
  at: at.optional(),
});
const dialect = z.enum(cronDialects).meta({ description: "How cron expressions are read; `ocps` by default." });
const timeZone = z
  .string()
  .max(64)
  .meta({ description: "An IANA time zone; UTC by default.", examples: ["Europe/Paris"] });
const instantText = z
  .string()
  .max(128)
  .meta({ description: "An instant, as for `dueAt`.", examples: ["2027-01-01T00:00:00Z"] });

const dst = z
  .strictObject({
    gap: z.enum(["next", "skip", "shift"]).optional(),
    overlap: z.enum(["first", "second", "both"]).optional(),
  })
  .meta({ description: "What happens to wall times that a change of the clock leaves out or repeats." });

const excludes = z
  .array(name)
  .max(limits.excludes)
  .meta({ description: "Names of calendars; fires that one of them covers are skipped.", examples: [["holidays"]] });

const includes = z
  .array(name)
  .max(limits.excludes)
  .meta({
    description: "Names of calendars; fires that none of them covers are skipped.",
    examples: [["office-hours"]],
  });

const rule = {
  cron: cron.optional(),
  every: z.union([every, delay]).optional(),
  rrule: rrule.optional(),
  rules: z
    .array(source)
    .min(1)
    .max(limits.rules)
    .meta({ description: "It fires whenever one of these does; several at one instant are one fire." })
    .optional(),
  timeZone: timeZone.optional(),
  dialect: dialect.optional(),
  dst: dst.optional(),
  jitter: z
    .string()
    .max(64)
    .meta({ description: "0s to 1d, never past the next fire.", examples: ["30s"] })
    .optional(),
  startAt: instantText.optional(),
  endAt: instantText.optional(),
  maxFires: z.int().min(1).max(1_000_000_000).optional(),
  roll: z
    .enum(rolls)
    .meta({
      description:
        "A fire that calendars take out is skipped (`none`, the default) or goes to the `next` or `previous` day on which they leave the same time of the day.",
    })
    .optional(),
};
export type RuleInput = z.output<z.ZodObject<typeof rule>>;

const scheduledTask = z
  .strictObject({
    type: name,
    payload: payload.optional(),
    queue: name.optional(),
    priority: priority.optional(),
    retry: retry.optional(),
    timeout: timeout.optional(),
    startWithin: startWithin.optional(),
    finishWithin: finishWithin.optional(),
    concurrencyKey: concurrencyKey.optional(),
    fairKey: fairKey.optional(),
    tags: tags.optional(),
    requires: requires.optional(),
  })
  .superRefine(checkBuiltinPayload);

const definition = {
  ...rule,
  task: scheduledTask,
  overlap: z
    .enum(overlapPolicies)
    .meta({
      description: "What happens to a fire while other tasks of the schedule are not final; `allow` by default.",
    })
    .optional(),
  pauseAfterFailures: z
    .int()
    .min(1)
    .max(limits.pauseAfterFailures)
    .nullable()
    .meta({ description: "Pause it when so many of its tasks in a row have failed; never by default." })
    .optional(),
  catchUp: z
    .strictObject({
      policy: z.enum(["skip", "last", "all"]).optional(),
      window: duration([0, 366 * DAY_MS], "24h").optional(),
      limit: z.int().min(1).max(1_000).optional(),
    })
    .meta({ description: "What happens to fires that no node was alive for." })
    .optional(),
  excludes: excludes.optional(),
  includes: includes.optional(),
  paused: z.boolean().optional(),
};

const example = {
  cron: "0 2 * * *",
  timeZone: "Europe/Paris",
  task: { type: "send-invoice", payload: { customerId: "all" } },
};

export const createScheduleBody = z
  .strictObject({ name, ...definition })
  .meta({ id: "CreateSchedule", example: { name: "nightly", ...example } });

/** `name` may be repeated from the path. */
export const putScheduleBody = z
  .strictObject({ name: name.optional(), ...definition })
  .meta({ id: "PutSchedule", example });
export type PutSchedule = z.output<typeof putScheduleBody>;

export const putScheduleQuery = z.strictObject({
  dryRun: z
    .enum(["0", "1", "false", "true"])
    .meta({ description: "1: answer 200 with the schedule as it would be, and store nothing." })
    .optional(),
});

/** A merge patch (RFC 7396): what is left out stays, null is the default. The result is checked as a `PUT` would be. */
export const patchScheduleBody = z
  .strictObject(
    Object.fromEntries(Object.keys(definition).map((field) => [field, z.unknown().optional()])) as Record<
      keyof typeof definition,
      z.ZodOptional<z.ZodUnknown>
    >,
  )
  .meta({ id: "PatchSchedule", example: { cron: "30 2 * * *", jitter: null } });

export const pauseScheduleBody = z
  .strictObject({
    reason: reason.optional(),
    until: instant
      .meta({ description: "When it ends by itself: the fires from then on are on time. After now." })
      .optional(),
  })
  .meta({ example: { reason: "upstream is down", until: "2027-01-01T08:00:00Z" } });

export const triggerScheduleBody = z
  .strictObject({ payload: payload.optional() })
  .meta({ example: { payload: { customerId: "42" } } });

export const previewBody = z
  .strictObject({
    ...rule,
    excludes: excludes.optional(),
    includes: includes.optional(),
    calendars: z
      .record(name, calendarContent)
      .superRefine((given, context) => {
        const most = 2 * limits.excludes;
        if (Object.keys(given).length > most) problem(context, "too_many", `At most ${most} calendars.`);
      })
      .meta({ description: "Calendars by name as they would be, in place of those that are stored." })
      .optional(),
    name: name.meta({ description: "Of the schedule that it is for: what `H` is spread by." }).optional(),
    from: instant.meta({ description: "The first fire is the first at or after this; now by default." }).optional(),
    count: z.int().min(1).max(limits.previewFires).meta({ description: "10 by default." }).optional(),
  })
  .meta({ example: { cron: "30 2 * * *", timeZone: "Europe/Paris", count: 3 } });
export type Preview = z.output<typeof previewBody>;

export const scheduleParams = z.object({ name: z.string().meta({ examples: ["nightly"] }) });

export const listSchedulesQuery = z.strictObject({
  q: queryText(256).meta({ description: "A part of the name or of the task type." }).optional(),
  ...pageQuery,
});
export type ListSchedules = z.output<typeof listSchedulesQuery>;

export const fireOutcome = z.enum(["expected", "task", "skipped", "missed", "withdrawn"]);

export const listFiresQuery = z
  .strictObject({
    from: instant.meta({ description: "24 h before now by default." }).optional(),
    to: instant.meta({ description: "After the next ten fires by default." }).optional(),
    outcome: fireOutcome.optional(),
    ...pageQuery,
  })
  .superRefine(({ from, to }, context) => {
    if (from !== undefined && to !== undefined && to < from)
      problem(context, "range_reversed", "`to` is before `from`.", ["to"]);
  });
export type ListFires = z.output<typeof listFiresQuery>;

// Answers.

export const scheduleAnswer = z
  .strictObject({
    name: z.string(),
    namespace: z.string(),
    version: z.int(),
    words: z.string().meta({ examples: ["At 02:00"] }),
    cron: z.string().nullable(),
    every: z.union([z.string(), z.strictObject({ interval: durationAnswer, after: z.literal("end") })]).nullable(),
    rrule: z.string().nullable(),
    rules: z.array(source).nullable().meta({ description: "Each with the one field that it was given." }),
    timeZone: z.string(),
    task: z.strictObject({
      type: z.string(),
      payload: z.unknown(),
      queue: z.string().nullable(),
      priority: z.int(),
      retry: retryAnswer.nullable(),
      timeout: durationAnswer.nullable(),
      startWithin: durationAnswer.nullable(),
      finishWithin: durationAnswer.nullable(),
      concurrencyKey: z.string().nullable(),
      fairKey: z.string().nullable(),
      tags: z.array(z.string()),
      requires: requiresAnswer,
    }),
    overlap: z.enum(overlapPolicies),
    pauseAfterFailures: z.int().nullable(),
    catchUp: z.strictObject({ policy: z.enum(["skip", "last", "all"]), window: durationAnswer, limit: z.int() }),
    dst: z.strictObject({ gap: z.enum(["next", "skip", "shift"]), overlap: z.enum(["first", "second", "both"]) }),
    dialect: z.enum(cronDialects),
    jitter: durationAnswer.nullable(),
    startAt: instantAnswer.nullable(),
    endAt: instantAnswer.nullable(),
    maxFires: z.int().nullable(),
    excludes: z.array(z.string()),
    includes: z.array(z.string()),
    roll: z.enum(rolls),
    paused: z.boolean(),
    pause: z
      .strictObject({
        reason: z.string().nullable(),
        at: instantAnswer,
        until: instantAnswer.nullable(),
        by: z.string().nullable().meta({ description: "Who paused it; null while calls have no author." }),
      })
      .nullable(),
    nextFireAt: instantAnswer.nullable(),
    lastFireAt: instantAnswer.nullable(),
    lastTask: z.strictObject({ id: z.string(), state: publicState }).nullable(),
    createdAt: instantAnswer,
    updatedAt: instantAnswer,
  })
  .meta({ id: "Schedule" });
export type Schedule = z.output<typeof scheduleAnswer>;
export const scheduleList = z.strictObject({ schedules: z.array(scheduleAnswer), nextPageToken });

export const previewAnswer = z.strictObject({
  words: z.string(),
  fires: z.array(
    z.strictObject({
      at: instantAnswer,
      local: z.string(),
      offset: z.string(),
      rolledFrom: instantAnswer.nullable().meta({ description: "Where the rule has it, if a calendar moved it." }),
    }),
  ),
  warnings: z.array(z.strictObject({ code: z.string(), message: z.string() })),
  clockChanges: z
    .array(z.strictObject({ at: instantAnswer, offsetBefore: z.string(), offsetAfter: z.string() }))
    .meta({ description: "The next two changes of the zone's clock, if there are any within two years." }),
});
export type PreviewAnswer = z.output<typeof previewAnswer>;

export const fire = z
  .strictObject({
    at: instantAnswer,
    local: z.string().meta({ examples: ["2026-11-21T02:00:00+01:00[Europe/Paris]"] }),
    outcome: fireOutcome,
    reason: z.string().nullable().meta({
      description:
        "`paused`, `excluded:NAME` or `not_included` of a skipped one, `no_node` of a missed one, `edited` or `deleted` of a withdrawn one; of the others `rolled:INSTANT` when a calendar moved it from there.",
    }),
    task: z.strictObject({ id: z.string(), state: publicState, latenessMs: z.number().nullable() }).nullable(),
    caughtUp: z.boolean(),
    backfilled: z.boolean(),
    version: z.int(),
  })
  .meta({ id: "Fire" });
export type FireAnswer = z.output<typeof fire>;
export const fireList = z.strictObject({ fires: z.array(fire), nextPageToken });
