/** Random recurrence rules: against the plainest reading of what they say, and to see that none breaks or hangs anything. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRrule } from "./rrule.ts";
import { frequencies } from "./rrule-fields.ts";
import { describeRrule } from "./rrule-words.ts";
import { nextFire } from "./wall-rule.ts";

const dst = { gap: "skip", overlap: "first" } as const;
const DAY = 86_400_000;
const names = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

const some = (low: number, high: number) =>
  fc.uniqueArray(fc.integer({ min: low, max: high }), { minLength: 1, maxLength: 3 });
const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null, freq: 1 });

const plain = fc.record({
  frequency: fc.constantFrom(...frequencies.slice(0, 6)),
  interval: fc.integer({ min: 1, max: 5 }),
  months: maybe(some(1, 12)),
  monthDays: maybe(
    fc.uniqueArray(fc.constantFrom(1, 2, 13, 15, 28, 29, 31, -1, -2, -30), { minLength: 1, maxLength: 3 }),
  ),
  weekdays: maybe(some(0, 6)),
  hours: maybe(some(0, 23)),
  minutes: maybe(some(0, 59)),
  /** Minutes after the beginning of 2026. */
  start: fc.integer({ min: 0, max: 1_000_000 }),
});
type Plain = typeof plain extends fc.Arbitrary<infer Value> ? Value : never;

function textOf({ frequency, interval, months, monthDays, weekdays, hours, minutes, start }: Plain): string {
  const stamp = new Date(Date.UTC(2026, 0, 1) + start * 60_000).toISOString().replace(/[-:]|\.000Z/g, "");
  const part = (name: string, values: (number | string)[] | null) => (values ? `;${name}=${values.join(",")}` : "");
  return `DTSTART:${stamp}\nRRULE:FREQ=${frequency};INTERVAL=${interval}${part("BYMONTH", months)}${part("BYMONTHDAY", monthDays)}${part("BYDAY", weekdays?.map((day) => names[day]!) ?? null)}${part("BYHOUR", hours)}${part("BYMINUTE", minutes)}`;
}

/** Is this minute in every list, in a period that is one of every so many, and as the start where no list says more? */
function isInstance(rule: Plain, at: number): boolean {
  const start = Date.UTC(2026, 0, 1) + rule.start * 60_000;
  const [date, first] = [new Date(at), new Date(start)];
  const { frequency, interval, months, monthDays, weekdays } = rule;
  const week = (time: number) => Math.floor((time / DAY + 3) / 7);
  const periods: Record<string, number> = {
    YEARLY: date.getUTCFullYear() - first.getUTCFullYear(),
    MONTHLY: (date.getUTCFullYear() - first.getUTCFullYear()) * 12 + date.getUTCMonth() - first.getUTCMonth(),
    WEEKLY: week(at) - week(start),
    DAILY: Math.floor(at / DAY) - Math.floor(start / DAY),
    HOURLY: Math.floor(at / 3_600_000) - Math.floor(start / 3_600_000),
    MINUTELY: Math.floor(at / 60_000) - Math.floor(start / 60_000),
  };
  if (at < start || periods[frequency]! % interval !== 0) return false;
  const length = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  const within = (values: number[] | null, ...wanted: number[]) =>
    !values || wanted.some((value) => values.includes(value));
  const day = date.getUTCDate();
  if (!within(months, date.getUTCMonth() + 1) || !within(monthDays, day, day - length - 1)) return false;
  if (!within(weekdays, date.getUTCDay())) return false;
  const level = frequencies.indexOf(frequency);
  if (!monthDays && !weekdays) {
    if (level <= 1 && day !== first.getUTCDate()) return false;
    if (level === 0 && !months && date.getUTCMonth() !== first.getUTCMonth()) return false;
    if (level === 2 && date.getUTCDay() !== first.getUTCDay()) return false;
  }
  if (!within(rule.hours ?? (level <= 3 ? [first.getUTCHours()] : null), date.getUTCHours())) return false;
  return within(rule.minutes ?? (level <= 4 ? [first.getUTCMinutes()] : null), date.getUTCMinutes());
}

