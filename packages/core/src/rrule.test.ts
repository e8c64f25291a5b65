import { expect, test } from "vitest";
import { parseRrule, type Rrule, type RruleContext } from "./rrule.ts";
import { describeRrule } from "./rrule-words.ts";
import type { DstPolicy } from "./wall-rule.ts";

const skip: DstPolicy = { gap: "skip", overlap: "first" };

function rrule(text: string, context: Partial<RruleContext> = {}): Rrule {
  const parsed = parseRrule(text, { timeZone: "America/New_York", dst: skip, startAt: null, ...context });
  if ("code" in parsed) throw new Error(`${text}: ${parsed.message}`);
  return parsed;
}

/** UTC, to the minute. */
function firesOf(rule: Rrule, count: number, after = 0): string[] {
  const found: string[] = [];
  let at = after;
  while (found.length < count) {
    const next = rule.next(at);
    if (next === null) break;
    expect(next).toBeGreaterThan(at);
    found.push(new Date(next).toISOString().slice(0, 16));
    at = next;
  }
  return found;
}

/** `1997 09 02 04` and so on: 09:00 in New York on these days. Daylight saving time was from April's first to October's last Sunday. */
function nines(...months: string[]): string[] {
  return months.flatMap((text) => {
    const [year, month, ...days] = text.split(" ").map(Number) as [number, number, ...number[]];
    return days.map((day) => newYork(year, month, day, 9, 0));
  });
}

function newYork(year: number, month: number, day: number, hour: number, minute: number): string {
  const date = Date.UTC(year, month - 1, day);
  const begins = Date.UTC(year, 3, 1 + ((7 - new Date(Date.UTC(year, 3, 1)).getUTCDay()) % 7));
  const ends = Date.UTC(year, 9, 31 - new Date(Date.UTC(year, 9, 31)).getUTCDay());
  const offset = date >= begins && date < ends ? 4 : 5;
  return new Date(date + (hour + offset) * 3_600_000 + minute * 60_000).toISOString().slice(0, 16);
}

const days = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index).join(" ");

