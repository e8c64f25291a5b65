import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Calendar, readCalendar } from "./calendar.ts";
import { coveredUntil } from "./calendar-cover.ts";
import { readIcs } from "./ics.ts";
import { formatLocal, parseInstant } from "./instant.ts";

const ZONE = "Europe/Paris";
const at = (wall: string) => parseInstant(`${wall}[${ZONE}]`)!;
const file = (...lines: string[]) => ["BEGIN:VCALENDAR", "VERSION:2.0", ...lines, "END:VCALENDAR", ""].join("\r\n");
const event = (...lines: string[]) => file("BEGIN:VEVENT", "SUMMARY:A day off", ...lines, "END:VEVENT");

function calendar(ics: string): Calendar {
  const read = readCalendar({ timeZone: ZONE, weekly: [], dates: [], ranges: [], ics });
  if ("errors" in read) throw new Error(read.errors[0]!.message);
  return read.calendar;
}

/** Which stretches of the year are covered, on the clock in Paris, looked for in steps of half an hour. */
function stretches(ics: string, year = 2026): string[] {
  const given = calendar(ics);
  const found: string[] = [];
  for (let t = at(`${year}-01-01T00:00`); t < at(`${year + 1}-01-01T00:00`); t += 1_800_000) {
    const end = coveredUntil(given, t);
    if (end === null) continue;
    found.push(`${formatLocal(t, ZONE).slice(0, 16)} ${formatLocal(end, ZONE).slice(0, 16)}`);
    t = end - 1_800_000;
  }
  return found;
}

test("an all-day event covers its day, whatever else is said about it", () => {
  const text = file(
    'X-WR-CALNAME:Holidays: "ours"',
    "BEGIN:VTIMEZONE",
    "TZID:Europe/Paris",
    "BEGIN:STANDARD",
    "DTSTART:19701025T030000",
    "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
    "END:STANDARD",
    "END:VTIMEZONE",
    "BEGIN:VEVENT",
    "UID:1@example.com",
    "DTSTAMP:20260101T000000Z",
    "DTSTART;VALUE=DATE:20261225",
    "DTEND;VALUE=DATE:20261226",
    "TRANSP:TRANSPARENT",
    "DESCRIPTION:Closed: see\\n https://example.com",
    "BEGIN:VALARM",
    "TRIGGER:-PT30M",
    "DURATION:PT1H",
    "END:VALARM",
    "END:VEVENT",
  );
  expect(stretches(text)).toEqual(["2026-12-25T00:00 2026-12-26T00:00"]);
});

test.each([
  ["without an end", ["DTSTART;VALUE=DATE:20260501"], "2026-05-01T00:00 2026-05-02T00:00"],
  [
    "that ends on its day, as some write",
    ["DTSTART;VALUE=DATE:20260501", "DTEND;VALUE=DATE:20260501"],
    "2026-05-01T00:00 2026-05-02T00:00",
  ],
  [
    "of several days",
    ["DTSTART;VALUE=DATE:20260803", "DTEND;VALUE=DATE:20260822"],
    "2026-08-03T00:00 2026-08-22T00:00",
  ],
  [
    "of several days by its length",
    ["DTSTART;VALUE=DATE:20260803", "DURATION:P2W"],
    "2026-08-03T00:00 2026-08-17T00:00",
  ],
  [
    "at a time of the calendar's zone",
    ["DTSTART:20260605T090000", "DTEND:20260605T113000"],
    "2026-06-05T09:00 2026-06-05T11:30",
  ],
  ["at a time in UTC", ["DTSTART:20260605T090000Z", "DURATION:PT2H"], "2026-06-05T11:00 2026-06-05T13:00"],
  [
    "at a time of another zone",
    ['DTSTART;TZID="America/New_York":20260605T090000', "DTEND;TZID=America/New_York:20260605T100000"],
    "2026-06-05T15:00 2026-06-05T16:00",
  ],
  [
    "from one zone to another",
    ["DTSTART;TZID=Europe/Paris:20260605T090000", "DTEND;TZID=Europe/London:20260605T090000"],
    "2026-06-05T09:00 2026-06-05T10:00",
  ],
  [
    "over a change of the clock",
    ["DTSTART:20260328T220000", "DTEND:20260329T060000"],
    "2026-03-28T22:00 2026-03-29T06:00",
  ],
])("an event %s", (_, lines, expected) => {
  expect(stretches(event(...lines))).toEqual([expected]);
});

test("lines go on where the next one begins with a blank, and may end as on any system", () => {
  for (const end of ["\r\n", "\n", "\r"]) {
    const text = [
      "BEGIN:VCALENDAR",
      "BEGIN:VEVENT",
      "DTSTART;VALUE=DA",
      " TE:2026",
      "\t0501",
      "END:VEVENT",
      "END:VCALENDAR",
    ];
    expect(stretches(text.join(end))).toHaveLength(1);
  }
});

