import { expect, test } from "vitest";
import { validateRule } from "./rule.ts";
import { defaultDst, type ScheduleRule } from "./schedule.ts";

const daily: ScheduleRule = {
  cron: "0 2 * * *",
  every: null,
  timeZone: "Europe/Paris",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
};
const interval = (every: string) => ({ cron: null, every });
const NOW = Date.UTC(2026, 10, 21);

test.each([
  {},
  { cron: "0 0 29 2 *" },
  { cron: "@hourly", dialect: "vixie" },
  interval("1s"),
  interval("366d"),
  interval("PT5M"),
  { jitter: "0s" },
  { jitter: "24h" },
  { timeZone: "UTC" },
  { timeZone: "Etc/GMT+3" },
  { startAt: "2027-01-01T00:00:00Z", endAt: "2027-02-01T09:00[Europe/Paris]" },
  { maxFires: 1 },
  { dst: { gap: "shift", overlap: "both" } },
  { cron: null, rrule: "FREQ=WEEKLY;BYDAY=MO" },
  { cron: null, rrule: "DTSTART;TZID=Europe/Paris:20270101T090000\nRRULE:FREQ=DAILY;COUNT=3" },
  { cron: null, rrule: "FREQ=DAILY;COUNT=3", startAt: "2027-01-01T00:00:00Z" },
  { cron: null, rules: [{ cron: "0 2 * * *" }, { every: "5m" }, { rrule: "FREQ=DAILY" }] },
  { cron: null, rules: [{ cron: "0 0 0 1 1 * 2020" }, { every: "5m" }] },
  { cron: null, rules: Array.from({ length: 20 }, (_, n) => ({ cron: `${n} * * * *` })) },
  { cron: "0 0 2 * * ?", dialect: "quartz" },
  { cron: "0 2 * * ? *", dialect: "aws" },
  { cron: "H 22-2 * * FRI-MON" },
] as Partial<ScheduleRule>[])("%j is a rule", (changes) => {
  expect(validateRule({ ...daily, ...changes }, NOW)).toEqual([]);
});

test.each([
  [{ cron: null }, "/cron", "required"],
  [{ every: "5m" }, "/every", "exclusive"],
  [{ cron: "0 25 * * *" }, "/cron", "cron_invalid"],
  [{ cron: "0 2 * * 5#2", dialect: "vixie" }, "/cron", "cron_invalid"],
  [{ cron: "0 0 30 2 *" }, "/cron", "cron_never_fires"],
  [{ cron: "0 0 0 1 1 * 2020" }, "/cron", "cron_never_fires"],
  [{ cron: "@reboot" }, "/cron", "cron_reboot"],
  [interval("999ms"), "/every", "every_out_of_range"],
  [interval("0s"), "/every", "every_out_of_range"],
  [interval("367d"), "/every", "every_out_of_range"],
  [interval("5 minutes"), "/every", "invalid_duration"],
  [{ timeZone: "Europe/Atlantis" }, "/timeZone", "unknown_time_zone"],
  [{ timeZone: "+01:00" }, "/timeZone", "unknown_time_zone"],
  [{ timeZone: "" }, "/timeZone", "unknown_time_zone"],
  [{ jitter: "25h" }, "/jitter", "jitter_out_of_range"],
  [{ jitter: "soon" }, "/jitter", "invalid_duration"],
  [{ startAt: "tomorrow" }, "/startAt", "invalid_instant"],
  [{ endAt: "2027-02-30T00:00:00Z" }, "/endAt", "invalid_instant"],
  [{ startAt: "2027-01-01T00:00:00Z", endAt: "2027-01-01T00:00:00Z" }, "/endAt", "ends_before_start"],
  [{ startAt: "2027-01-01T03:00:00Z", endAt: "2027-01-01T04:00:00Z" }, "/endAt", "cron_never_fires"],
  [{ endAt: "2026-01-01T00:00:00Z" }, "/endAt", "cron_never_fires"],
  [{ maxFires: 0 }, "/maxFires", "out_of_range"],
  [{ maxFires: 1.5 }, "/maxFires", "out_of_range"],
  [{ rrule: "FREQ=DAILY" }, "/rrule", "exclusive"],
  [{ rules: [{ every: "5m" }] }, "/rules", "exclusive"],
  [{ cron: null, rules: [] }, "/rules", "too_few"],
  [{ cron: null, rules: Array.from({ length: 21 }, () => ({ every: "5m" })) }, "/rules", "too_many"],
  [{ cron: null, rules: [{ every: "5m" }, {}] }, "/rules/1/cron", "required"],
  [{ cron: null, rules: [{ every: "5m" }, { cron: "0 2 * * *", every: "1h" }] }, "/rules/1/every", "exclusive"],
  [{ cron: null, rules: [{ every: "5m" }, { cron: "61 * * * *" }] }, "/rules/1/cron", "cron_invalid"],
  [{ cron: null, rules: [{ cron: "0 0 30 2 *" }, { every: "5m" }] }, "/rules/0/cron", "cron_never_fires"],
  [{ cron: null, rules: [{ every: "5m" }, { every: "1ms" }] }, "/rules/1/every", "every_out_of_range"],
  [{ cron: null, rules: [{ every: "5m" }, { rrule: "FREQ=NEVER" }] }, "/rules/1/rrule", "rrule_invalid"],
  [{ cron: null, rules: [{ cron: "0 0 0 1 1 * 2020" }] }, "/rules", "cron_never_fires"],
  [{ cron: null, rrule: "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30" }, "/rrule", "cron_never_fires"],
  [{ cron: null, rrule: "FREQ=DAILY;UNTIL=20260101T000000Z" }, "/rrule", "cron_never_fires"],
  [{ cron: null, rrule: "FREQ=DAILY;COUNT=3" }, "/rrule", "rrule_invalid"],
  [{ cron: null, rrule: "DTSTART;TZID=Asia/Tokyo:20270101T090000\nRRULE:FREQ=DAILY" }, "/rrule", "rrule_invalid"],
  [{ dialect: "jenkins" }, "/dialect", "invalid_choice"],
  [{ dialect: "quartz" }, "/cron", "cron_invalid"],
  [{ dst: { gap: "crash", overlap: "first" } }, "/dst/gap", "invalid_choice"],
  [{ dst: { gap: "next", overlap: "third" } }, "/dst/overlap", "invalid_choice"],
] as [Partial<ScheduleRule>, string, string][])("%j is refused at %s with %s", (changes, pointer, code) => {
  expect(validateRule({ ...daily, ...changes }, NOW)).toEqual([
    { pointer, code, message: expect.stringMatching(/[.]$/) },
  ]);
});

test("everything wrong is said at once", () => {
  const errors = validateRule({ ...daily, cron: "*", timeZone: "x", jitter: "2d", startAt: "x", maxFires: -1 });
  expect(errors.map(({ pointer }) => pointer)).toEqual(["/cron", "/timeZone", "/jitter", "/startAt", "/maxFires"]);
});

test("an RRULE in a zone that there is not is refused for the zone alone", () => {
  const errors = validateRule({ ...daily, cron: null, rrule: "FREQ=DAILY", timeZone: "Mars/Base" }, NOW);
  expect(errors.map(({ pointer }) => pointer)).toEqual(["/timeZone"]);
});

test("without an instant, a rule that has ended is still a rule", () => {
  expect(validateRule({ ...daily, endAt: "2026-01-01T00:00:00Z" })).toEqual([]);
});