/** `ends`: there is none after these. DTSTART is at 09:00 in New York. */
const examples: [title: string, start: string, rule: string, instances: string[], ends?: "ends"][] = [
  ["daily for 10 occurrences", "19970902", "FREQ=DAILY;COUNT=10", nines(`1997 9 ${days(2, 11)}`), "ends"],
  [
    "daily until December 24, 1997",
    "19970902",
    "FREQ=DAILY;UNTIL=19971224T000000Z",
    nines(`1997 9 ${days(2, 30)}`, `1997 10 ${days(1, 31)}`, `1997 11 ${days(1, 30)}`, `1997 12 ${days(1, 23)}`),
    "ends",
  ],
  [
    "every other day",
    "19970902",
    "FREQ=DAILY;INTERVAL=2",
    nines(
      "1997 9 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30",
      "1997 10 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30",
      "1997 11 1 3 5 7",
    ),
  ],
  [
    "every 10 days, 5 occurrences",
    "19970902",
    "FREQ=DAILY;INTERVAL=10;COUNT=5",
    nines("1997 9 2 12 22", "1997 10 2 12"),
    "ends",
  ],
  [
    "every day in January, for 3 years",
    "19980101",
    "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
    nines(`1998 1 ${days(1, 31)}`, `1999 1 ${days(1, 31)}`, `2000 1 ${days(1, 31)}`),
    "ends",
  ],
  [
    "the same by days",
    "19980101",
    "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1",
    nines(`1998 1 ${days(1, 31)}`, `1999 1 ${days(1, 31)}`, `2000 1 ${days(1, 31)}`),
    "ends",
  ],
  [
    "weekly for 10 occurrences",
    "19970902",
    "FREQ=WEEKLY;COUNT=10",
    nines("1997 9 2 9 16 23 30", "1997 10 7 14 21 28", "1997 11 4"),
    "ends",
  ],
  [
    "weekly until December 24, 1997",
    "19970902",
    "FREQ=WEEKLY;UNTIL=19971224T000000Z",
    nines("1997 9 2 9 16 23 30", "1997 10 7 14 21 28", "1997 11 4 11 18 25", "1997 12 2 9 16 23"),
    "ends",
  ],
  [
    "every other week",
    "19970902",
    "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
    nines("1997 9 2 16 30", "1997 10 14 28", "1997 11 11 25", "1997 12 9 23", "1998 1 6 20", "1998 2 3 17"),
  ],
  [
    "weekly on Tuesday and Thursday for five weeks",
    "19970902",
    "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH",
    nines("1997 9 2 4 9 11 16 18 23 25 30", "1997 10 2"),
    "ends",
  ],
  [
    "the same by a count",
    "19970902",
    "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
    nines("1997 9 2 4 9 11 16 18 23 25 30", "1997 10 2"),
    "ends",
  ],
  [
    "every other week on Monday, Wednesday, and Friday until December 24, 1997",
    "19970901",
    "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
    nines(
      "1997 9 1 3 5 15 17 19 29",
      "1997 10 1 3 13 15 17 27 29 31",
      "1997 11 10 12 14 24 26 28",
      "1997 12 8 10 12 22",
    ),
    "ends",
  ],
  [
    "every other week on Tuesday and Thursday, for 8 occurrences",
    "19970902",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",
    nines("1997 9 2 4 16 18 30", "1997 10 2 14 16"),
    "ends",
  ],
  [
    "monthly on the first Friday for 10 occurrences",
    "19970905",
    "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
    nines(
      ...["1997 9 5", "1997 10 3", "1997 11 7", "1997 12 5", "1998 1 2"],
      ...["1998 2 6", "1998 3 6", "1998 4 3", "1998 5 1", "1998 6 5"],
    ),
    "ends",
  ],
  [
    "monthly on the first Friday until December 24, 1997",
    "19970905",
    "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",
    nines("1997 9 5", "1997 10 3", "1997 11 7", "1997 12 5"),
    "ends",
  ],
  [
    "every other month on the first and last Sunday of the month for 10 occurrences",
    "19970907",
    "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
    nines("1997 9 7 28", "1997 11 2 30", "1998 1 4 25", "1998 3 1 29", "1998 5 3 31"),
    "ends",
  ],
  [
    "monthly on the second-to-last Monday of the month for 6 months",
    "19970922",
    "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
    nines("1997 9 22", "1997 10 20", "1997 11 17", "1997 12 22", "1998 1 19", "1998 2 16"),
    "ends",
  ],
  [
    "monthly on the third-to-the-last day of the month",
    "19970928",
    "FREQ=MONTHLY;BYMONTHDAY=-3",
    nines("1997 9 28", "1997 10 29", "1997 11 28", "1997 12 29", "1998 1 29", "1998 2 26"),
  ],
  [
    "monthly on the 2nd and 15th of the month for 10 occurrences",
    "19970902",
    "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",
    nines("1997 9 2 15", "1997 10 2 15", "1997 11 2 15", "1997 12 2 15", "1998 1 2 15"),
    "ends",
  ],
  [
    "monthly on the first and last day of the month for 10 occurrences",
    "19970930",
    "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
    nines("1997 9 30", "1997 10 1 31", "1997 11 1 30", "1997 12 1 31", "1998 1 1 31", "1998 2 1"),
    "ends",
  ],
  [
    "every 18 months on the 10th thru 15th of the month for 10 occurrences",
    "19970910",
    "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
    nines("1997 9 10 11 12 13 14 15", "1999 3 10 11 12 13"),
    "ends",
  ],
  [
    "every Tuesday, every other month",
    "19970902",
    "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
    nines("1997 9 2 9 16 23 30", "1997 11 4 11 18 25", "1998 1 6 13 20 27", "1998 3 3 10 17 24 31"),
  ],
  [
    "yearly in June and July for 10 occurrences",
    "19970610",
    "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
    nines(...[1997, 1998, 1999, 2000, 2001].flatMap((year) => [`${year} 6 10`, `${year} 7 10`])),
    "ends",
  ],
  [
    "every other year on January, February, and March for 10 occurrences",
    "19970310",
    "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
    nines("1997 3 10", ...[1999, 2001, 2003].flatMap((year) => [`${year} 1 10`, `${year} 2 10`, `${year} 3 10`])),
    "ends",
  ],
  [
    "every third year on the 1st, 100th, and 200th day for 10 occurrences",
    "19970101",
    "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
    nines(
      ...["1997 1 1", "1997 4 10", "1997 7 19", "2000 1 1", "2000 4 9"],
      ...["2000 7 18", "2003 1 1", "2003 4 10", "2003 7 19", "2006 1 1"],
    ),
    "ends",
  ],
  ["every 20th Monday of the year", "19970519", "FREQ=YEARLY;BYDAY=20MO", nines("1997 5 19", "1998 5 18", "1999 5 17")],
  [
    "Monday of week number 20",
    "19970512",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
    nines("1997 5 12", "1998 5 11", "1999 5 17"),
  ],
  [
    "every Thursday in March",
    "19970313",
    "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
    nines("1997 3 13 20 27", "1998 3 5 12 19 26", "1999 3 4 11 18 25"),
  ],
  [
    "every Thursday, but only during June, July, and August",
    "19970605",
    "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
    nines(
      ...["1997 6 5 12 19 26", "1997 7 3 10 17 24 31", "1997 8 7 14 21 28"],
      ...["1998 6 4 11 18 25", "1998 7 2 9 16 23 30", "1998 8 6 13 20 27"],
    ),
  ],
  [
    "every Friday the 13th",
    "19970902",
    "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13\nEXDATE;TZID=America/New_York:19970902T090000",
    nines("1998 2 13", "1998 3 13", "1998 11 13", "1999 8 13", "2000 10 13"),
  ],
  [
    "the first Saturday that follows the first Sunday of the month",
    "19970913",
    "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
    nines(
      ...["1997 9 13", "1997 10 11", "1997 11 8", "1997 12 13", "1998 1 10"],
      ...["1998 2 7", "1998 3 7", "1998 4 11", "1998 5 9", "1998 6 13"],
    ),
  ],
  [
    "every 4 years, the first Tuesday after a Monday in November",
    "19961105",
    "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
    nines("1996 11 5", "2000 11 7", "2004 11 2"),
  ],
  [
    "the third instance into the month of one of Tuesday, Wednesday, or Thursday, for the next 3 months",
    "19970904",
    "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
    nines("1997 9 4", "1997 10 7", "1997 11 6"),
    "ends",
  ],
  [
    "the second-to-last weekday of the month",
    "19970929",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
    nines("1997 9 29", "1997 10 30", "1997 11 27", "1997 12 30", "1998 1 29", "1998 2 26", "1998 3 30"),
  ],
  [
    // With the erratum 3883: the RFC ends it at 17:00 UTC, which is 13:00 there.
    "every 3 hours from 9:00 AM to 5:00 PM on a specific day",
    "19970902",
    "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",
    [9, 12, 15].map((hour) => newYork(1997, 9, 2, hour, 0)),
    "ends",
  ],
  [
    "every 15 minutes for 6 occurrences",
    "19970902",
    "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
    [0, 15, 30, 45, 60, 75].map((minute) => newYork(1997, 9, 2, 9, minute)),
    "ends",
  ],
  [
    "every hour and a half for 4 occurrences",
    "19970902",
    "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
    [0, 90, 180, 270].map((minute) => newYork(1997, 9, 2, 9, minute)),
    "ends",
  ],
  ...[
    "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
    "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
  ].map((rule): [string, string, string, string[]] => [
    "every 20 minutes from 9:00 AM to 4:40 PM every day",
    "19970902",
    rule,
    [2, 3].flatMap((day) => Array.from({ length: 24 }, (_, index) => newYork(1997, 9, day, 9, index * 20))),
  ]),
  [
    "an example where the days generated makes a difference because of WKST: Monday",
    "19970805",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
    nines("1997 8 5 10 19 24"),
    "ends",
  ],
  [
    "the same with WKST Sunday",
    "19970805",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
    nines("1997 8 5 17 19 31"),
    "ends",
  ],
  [
    "an example where an invalid date (i.e., February 30) is ignored",
    "20070115",
    "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
    ["2007-01-15T14:00", "2007-01-30T14:00", "2007-02-15T14:00", "2007-03-15T13:00", "2007-03-30T13:00"],
    "ends",
  ],
];