test("an event that was called off, or takes no time, covers nothing", () => {
  expect(stretches(event("DTSTART;VALUE=DATE:20260501", "STATUS:CANCELLED"))).toEqual([]);
  expect(stretches(event("DTSTART:20260501T090000Z"))).toEqual([]);
});

describe("an event that repeats each year", () => {
  const days = (rule: string, start: string, year: number) =>
    stretches(event(`DTSTART;VALUE=DATE:${start}`, `RRULE:${rule}`), year).map((stretch) => stretch.slice(0, 10));

  test.each([
    ["on its date", "FREQ=YEARLY", "20201225", 2030, ["2030-12-25"]],
    ["not before it began", "FREQ=YEARLY", "20281225", 2027, []],
    ["on the fourth Thursday of November", "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "20201126", 2026, ["2026-11-26"]],
    ["on the last Monday of May", "FREQ=YEARLY;BYDAY=-1MO;BYMONTH=5;WKST=SU", "20200525", 2027, ["2027-05-31"]],
    ["on a date that the rule names", "FREQ=YEARLY;BYMONTH=7;BYMONTHDAY=14", "20200714", 2026, ["2026-07-14"]],
    ["every second year", "FREQ=YEARLY;INTERVAL=2", "20210501", 2026, []],
    ["every second year, in it", "FREQ=YEARLY;INTERVAL=2", "20210501", 2027, ["2027-05-01"]],
    ["until a day, that included", "FREQ=YEARLY;UNTIL=20260501", "20210501", 2026, ["2026-05-01"]],
    ["until a day, and then no more", "FREQ=YEARLY;UNTIL=20260430", "20210501", 2026, []],
    ["six times", "FREQ=YEARLY;COUNT=6", "20210501", 2026, ["2026-05-01"]],
    ["five times, and then no more", "FREQ=YEARLY;COUNT=5", "20210501", 2026, []],
    ["on 29 February, where there is one", "FREQ=YEARLY", "20200229", 2028, ["2028-02-29"]],
    ["on 29 February, and not on 1 March", "FREQ=YEARLY", "20200229", 2027, []],
    ["twice on 29 February", "FREQ=YEARLY;COUNT=2", "20200229", 2024, ["2024-02-29"]],
    ["on a fifth Monday that the month has not", "FREQ=YEARLY;BYMONTH=2;BYDAY=5MO", "20160229", 2026, []],
  ])("%s", (_, rule, start, year, expected) => {
    expect(days(rule, start, year)).toEqual(expected);
  });

  test("goes over into the next year", () => {
    const text = event("DTSTART;VALUE=DATE:20201224", "DTEND;VALUE=DATE:20210103", "RRULE:FREQ=YEARLY");
    expect(stretches(text, 2026)).toEqual(["2026-01-01T00:00 2026-01-03T00:00", "2026-12-24T00:00 2027-01-03T00:00"]);
  });

  test("keeps the hours of its zone", () => {
    const text = event("DTSTART;TZID=America/New_York:20200320T090000", "DURATION:PT1H", "RRULE:FREQ=YEARLY");
    // The clocks there go forward three weeks before those in Paris.
    expect(stretches(text, 2026)).toEqual(["2026-03-20T14:00 2026-03-20T15:00"]);
  });
});

describe("what would be read wrongly is refused, with its line", () => {
  const start = "DTSTART;VALUE=DATE:20260501";
  test.each<[what: string, text: string, code: string, message: RegExp]>([
    ["nothing", "", "invalid_ics", /begins with BEGIN:VCALENDAR/],
    ["a page of HTML", "<!doctype html>\n<p>Not found", "invalid_ics", /Line 1: .* no colon/],
    ["another component", "BEGIN:VCARD\nEND:VCARD", "invalid_ics", /begins with BEGIN:VCALENDAR/],
    ["a cut file", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260501", "invalid_ics", /Line 3: There is no END:VEVENT/],
    [
      "crossed components",
      file("BEGIN:VEVENT", "END:VCALENDAR"),
      "invalid_ics",
      /Line 4: This END:VCALENDAR ends nothing/,
    ],
    ["an event without a start", event("DTEND:20260501T000000Z"), "invalid_ics", /Line 6: .*no DTSTART/],
    ["two starts", event(start, start), "invalid_ics", /Line 6: A second DTSTART/],
    ["a day that there is not", event("DTSTART:20260230"), "invalid_ics", /DTSTART is no date/],
    ["a leap second", event("DTSTART:20161231T235960Z"), "invalid_ics", /DTSTART is no date/],
    ["a date and a time", event(start, "DTEND:20260502T000000"), "invalid_ics", /both dates or both times/],
    ["an end before the start", event(start, "DTEND:20260430"), "invalid_ics", /DTEND is before DTSTART/],
    ["an end and a length", event(start, "DTEND:20260502", "DURATION:P1D"), "invalid_ics", /DURATION/],
    ["half a day as a length", event(start, "DURATION:PT12H"), "invalid_ics", /DURATION/],
    ["a length that goes back", event("DTSTART:20260501T000000Z", "DURATION:-PT1H"), "invalid_ics", /DURATION/],
    [
      "a zone of the file's own",
      event("DTSTART;TZID=W. Europe Standard Time:20260501T000000"),
      "unknown_time_zone",
      /no IANA time zone/,
    ],
    ["a weekly rule", event(start, "RRULE:FREQ=WEEKLY;BYDAY=MO"), "unsupported", /FREQ=WEEKLY is not understood/],
    ["a part of a rule", event(start, "RRULE:FREQ=YEARLY;BYSETPOS=1"), "unsupported", /BYSETPOS is not understood/],
    ["a rule without a frequency", event(start, "RRULE:COUNT=2"), "unsupported", /only FREQ=YEARLY/],
    ["several months", event(start, "RRULE:FREQ=YEARLY;BYMONTH=1,2"), "unsupported", /BYMONTH/],
    ["every Monday of a year", event(start, "RRULE:FREQ=YEARLY;BYDAY=MO"), "unsupported", /only with BYMONTH/],
    ["every Monday of a month", event(start, "RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=MO"), "unsupported", /BYDAY/],
    ["an exception", event(start, "EXDATE;VALUE=DATE:20270501"), "unsupported", /EXDATE is not understood/],
    ["more dates", event(start, "RDATE;VALUE=DATE:20270501"), "unsupported", /RDATE is not understood/],
    ["a changed instance", event(start, "RECURRENCE-ID;VALUE=DATE:20270501"), "unsupported", /RECURRENCE-ID/],
    [
      "a year that repeats each year and more",
      event(start, "DTEND:20270601", "RRULE:FREQ=YEARLY"),
      "invalid_ics",
      /at most a year/,
    ],
    [
      "too many events",
      file(...Array.from({ length: 2_001 }, () => ["BEGIN:VEVENT", start, "END:VEVENT"]).flat()),
      "too_many",
      /More than 2000 events/,
    ],
  ])("%s", (_, text, code, message) => {
    expect(readIcs(text, ZONE)).toMatchObject({
      error: { pointer: "/ics", code, message: expect.stringMatching(message) },
    });
  });
});

const line = fc.oneof(
  fc.constantFrom(
    ..."BEGIN:VCALENDAR|END:VCALENDAR|BEGIN:VEVENT|END:VEVENT|BEGIN:VALARM|END:VALARM|DTSTART:20260501|DTEND:20260502".split(
      "|",
    ),
    ..."DTSTART;TZID=Europe/Paris:20260501T090000|DTEND:20260501T100000Z|DURATION:P1D|DURATION:P9999999999D".split("|"),
    ..."RRULE:FREQ=YEARLY|RRULE:FREQ=YEARLY;COUNT=10000;INTERVAL=1000|RRULE:FREQ=YEARLY;BYMONTH=2;BYDAY=-5MO".split(
      "|",
    ),
    ..."DTSTART:16000101|DTEND:21991231|DTSTART:00000000|DTSTART;TZID=:20260501T090000|STATUS:CANCELLED|RRULE:=;=|:| |\t".split(
      "|",
    ),
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
);
const whole = fc
  .array(fc.oneof({ weight: 4, arbitrary: line }, { weight: 1, arbitrary: fc.string({ maxLength: 60 }) }), {
    maxLength: 12,
  })
  .map((lines) => event(...lines));

test("whatever text comes, it is read or refused by name", () => {
  const text = fc.oneof(
    whole,
    fc.array(line, { maxLength: 30 }).map((lines) => lines.join("\n")),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(text, (ics) => {
      const read = readCalendar({ timeZone: "Europe/Paris", weekly: [], dates: [], ranges: [], ics });
      if ("errors" in read) {
        for (const { code, message } of read.errors)
          expect([code.length > 0, message.length < 300]).toEqual([true, true]);
      } else {
        coveredUntil(read.calendar, at("2026-05-01T12:00"));
        expect(JSON.parse(JSON.stringify(read.calendar))).toEqual(read.calendar);
      }
    }),
    { numRuns: 5_000 },
  );
});

test("the largest text is read in a moment, however it is made", () => {
  const long = "X".repeat(256 * 1024);
  for (const text of [
    file(long),
    file(`X${';A="b"'.repeat(40_000)}`),
    `BEGIN:VCALENDAR\n${" \n".repeat(120_000)}`,
    "BEGIN:VCALENDAR\n".repeat(16_000),
    event("DTSTART:20260501", `RRULE:FREQ=YEARLY;${"COUNT=1;".repeat(30_000)}`),
  ]) {
    const startedAt = performance.now();
    readIcs(text, ZONE);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  }
});