test("between two fires nothing matches, and every fire does", () => {
  let compared = 0;
  fc.assert(
    fc.property(plain, (rule) => {
      fc.pre(!(rule.frequency === "WEEKLY" && rule.monthDays));
      const parsed = parseRrule(textOf(rule), { timeZone: "UTC", dst, startAt: null });
      const start = Date.UTC(2026, 0, 1) + rule.start * 60_000;
      let next = "code" in parsed ? null : parsed.next(start - 1);
      // As far as a test has time for.
      for (let at = start, looked = 0; looked < 50_000; looked++) {
        const matches = isInstance(rule, at);
        if (matches !== (at === next)) throw new Error(`${textOf(rule)} at ${new Date(at).toISOString()}: ${matches}`);
        if (matches && "next" in parsed) {
          next = parsed.next(at);
          compared++;
        }
        at += 60_000;
      }
    }),
    { numRuns: 60 },
  );
  expect(compared).toBeGreaterThan(100);
});

const number = (low: number, high: number) => fc.integer({ min: low, max: high }).map(String);
const list = (values: fc.Arbitrary<string>) =>
  fc.array(values, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(","));
const stamp = fc.constantFrom("20270101", "20270328T023000", "19700101T000000Z", "21991231T235959", "20261025T003000Z");
const parts = fc.oneof(
  number(0, 10_001).map((value) => `INTERVAL=${value}`),
  number(0, 400).map((value) => `COUNT=${value}`),
  stamp.map((value) => `UNTIL=${value}`),
  list(number(0, 60)).map((value) => `BYSECOND=${value}`),
  list(number(0, 60)).map((value) => `BYMINUTE=${value}`),
  list(number(0, 24)).map((value) => `BYHOUR=${value}`),
  list(
    fc
      .tuple(fc.constantFrom("", "", "1", "-1", "5", "53", "0"), fc.constantFrom(...names))
      .map((pair) => pair.join("")),
  ).map((value) => `BYDAY=${value}`),
  list(number(-32, 32)).map((value) => `BYMONTHDAY=${value}`),
  list(number(-367, 367)).map((value) => `BYYEARDAY=${value}`),
  list(number(-54, 54)).map((value) => `BYWEEKNO=${value}`),
  list(number(1, 13)).map((value) => `BYMONTH=${value}`),
  list(number(-5, 5)).map((value) => `BYSETPOS=${value}`),
  fc.constantFrom(...names, "XX").map((value) => `WKST=${value}`),
);
const lines = fc.oneof(
  { weight: 3, arbitrary: fc.constant("DTSTART:20270101T090000") },
  stamp.map((value) => `DTSTART:${value}`),
  list(stamp).map((value) => `EXDATE:${value}`),
  list(stamp).map((value) => `RDATE:${value}`),
  fc.constant("RDATE;VALUE=PERIOD:x"),
);
const rules = fc
  .tuple(
    fc.constantFrom(...frequencies),
    fc.uniqueArray(parts, { maxLength: 5, selector: (part) => part.split("=")[0] }),
  )
  .map(([frequency, given]) => [`FREQ=${frequency}`, ...given].join(";"));
const texts = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(fc.array(lines, { maxLength: 3 }), rules).map(([more, rule]) => [...more, rule].join("\n")),
  },
  fc
    .array(
      fc.constantFrom(..."FREQ= DAILY ; : , \n BYDAY= MO -1 RRULE: DTSTART EXDATE ;TZID= 2027 T Z \u0000 é".split(" ")),
      { maxLength: 30 },
    )
    .map((pieces) => pieces.join("")),
  fc.string({ maxLength: 300 }),
);

test("no text breaks the parser, the search or the words, and each search ends after few looks", () => {
  let accepted = 0;
  fc.assert(
    fc.property(texts, fc.constantFrom("Europe/Paris", "Pacific/Apia", "UTC"), (text, timeZone) => {
      const parsed = parseRrule(text, { timeZone, dst, startAt: null });
      if ("code" in parsed) {
        expect(parsed.message).toMatch(/\.$/);
        return;
      }
      accepted++;
      expect(describeRrule(parsed)).toMatch(/^Every /);
      const after = Date.UTC(2027, 0, 1);
      let looks = 0;
      const { rhythm } = parsed.wallRule;
      const counted = {
        rhythm,
        nextWall(wall: number) {
          looks++;
          return parsed.wallRule.nextWall(wall);
        },
      };
      const fire = nextFire(counted, timeZone, dst, after);
      expect(fire === null || fire > after).toBe(true);
      expect(looks).toBeLessThan(2_000);
      for (let at: number | null = after, count = 0; at !== null && count < 3; count++) {
        const next = parsed.next(at);
        expect(next === null || next > at).toBe(true);
        at = next;
      }
    }),
    { numRuns: 5_000 },
  );
  expect(accepted).toBeGreaterThan(300);
});
