import { expect, test } from "vitest";
import { previewSchedule } from "./preview.ts";
import { defaultDst, type ScheduleRule } from "./schedule.ts";

const FROM = Date.UTC(2026, 10, 21, 1, 30);

function rule(changes: Partial<ScheduleRule>): ScheduleRule {
  return {
    cron: null,
    every: null,
    timeZone: "UTC",
    dialect: "ocps",
    dst: defaultDst,
    jitter: null,
    startAt: null,
    endAt: null,
    maxFires: null,
    ...changes,
  };
}

function warnings(changes: Partial<ScheduleRule>): string[] {
  return previewSchedule(rule(changes), FROM, 5).warnings.map(({ code }) => code);
}

test("shows words and fires with their local time; the first fire may be at the given instant", () => {
  const preview = previewSchedule(rule({ cron: "30 2 * * *", timeZone: "Europe/Paris" }), FROM, 2);
  expect(preview.words).toBe("At 02:30");
  expect(preview.fires).toEqual([
    {
      at: "2026-11-21T01:30:00.000Z",
      local: "2026-11-21T02:30:00+01:00[Europe/Paris]",
      offset: "+01:00",
      rolledFrom: null,
    },
    {
      at: "2026-11-22T01:30:00.000Z",
      local: "2026-11-22T02:30:00+01:00[Europe/Paris]",
      offset: "+01:00",
      rolledFrom: null,
    },
  ]);
});

test("shows the next two changes of the zone's clock, from the given instant on", () => {
  const changes = (timeZone: string, from = FROM) =>
    previewSchedule(rule({ cron: "5 4 * * *", timeZone }), from, 1).clockChanges;
  const spring = { at: "2027-03-28T01:00:00.000Z", offsetBefore: "+01:00", offsetAfter: "+02:00" };
  const autumn = { at: "2027-10-31T01:00:00.000Z", offsetBefore: "+02:00", offsetAfter: "+01:00" };
  expect(changes("Europe/Paris")).toEqual([spring, autumn]);
  expect(changes("Europe/Paris", Date.parse(spring.at))).toEqual([spring, autumn]);
  expect(changes("Europe/Paris", Date.parse(spring.at) + 1)[0]).toEqual(autumn);
  expect(changes("UTC")).toEqual([]);
  expect(changes("Asia/Tokyo")).toEqual([]);
});

test("shows as many fires as asked for, and no more than the rule has", () => {
  expect(previewSchedule(rule({ every: "1h" }), FROM, 1_000).fires).toHaveLength(1_000);
  expect(previewSchedule(rule({ every: "1h", maxFires: 3 }), FROM, 1_000).fires).toHaveLength(3);
  expect(previewSchedule(rule({ every: "1h", endAt: "2026-11-21T04:00:00Z" }), FROM, 1_000).fires).toHaveLength(2);
});

