import fc from "fast-check";
import { expect, test } from "vitest";
import { parseCron } from "./cron.ts";
import { type CronDialect, cronDialects } from "./cron-fields.ts";
import { nextFire } from "./wall-rule.ts";
import { describeCron } from "./words.ts";

const dst = { gap: "next", overlap: "first" } as const;

/** The next fires in UTC after the beginning of a Thursday, 1 January 2026, to the minute; null: refused. */
function fires(expression: string, dialect: CronDialect, count = 4): string[] | null {
  const cron = parseCron(expression, { dialect });
  if ("code" in cron) return null;
  const found: string[] = [];
  let at = Date.UTC(2026, 0, 1) - 1;
  while (found.length < count) {
    const next = nextFire(cron, "UTC", dst, at);
    if (next === null) break;
    found.push(new Date(next).toISOString().slice(5, 16));
    at = next;
  }
  return found;
}

test.each([
  ["0 0 12 * * ?", ["01-01T12:00", "01-02T12:00", "01-03T12:00", "01-04T12:00"]],
  ["0 15 10 ? * 6L", ["01-30T10:15", "02-27T10:15", "03-27T10:15", "04-24T10:15"]],
  ["0 15 10 ? * FRIL", ["01-30T10:15", "02-27T10:15", "03-27T10:15", "04-24T10:15"]],
  ["0 15 10 ? * 6#3", ["01-16T10:15", "02-20T10:15", "03-20T10:15", "04-17T10:15"]],
  ["0 0 9 ? * 2-6", ["01-01T09:00", "01-02T09:00", "01-05T09:00", "01-06T09:00"]],
  ["0 0 9 ? * 1", ["01-04T09:00", "01-11T09:00", "01-18T09:00", "01-25T09:00"]],
  ["0 0 9 ? * SAT-MON", ["01-03T09:00", "01-04T09:00", "01-05T09:00", "01-10T09:00"]],
  ["0 0 9 ? * L", ["01-03T09:00", "01-10T09:00", "01-17T09:00", "01-24T09:00"]],
  ["0 0 9 ? * 2/2", ["01-02T09:00", "01-05T09:00", "01-07T09:00", "01-09T09:00"]],
  ["0 0 9 L * ?", ["01-31T09:00", "02-28T09:00", "03-31T09:00", "04-30T09:00"]],
  ["0 0 9 LW * ?", ["01-30T09:00", "02-27T09:00", "03-31T09:00", "04-30T09:00"]],
  ["0 0 9 15W * ?", ["01-15T09:00", "02-16T09:00", "03-16T09:00", "04-15T09:00"]],
  ["0 5/20 14 * * ?", ["01-01T14:05", "01-01T14:25", "01-01T14:45", "01-02T14:05"]],
  ["0 0 22-2/2 * * ? 2026", ["01-01T00:00", "01-01T02:00", "01-01T22:00", "01-02T00:00"]],
  ["0 0 0 1 1 ? 2025", []],
  ["0 12 * * ?", null],
  ["0 0 12 * * *", null],
  ["0 0 12 ? * ?", null],
  ["0 0 12 1 * 2", null],
  ["0 0 9 ? * 0", null],
  ["0 0 9 ? * 8", null],
  ["0 0 9 ? * 6#L", null],
  ["0 0 9 1 * +2", null],
  ["@daily", null],
  ["0 H 9 * * ?", null],
] as [string, string[] | null][])("quartz reads %s", (expression, expected) => {
  expect(fires(expression, "quartz")).toEqual(expected);
});