test.each(examples)("RFC 5545: %s", (_, start, rule, instances, ends) => {
  const parsed = rrule(`DTSTART;TZID=America/New_York:${start}T090000\nRRULE:${rule}`);
  expect(firesOf(parsed, instances.length + (ends ? 5 : 0))).toEqual(instances);
});

const daily = "DTSTART:20260101T023000\nRRULE:FREQ=DAILY";

/** What 02:30 every day becomes around a change in Paris. */
test.each([
  ["skip", "first", "2026-03-28T00:00Z", ["03-28T01:30", "03-30T00:30"]],
  ["next", "first", "2026-03-28T00:00Z", ["03-28T01:30", "03-29T01:00", "03-30T00:30"]],
  ["shift", "first", "2026-03-28T00:00Z", ["03-28T01:30", "03-29T01:30", "03-30T00:30"]],
  ["skip", "first", "2026-10-24T12:00Z", ["10-25T00:30", "10-26T01:30"]],
  ["skip", "second", "2026-10-24T12:00Z", ["10-25T01:30", "10-26T01:30"]],
  ["skip", "both", "2026-10-24T12:00Z", ["10-25T00:30", "10-25T01:30", "10-26T01:30"]],
] as const)("gap %s and overlap %s, from %s", (gap, overlap, after, expected) => {
  const rule = rrule(daily, { timeZone: "Europe/Paris", dst: { gap, overlap } });
  const fires = firesOf(rule, expected.length, Date.parse(after));
  expect(fires.map((fire) => fire.slice(5))).toEqual(expected);
});

