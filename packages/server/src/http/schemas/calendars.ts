/** Calendars in requests and answers. What makes times, dates and iCalendar text valid is core's `readCalendar`. */
import { limits, weekdays } from "@carillon/core";
import { z } from "zod";
import { instantAnswer, name, nextPageToken, pageQuery, problem } from "./common.ts";

const clock = z.string().max(16);
const day = z.string().max(32);

const window = z.strictObject({
  days: z.array(z.enum(weekdays)).min(1).max(7),
  from: clock.meta({ description: "00:00 by default.", examples: ["22:00"] }).optional(),
  to: clock
    .meta({ description: "24:00 by default; before `from` it is on the next day.", examples: ["06:00"] })
    .optional(),
});

const range = z.strictObject({ from: day, to: day });

export const calendarContent = z.strictObject({
  timeZone: z
    .string()
    .max(64)
    .meta({ description: "An IANA time zone.", examples: ["Europe/Paris"] }),
  weekly: z
    .array(window)
    .max(limits.calendarWindows)
    .meta({ description: "Hours of each week, on the wall clock of the zone." })
    .optional(),
  dates: z.array(day).max(limits.calendarDates).meta({ description: "Whole days, such as 2026-12-25." }).optional(),
  ranges: z
    .array(range)
    .max(limits.calendarDates)
    .meta({ description: "`from <= t < to`, each a date or a date with a time: 2026-12-24T14:00." })
    .optional(),
  ics: z
    .string()
    .superRefine((text, context) => {
      if (Buffer.byteLength(text) > limits.icsBytes)
        problem(context, "too_large", "iCalendar text has at most 256 KiB.");
    })
    .meta({ description: "iCalendar text; its events are covered. They may repeat yearly." })
    .optional(),
});

/** `name` may be repeated from the path. */
export const putCalendarBody = z.strictObject({ name: name.optional(), ...calendarContent.shape }).meta({
  id: "PutCalendar",
  example: {
    timeZone: "Europe/Paris",
    weekly: [{ days: ["SAT", "SUN"], from: "00:00", to: "24:00" }],
    dates: ["2026-12-25"],
  },
});
export type PutCalendar = z.output<typeof putCalendarBody>;

export const putCalendarQuery = z.strictObject({
  dryRun: z
    .enum(["0", "1", "false", "true"])
    .meta({ description: "1: answer 200 with the calendar as it would be, and store nothing." })
    .optional(),
});

export const calendarParams = z.object({ name: z.string().meta({ examples: ["holidays"] }) });

export const listCalendarsQuery = z.strictObject({ ...pageQuery });
export type ListCalendars = z.output<typeof listCalendarsQuery>;

// Answers.

const summary = {
  name: z.string(),
  namespace: z.string(),
  version: z.int(),
  timeZone: z.string(),
  weekly: z.array(z.strictObject({ days: z.array(z.enum(weekdays)), from: z.string(), to: z.string() })),
  dates: z.array(z.string()),
  ranges: z.array(z.strictObject({ from: z.string(), to: z.string() })),
  events: z.int().meta({ description: "How many events were read of `ics`." }),
  createdAt: instantAnswer,
  updatedAt: instantAnswer,
};

export const calendarSummary = z.strictObject(summary).meta({ id: "CalendarSummary" });
export type CalendarSummary = z.output<typeof calendarSummary>;

export const calendarAnswer = z.strictObject({ ...summary, ics: z.string().nullable() }).meta({ id: "Calendar" });
export type CalendarAnswer = z.output<typeof calendarAnswer>;

export const calendarList = z.strictObject({ calendars: z.array(calendarSummary), nextPageToken });