test.each([
  ["0 10 * * ? *", ["01-01T10:00", "01-02T10:00", "01-03T10:00", "01-04T10:00"]],
  ["15 12 * * ? *", ["01-01T12:15", "01-02T12:15", "01-03T12:15", "01-04T12:15"]],
  ["0 18 ? * MON-FRI *", ["01-01T18:00", "01-02T18:00", "01-05T18:00", "01-06T18:00"]],
  ["0 18 ? * 2-6 *", ["01-01T18:00", "01-02T18:00", "01-05T18:00", "01-06T18:00"]],
  ["0 8 1 * ? *", ["01-01T08:00", "02-01T08:00", "03-01T08:00", "04-01T08:00"]],
  ["0/10 9 ? * MON 2026", ["01-05T09:00", "01-05T09:10", "01-05T09:20", "01-05T09:30"]],
  ["15 10 ? * 6L 2026-2027", ["01-30T10:15", "02-27T10:15", "03-27T10:15", "04-24T10:15"]],
  ["0 9 ? * 2#1 *", ["01-05T09:00", "02-02T09:00", "03-02T09:00", "04-06T09:00"]],
  ["0 9 3W * ? *", ["01-02T09:00", "02-03T09:00", "03-03T09:00", "04-03T09:00"]],
  ["0 10 * * *", null],
  ["0 10 * * * *", null],
  ["0 10 ? * ? *", null],
  ["0 0 10 * * ? *", null],
  ["0 9 ? * FRI-MON *", null],
  ["0 22-2 * * ? *", null],
] as [string, string[] | null][])("aws reads %s", (expression, expected) => {
  expect(fires(expression, "aws")).toEqual(expected);
});

test.each([
  ["ocps", "0 0 13 * 5", ["01-02T00:00", "01-09T00:00", "01-13T00:00", "01-16T00:00"]],
  ["vixie", "0 0 13 * 5", ["01-02T00:00", "01-09T00:00", "01-13T00:00", "01-16T00:00"]],
  ["ocps", "0 0 13 * +5", ["02-13T00:00", "03-13T00:00", "11-13T00:00", "08-13T00:00"]],
  ["vixie", "0 0 13 * +5", null],
  ["quartz", "0 0 0 13 * 6", null],
  ["aws", "0 0 13 * 6 *", null],
] as [CronDialect, string, string[] | null][])("both days restricted, in %s: %s", (dialect, expression, expected) => {
  expect(fires(expression, dialect)).toEqual(expected);
});

test("a range that runs backwards wraps in ocps and quartz, and is refused in vixie and aws", () => {
  expect(fires("0 22-1 * * *", "ocps")).toEqual(["01-01T00:00", "01-01T01:00", "01-01T22:00", "01-01T23:00"]);
  expect(fires("0 0 22-1 * * ?", "quartz")).toEqual(fires("0 22-1 * * *", "ocps"));
  expect(parseCron("0 22-1 * * *", { dialect: "vixie" })).toMatchObject({
    message: expect.stringMatching(/backwards/),
  });
  expect(parseCron("0 22-1 * * ? *", { dialect: "aws" })).toMatchObject({
    message: expect.stringMatching(/backwards/),
  });
});

test.each([
  ["quartz", "0 0 9 ? * 2-6", "At 09:00, Monday through Friday"],
  ["quartz", "0 15 10 ? * 6#3", "At 10:15, on the third Friday of the month"],
  ["quartz", "0 15 10 ? * 6L", "At 10:15, on the last Friday of the month"],
  ["quartz", "0 0 9 ? * L", "At 09:00, on Saturday"],
  ["aws", "0 18 ? * 1 *", "At 18:00, on Sunday"],
  ["ocps", "0 0 * * FRI-MON", "At 00:00, Friday through Monday"],
] as [CronDialect, string, string][])("in %s, %s reads: %s", (dialect, expression, words) => {
  expect(describeCron(expression, dialect)).toBe(words);
});