test("a gap at midnight, of half an hour, and a day that never was are the same to it", () => {
  const at = (text: string, timeZone: string, after: string, dst: DstPolicy = skip) =>
    firesOf(rrule(text, { timeZone, dst }), 2, Date.parse(after));
  const midnight = "DTSTART:20260101T000000\nRRULE:FREQ=DAILY";
  const next: DstPolicy = { gap: "next", overlap: "first" };
  expect(at(midnight, "Africa/Cairo", "2026-04-23T12:00Z")).toEqual(["2026-04-24T21:00", "2026-04-25T21:00"]);
  expect(at(midnight, "Africa/Cairo", "2026-04-23T12:00Z", next)).toEqual(["2026-04-23T22:00", "2026-04-24T21:00"]);
  const quarter = "DTSTART:20260101T021500\nRRULE:FREQ=DAILY";
  expect(at(quarter, "Australia/Lord_Howe", "2026-10-03T12:00Z", next)).toEqual([
    "2026-10-03T15:30",
    "2026-10-04T15:15",
  ]);
  const noon = "DTSTART:20110101T120000\nRRULE:FREQ=DAILY";
  expect(at(noon, "Pacific/Apia", "2011-12-29T12:00Z")).toEqual(["2011-12-29T22:00", "2011-12-30T22:00"]);
});

test("by the hour or less it is a rhythm that goes on through a change of the clock; from a day on it is a wall time", () => {
  const paris = { timeZone: "Europe/Paris" };
  const hourly = rrule("DTSTART:20260101T003000\nRRULE:FREQ=HOURLY", paris);
  expect(firesOf(hourly, 4, Date.parse("2026-10-24T23:00Z")).map((fire) => fire.slice(11))).toEqual([
    "23:30",
    "00:30",
    "01:30",
    "02:30",
  ]);
  expect(firesOf(hourly, 3, Date.parse("2026-03-29T00:00Z")).map((fire) => fire.slice(11))).toEqual([
    "00:30",
    "01:30",
    "02:30",
  ]);
  const eachDay = rrule("DTSTART:20260101T023000\nRRULE:FREQ=HOURLY;INTERVAL=24", paris);
  expect(firesOf(eachDay, 2, Date.parse("2026-10-24T12:00Z"))).toEqual(["2026-10-25T00:30", "2026-10-26T01:30"]);
});

test("COUNT does not count what a gap leaves out, and EXDATE does not give a count back", () => {
  const paris = { timeZone: "Europe/Paris" };
  const four = "DTSTART:20260327T023000\nRRULE:FREQ=DAILY;COUNT=4";
  expect(firesOf(rrule(four, paris), 9).map((fire) => fire.slice(5, 10))).toEqual(["03-27", "03-28", "03-30", "03-31"]);
  expect(firesOf(rrule(`${four}\nEXDATE:20260328T023000`, paris), 9)).toHaveLength(3);
});

