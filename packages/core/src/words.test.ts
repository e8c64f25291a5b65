import { expect, test } from "vitest";
import { defaultDst, type ScheduleRule } from "./schedule.ts";
import { describeCron, describeInterval, describeRule } from "./words.ts";

test.each([
  ["0 2 * * *", "At 02:00"],
  ["*/5 * * * *", "Every 5 minutes"],
  ["*/10 * * * * *", "Every 10 seconds"],
  ["@hourly", "Every hour"],
  ["@daily", "At 00:00"],
  ["0 9 * * 1-5", "At 09:00, Monday through Friday"],
  ["0 9 * * MON", "At 09:00, on Monday"],
  ["0 12 13 * 5", "At 12:00, on day 13 of the month or on Friday"],
  ["0 12 1,15 * MON-FRI", "At 12:00, on day 1 and 15 of the month or Monday through Friday"],
  ["0 0 1 1-6 3", "At 00:00, on day 1 of the month or on Wednesday, January through June"],
  ["0 12 1 * +MON", "At 12:00, on day 1 of the month, only on Monday"],
  ["0 0 */2 * MON", "At 00:00, every 2 days in a month, only on Monday"],
  ["0 0 L * *", "At 00:00, on the last day of the month"],
  ["0 0 15W * ?", "At 00:00, on the weekday nearest day 15 of the month"],
  ["0 0 * * FRI#L", "At 00:00, on the last Friday of the month"],
  ["0 0 L * 5#2", "At 00:00, on the last day of the month or on the second Friday of the month"],
  ["0 0 0 1 1 * 2027", "At 00:00, on day 1 of the month, only in January, only in 2027"],
  ["15 30 4 * * *", "At 04:30:15"],
  ["0 0 30 2 *", "At 00:00, on day 30 of the month, only in February"],
])("%s reads: %s", (expression, words) => {
  expect(describeCron(expression, "ocps")).toBe(words);
});

test("what is no expression has no words", () => {
  expect(describeCron("every tuesday", "ocps")).toBeNull();
  expect(describeCron("@reboot", "vixie")).toBeNull();
});

test.each([
  [1_000, "Every second"],
  [300_000, "Every 5 minutes"],
  [3_600_000, "Every hour"],
  [86_400_000, "Every day"],
  [90_000, "Every 1 minute and 30 seconds"],
  [90_061_001, "Every 1 day, 1 hour, 1 minute, 1 second and 1 millisecond"],
])("%i ms reads: %s", (everyMs, words) => {
  expect(describeInterval(everyMs)).toBe(words);
});

const rule: ScheduleRule = {
  cron: null,
  every: null,
  timeZone: "UTC",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};

test("an RRULE that never fires has words too", () => {
  const rule = { cron: null, every: null, rrule: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=9", timeZone: "UTC" };
  const rest = { dialect: "ocps" as const, dst: defaultDst, jitter: null, startAt: null, endAt: null, maxFires: null };
  expect(describeRule({ ...rule, ...rest })).toBe("Every day on the 30th day of the month in February at 09:00");
});

test("several rules are said one after the other", () => {
  const rules = [{ cron: "0 2 * * *" }, { every: "5m" }, { rrule: "FREQ=WEEKLY;BYDAY=MO;BYHOUR=9" }];
  expect(describeRule({ ...rule, rules })).toBe("At 02:00; and every 5 minutes; and every week on Monday at 09:00");
  expect(describeRule({ ...rule, rrule: "FREQ=DAILY" })).toBe("Every day at 00:00");
  expect(describeRule({ ...rule, rrule: "FREQ=DAILY", startAt: "2027-01-01T09:30:00Z" })).toBe("Every day at 09:30");
});