test("H is a place that the name decides: the same each time, within its range, and spread over all of it", () => {
  const names = Array.from({ length: 2_000 }, (_, index) => `schedule-${index}`);
  const place = (expression: string, hashKey: string) => {
    const cron = parseCron(expression, { dialect: "ocps", hashKey });
    if ("code" in cron) throw new Error(cron.message);
    return cron.fields;
  };
  const minutes = names.map((name) => place("H 2 * * *", name).minutes[0]!);
  expect(minutes).toEqual(names.map((name) => place("H 2 * * *", name).minutes[0]!));
  expect(new Set(minutes).size).toBe(60);
  const most = Math.max(...Array.from({ length: 60 }, (_, at) => minutes.filter((minute) => minute === at).length));
  expect(most).toBeLessThan(70);
  const within = names.map((name) => place("H(10-19) 2 * * *", name).minutes[0]!);
  expect([Math.min(...within), Math.max(...within), new Set(within).size]).toEqual([10, 19, 10]);
  const days = names.map((name) => place("0 0 H * *", name).daysOfMonth.days);
  expect([Math.min(...days), Math.max(...days)]).toEqual([1, 1 << 27]);
  for (const name of names.slice(0, 50)) {
    const quarters = place("H/15 * * * *", name).minutes;
    expect(quarters.map((minute) => minute - quarters[0]!)).toEqual([0, 15, 30, 45]);
    expect(quarters[0]).toBeLessThan(15);
    expect(place("H(0-29)/10 * * * *", name).minutes).toHaveLength(3);
  }
  expect(names.some((name) => place("H H * * *", name).hours[0] !== place("H H * * *", name).minutes[0]! % 24)).toBe(
    true,
  );
});

test("H keeps its places from release to release", () => {
  const text = (hashKey: string, expression = "H H(1-5) H * H") => {
    const cron = parseCron(expression, { dialect: "ocps", hashKey });
    return "code" in cron ? cron.message : cron.fields.text;
  };
  expect(["nightly", "hourly", ""].map((name) => text(name))).toMatchInlineSnapshot(`
    [
      "45 2 24 * 2",
      "31 2 13 * 0",
      "21 4 7 * 2",
    ]
  `);
});

test("H may stand in a list, with steps, and its words say where it went", () => {
  expect(describeCron("H 2 * * *", "ocps", "nightly")).toMatch(/^At 02:[0-5]\d \(H: spread by name\)$/);
  expect(describeCron("H/15 * * * *", "ocps", "nightly")).toMatch(/\(H: spread by name\)$/);
  expect(describeCron("H,H(0-5) 2 * * *", "ocps", "nightly")).not.toBeNull();
});

test.each([
  ["H(5-1) * * * *", "ocps"],
  ["H(0-60) * * * *", "ocps"],
  ["H/0 * * * *", "ocps"],
  ["H-5 * * * *", "ocps"],
  ["HH * * * *", "ocps"],
  ["H() * * * *", "ocps"],
  ["0 0 0 * * * H", "ocps"],
  ["H * * * *", "vixie"],
  ["H * * * ? *", "aws"],
] as [string, CronDialect][])("%s is refused in %s", (expression, dialect) => {
  expect(parseCron(expression, { dialect })).toMatchObject({
    code: "cron_invalid",
    message: expect.stringMatching(/\.$/),
  });
});

test("no text in any dialect breaks the parser, the search or the words, and each search ends after few looks", () => {
  const piece = fc.constantFrom(
    ..."0 1 2 5 7 9 22-2 31 * ? L W LW L-3 15W # / , - + H H(2-9) H/7 */5 5/15 MON FRI-MON 6L 2#1 FEB 2027 @daily".split(
      " ",
    ),
    " ",
  );
  const text = fc.oneof(
    fc.array(piece, { minLength: 5, maxLength: 7 }).map((parts) => parts.join(" ")),
    fc.array(piece, { maxLength: 30 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(text, fc.constantFrom(...cronDialects), fc.string({ maxLength: 5 }), (expression, dialect, hashKey) => {
      const cron = parseCron(expression, { dialect, hashKey });
      if ("code" in cron) {
        expect(cron.message).toMatch(/\.$/);
        return;
      }
      expect(describeCron(expression, dialect, hashKey)).toMatch(/\S/);
      let looks = 0;
      const counted = {
        rhythm: cron.rhythm,
        nextWall(wall: number) {
          looks++;
          return cron.nextWall(wall);
        },
      };
      const next = nextFire(counted, "Europe/Paris", { gap: "skip", overlap: "both" }, 1_800_000_000_000);
      expect(next === null || next > 1_800_000_000_000).toBe(true);
      expect(looks).toBeLessThan(100);
    }),
    { numRuns: 5_000 },
  );
});