test.each([
  ["EXDATE:20270102T090000,20270104T090000", ["01-01", "01-03", "01-05"]],
  ["EXDATE;VALUE=DATE:20270102", ["01-01", "01-03", "01-04", "01-05"]],
  ["EXDATE:20270102T140000Z", ["01-01", "01-03", "01-04", "01-05"]],
  ["RDATE:20270110T090000", ["01-01", "01-02", "01-03", "01-04", "01-05", "01-10"]],
  ["RDATE;VALUE=DATE:20270110", ["01-01", "01-02", "01-03", "01-04", "01-05", "01-10"]],
  ["RDATE:20270110T140000Z,20270103T090000", ["01-01", "01-02", "01-03", "01-04", "01-05", "01-10"]],
  ["RDATE:20270110T090000\nEXDATE:20270110T090000", ["01-01", "01-02", "01-03", "01-04", "01-05"]],
])("five days with %j", (lines, expected) => {
  const fires = firesOf(rrule(`DTSTART:20270101T090000\nRRULE:FREQ=DAILY;COUNT=5\n${lines}`), 9);
  expect(fires.map((fire) => fire.slice(5, 10))).toEqual(expected);
  expect(fires.every((fire) => fire.endsWith("T14:00"))).toBe(true);
});

test.each([
  ["UNTIL=20270103T090000", 3],
  ["UNTIL=20270103T085959", 2],
  ["UNTIL=20270103", 3],
  ["UNTIL=20270103T140000Z", 3],
  ["UNTIL=20270103T135959Z", 2],
])("%s is the last instance's own instant or day", (until, count) => {
  expect(firesOf(rrule(`DTSTART:20270101T090000\nRRULE:FREQ=DAILY;${until}`), 9)).toHaveLength(count);
});

test("without DTSTART it starts with the schedule, else at midnight on 1 January 1970 in its zone", () => {
  const startAt = Date.parse("2027-01-05T15:30:00Z");
  expect(firesOf(rrule("FREQ=WEEKLY;COUNT=2", { startAt }), 9)).toEqual(["2027-01-05T15:30", "2027-01-12T15:30"]);
  expect(firesOf(rrule("FREQ=MONTHLY"), 2, Date.UTC(2027, 0, 2))).toEqual(["2027-02-01T05:00", "2027-03-01T05:00"]);
  expect(firesOf(rrule("FREQ=WEEKLY;BYDAY=MO;BYHOUR=9"), 1, Date.UTC(2027, 0, 1))).toEqual(["2027-01-04T14:00"]);
  expect(firesOf(rrule("DTSTART:20270105T153000Z\nFREQ=DAILY"), 1)).toEqual(["2027-01-05T15:30"]);
});

test("DTSTART is no instance unless the rule makes it one", () => {
  expect(firesOf(rrule("DTSTART:20270101T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=2"), 9)).toEqual([
    "2027-01-04T14:00",
    "2027-01-11T14:00",
  ]);
});

test("line ends, folded lines, small letters and the order of lines do not matter", () => {
  const expected = firesOf(rrule("DTSTART:20270101T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO,FR"), 5);
  for (const text of [
    "RRULE:FREQ=WEEKLY;BYDAY=MO,FR\r\nDTSTART:20270101T090000\r\n",
    "DTSTART;TZID=America/New_York:20270101T090000\nRRULE:FREQ=WEEKLY;BY\n DAY=MO,FR",
    "dtstart:20270101t090000\nrrule:freq=weekly;byday=mo,fr",
    "DTSTART;VALUE=DATE-TIME:20270101T090000\nFREQ=WEEKLY;BYDAY=FR,MO,FR",
  ]) {
    expect(firesOf(rrule(text), 5), text).toEqual(expected);
  }
});