test.each([
  [{ cron: "5 4 * * *" }, []],
  [{ cron: "5 4 * * *", timeZone: "Europe/Paris" }, []],
  [{ cron: "30 2 * * *", timeZone: "Europe/Paris" }, ["dst_gap", "dst_overlap"]],
  [{ cron: "30 2 * 3 *", timeZone: "Europe/Paris" }, ["dst_gap"]],
  [{ cron: "30 1 * * *", timeZone: "America/New_York" }, ["dst_overlap"]],
  [{ cron: "30 23 * * 6", timeZone: "America/Nuuk" }, ["dst_gap", "dst_overlap"]],
  [{ cron: "30 * * * *", timeZone: "Europe/Paris" }, []],
  [{ cron: "30 2 * * *", timeZone: "Europe/Paris", endAt: "2027-01-01T00:00:00Z" }, []],
  [{ cron: "5 4 13 * 5" }, ["or_rule"]],
  [{ cron: "5 4 13 * +5" }, []],
  [{ cron: "5 4 */2 * 5" }, ["uneven_step"]],
  [{ cron: "*/35 4 * * *" }, ["uneven_step"]],
  [{ cron: "*/15 4 * * *" }, []],
  [{ cron: "5 */5 * * *" }, ["uneven_step"]],
  [{ cron: "0 0 30 2 *" }, ["never_fires"]],
  [{ cron: "0 0 0 1 1 * 2020" }, ["never_fires"]],
  [{ every: "1h", endAt: "2026-01-01T00:00:00Z" }, ["never_fires"]],
  [{ cron: "* * * * * *" }, ["frequent"]],
  [{ every: "30s" }, ["frequent"]],
  [{ cron: "* * * * *" }, []],
  [{ cron: "0 0 * * *" }, ["herd"]],
  [{ every: "1h" }, ["herd"]],
  [{ cron: "0 0 * * *", jitter: "5m" }, []],
  [{ rrule: "FREQ=DAILY;BYHOUR=2;BYMINUTE=30", timeZone: "Europe/Paris" }, ["dst_gap", "dst_overlap"]],
  [{ rrule: "FREQ=HOURLY;BYMINUTE=30", timeZone: "Europe/Paris" }, []],
  [{ rrule: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30" }, ["never_fires"]],
  [{ every: "7m", timeZone: "Etc/GMT+3" }, []],
  [{ rules: [{ cron: "5 9 * * *" }, { cron: "30 5 9 15 * *" }] }, ["frequent"]],
  [{ rules: [{ cron: "5 4 13 * 5" }, { cron: "6 4 13 * 5" }] }, ["or_rule"]],
  [{ rules: [{ every: "7m" }, { cron: "30 2 * 3 *" }], timeZone: "Europe/Paris" }, ["dst_gap"]],
  [{ rules: [{ every: "1m" }, { cron: "30 * * * * *" }] }, ["frequent"]],
  [{ cron: "H 4 * * *" }, []],
  [{ cron: "H/35 4 * * *" }, ["uneven_step"]],
  [{ cron: "0 0/35 4 * * ?", dialect: "quartz" }, ["uneven_step"]],
  [{ cron: "5 4 * * *", timeZone: "Etc/GMT+3" }, ["fixed_offset_zone"]],
  [{ cron: "5 4 * * *", timeZone: "EST" }, ["fixed_offset_zone"]],
] as [Partial<ScheduleRule>, string[]][])("%j warns of %j", (changes, codes) => {
  expect(warnings(changes)).toEqual(codes);
});

test.each([
  ["*/50 * * * * *", "minute"],
  ["*/7 * * * *", "hour"],
  ["1 */5 * * *", "day"],
  ["1 2 */3 * *", "month"],
  ["1 2 3 */5 *", "year"],
  ["1 2 * * */2", "week"],
])("the warning of %j is about the %s", (cron, whole) => {
  const { message } = previewSchedule(rule({ cron }), FROM, 1).warnings.find(({ code }) => code === "uneven_step")!;
  expect(message).toContain(`does not divide the ${whole} evenly`);
});

test.each([
  ["next", "On 2027-03-28 there is no 02:30 in Europe/Paris: the clock goes forward. It fires at 03:00 instead."],
  ["skip", "On 2027-03-28 there is no 02:30 in Europe/Paris: the clock goes forward. It does not fire then."],
  ["shift", "On 2027-03-28 there is no 02:30 in Europe/Paris: the clock goes forward. It fires at 03:30 instead."],
] as const)("the warning of a gap says what %s does", (gap, message) => {
  const given = rule({ cron: "30 2 * * *", timeZone: "Europe/Paris", dst: { gap, overlap: "first" } });
  expect(previewSchedule(given, FROM, 1).warnings[0]).toEqual({ code: "dst_gap", message });
});

test.each([
  ["first", "once, the first time"],
  ["second", "once, the second time"],
  ["both", "both times"],
] as const)("the warning of an overlap says what %s does", (overlap, words) => {
  const given = rule({ cron: "30 2 * * *", timeZone: "Europe/Paris", dst: { gap: "next", overlap } });
  expect(previewSchedule(given, FROM, 1).warnings[1]).toEqual({
    code: "dst_overlap",
    message: `On 2027-10-31 the clock in Europe/Paris shows 02:30 twice: it goes back. It fires ${words}.`,
  });
});