test.each([
  ["FREQ=DAILY;BYHOUR=9,12;BYSETPOS=-1", ["01-01T17:00", "01-02T17:00"]],
  ["FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1,-1", ["01-01T05:00", "01-04T05:00", "01-08T05:00"]],
  ["FREQ=YEARLY;BYDAY=MO;BYSETPOS=-1", ["12-27T05:00"]],
  ["FREQ=HOURLY;BYMINUTE=0,20,40;BYSETPOS=2", ["01-01T05:20", "01-01T06:20"]],
  ["FREQ=MINUTELY;BYSECOND=0,30;BYSETPOS=-1;INTERVAL=30", ["01-01T05:00", "01-01T05:30"]],
  ["FREQ=SECONDLY;INTERVAL=90;BYMINUTE=0", ["01-01T05:00", "01-01T06:00"]],
  ["FREQ=HOURLY;INTERVAL=5;BYDAY=MO;BYHOUR=9,10", ["01-11T15:00"]],
  ["FREQ=YEARLY;BYWEEKNO=1,-1;BYDAY=MO", ["01-04T05:00", "12-27T05:00"]],
  ["FREQ=YEARLY;BYWEEKNO=20", ["05-21T04:00"]],
  ["FREQ=YEARLY;BYYEARDAY=-1", ["12-31T05:00"]],
  ["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1;BYHOUR=9", ["02-28T14:00"]],
  ["FREQ=DAILY;BYMONTH=3;BYMONTHDAY=1,-1", ["03-01T05:00", "03-31T04:00"]],
])("%s from 1 January 2027, a Friday", (text, expected) => {
  const start = "DTSTART:20270101T000000\nRRULE:";
  const fires = firesOf(rrule(start + text), expected.length, Date.parse("2027-01-01T04:59:00Z"));
  expect(fires.map((fire) => fire.slice(5))).toEqual(expected);
});

test.each([
  ["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"],
  ["FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30,31"],
  ["FREQ=MONTHLY;BYDAY=6MO"],
  ["FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6"],
  ["FREQ=YEARLY;BYDAY=1MO;BYMONTHDAY=8"],
  ["FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYSETPOS=2"],
  ["FREQ=DAILY;INTERVAL=7;BYDAY=MO,TU,WE,SA,SU,FR"],
  ["FREQ=HOURLY;INTERVAL=2;BYHOUR=1"],
  ["FREQ=MINUTELY;INTERVAL=60;BYMINUTE=1"],
  ["FREQ=SECONDLY;INTERVAL=60;BYSECOND=1"],
  ["FREQ=SECONDLY;INTERVAL=999;BYHOUR=3;BYMINUTE=0;BYSECOND=0;BYMONTH=2;BYMONTHDAY=30"],
  ["FREQ=SECONDLY;BYSECOND=1;BYSETPOS=2"],
  ["FREQ=DAILY;UNTIL=19691231T000000Z"],
  ["DTSTART:20270101T000000\nRRULE:FREQ=DAILY;UNTIL=20261231"],
  ["DTSTART:20270101T000000\nRRULE:FREQ=DAILY;COUNT=1\nEXDATE;VALUE=DATE:20270101"],
  ["DTSTART:21990101T000000\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"],
])("%s never fires, and the search for it ends", (text) => {
  expect(parseRrule(text, { timeZone: "UTC", dst: skip, startAt: null })).toMatchObject({
    code: text.includes("1969") ? "rrule_invalid" : "cron_never_fires",
    message: expect.stringMatching(/\.$/),
  });
});

test.each([
  ["", "no rule"],
  ["DTSTART:20270101T000000", "no rule"],
  ["every day", "not understood"],
  ["RRULE:", "no part"],
  ["FREQ=FORTNIGHTLY", "FREQ is one of"],
  ["INTERVAL=2", "FREQ is one of"],
  ["FREQ=DAILY;FREQ=DAILY", "twice"],
  ["FREQ=DAILY;", "no part"],
  ["FREQ=DAILY;BYEASTER=1", "BYEASTER"],
  ["FREQ=DAILY;INTERVAL=0", "INTERVAL"],
  ["FREQ=DAILY;INTERVAL=10001", "INTERVAL"],
  ["FREQ=DAILY;INTERVAL=1.5", "INTERVAL"],
  ["FREQ=SECONDLY;INTERVAL=1001;BYHOUR=3", "at most 1000"],
  ["DTSTART:20270101T000000\nRRULE:FREQ=DAILY;COUNT=1001", "COUNT"],
  ["FREQ=DAILY;COUNT=3", "DTSTART, or startAt"],
  ["DTSTART:20270101T000000\nRRULE:FREQ=DAILY;COUNT=3;UNTIL=20270105", "not by both"],
  ["FREQ=DAILY;UNTIL=tomorrow", "no date"],
  ["FREQ=DAILY;UNTIL=20270230", "no such day"],
  ["FREQ=DAILY;BYHOUR=24", "BYHOUR"],
  ["FREQ=DAILY;BYSECOND=60", "BYSECOND"],
  ["FREQ=DAILY;BYHOUR=", "no part"],
  ["FREQ=DAILY;BYHOUR=1,,2", "BYHOUR"],
  ["FREQ=DAILY;BYDAY=XX", "BYDAY"],
  ["FREQ=DAILY;BYDAY=1MO", "needs FREQ=MONTHLY"],
  ["FREQ=MONTHLY;BYDAY=0MO", "BYDAY"],
  ["FREQ=YEARLY;BYWEEKNO=2;BYDAY=1MO", "BYWEEKNO"],
  ["FREQ=MONTHLY;BYWEEKNO=2", "BYWEEKNO needs"],
  ["FREQ=MONTHLY;BYYEARDAY=2", "BYYEARDAY does not go"],
  ["FREQ=WEEKLY;BYMONTHDAY=2", "BYMONTHDAY does not go"],
  ["FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"],
  ["FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS chooses"],
  ["FREQ=WEEKLY;WKST=1", "WKST"],
  ["FREQ=DAILY\nFREQ=WEEKLY", "more than one RRULE"],
  ["DTSTART:20270101T000000\nDTSTART:20270101T000000\nRRULE:FREQ=DAILY", "more than one DTSTART"],
  ["EXRULE:FREQ=WEEKLY\nRRULE:FREQ=DAILY", "EXRULE"],
  ["RDATE;VALUE=PERIOD:20270101T000000Z/PT1H\nRRULE:FREQ=DAILY", "VALUE=PERIOD"],
  ["EXDATE:soon\nRRULE:FREQ=DAILY", "EXDATE"],
  ["DTSTART:19691231T000000\nRRULE:FREQ=DAILY", "1970"],
  ["DTSTART;TZID=Europe/Paris:20270101T000000\nRRULE:FREQ=DAILY", "timeZone"],
  ["DTSTART;TZID=Mars/Base:20270101T000000\nRRULE:FREQ=DAILY", "timeZone"],
  [`FREQ=DAILY;BYHOUR=${"1,".repeat(1_100)}1`, "2048"],
])("%j is refused, naming what is wrong: %s", (text, words) => {
  expect(parseRrule(text, { timeZone: "UTC", dst: skip, startAt: null })).toEqual({
    code: "rrule_invalid",
    message: expect.stringContaining(words),
  });
});

test.each([
  ["FREQ=DAILY", "Every day at 00:00"],
  [
    "DTSTART:20270101T093000\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;COUNT=10",
    "Every 2 weeks on Monday and Friday at 09:30, 10 times",
  ],
  ["FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17", "Every month on the last Friday of the month at 17:00"],
  ["FREQ=MONTHLY;BYMONTHDAY=1,-1", "Every month on the last day and 1st day of the month at 00:00"],
  ["FREQ=YEARLY;BYDAY=20MO", "Every year on the 20th Monday of the year at 00:00"],
  ["FREQ=YEARLY", "Every year on the 1st day of the month in January at 00:00"],
  [
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
    "Every month on Monday, Tuesday, Wednesday, Thursday and Friday at 00:00, only the 2nd to last of these each month",
  ],
  ["FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10", "Every 20 minutes at hours 9 and 10"],
  ["FREQ=HOURLY", "Every hour at minute 0"],
  ["FREQ=DAILY;UNTIL=20271224T000000Z", "Every day at 00:00, until 2027-12-24 00:00 UTC"],
  [
    "FREQ=DAILY;UNTIL=20271224\nEXDATE:20270101T000000\nRDATE:20280101T000000,20280102T000000",
    "Every day at 00:00, until 2027-12-24, and on 2 more dates, but for 1 date",
  ],
])("%j reads: %s", (text, words) => {
  expect(describeRrule(rrule(text))).toBe(words);
});
