import { describe, expect, test } from "vitest";
import { formatLocal, parseInstant } from "./instant.ts";
import { previewSchedule } from "./preview.ts";
import { validateRule } from "./rule.ts";
import { defaultDst, firesBetween, nextFireAt, type ScheduleRule } from "./schedule.ts";
import { describeRule } from "./words.ts";

const at = (text: string) => parseInstant(text)!;

const once = (times: string[], changes: Partial<ScheduleRule> = {}): ScheduleRule => ({
  cron: null,
  every: null,
  rules: times.map((time) => ({ at: time })),
  timeZone: "Europe/Paris",
  dialect: "ocps",
  dst: defaultDst,
  jitter: null,
  startAt: null,
  endAt: null,
  maxFires: null,
  ...changes,
});
const all = (rule: ScheduleRule) =>
  firesBetween(rule, 0, Number.POSITIVE_INFINITY, 100).map((fire) => formatLocal(fire, "Europe/Paris").slice(0, 22));

test("a one-time rule fires once, at its time on the clock of the schedule's zone", () => {
  const rule = once(["2026-12-24T18:00"]);
  expect(nextFireAt(rule, 0)).toBe(at("2026-12-24T17:00:00Z"));
  expect(nextFireAt(rule, at("2026-12-24T17:00:00Z"))).toBeNull();
  expect(all({ ...rule, timeZone: "Asia/Tokyo" })).toEqual(["2026-12-24T10:00:00+01"]);
  expect(describeRule(rule)).toBe("Once on 2026-12-24 at 18:00");
});

test("several are united with each other and with other rules, those of one instant are one", () => {
  const rule = once(["2027-01-05T09:00:30", "2026-12-24T18:00", "2026-12-24T17:00:00Z"]);
  expect(all(rule)).toEqual(["2026-12-24T18:00:00+01", "2027-01-05T09:00:30+01"]);
  const also = { ...rule, rules: [...rule.rules!, { cron: "0 18 24 12 *" }], endAt: "2028-01-01T00:00:00Z" };
  expect(firesBetween(also, at("2026-01-01T00:00:00Z"), Number.POSITIVE_INFINITY, 9)).toHaveLength(3);
  expect(describeRule(once(["2026-12-24T18:00", "2026-12-24T17:00:00Z"]))).toBe(
    "Once on 2026-12-24 at 18:00; and once on 2026-12-24 at 17:00:00 (Z)",
  );
});

test("an instant with an offset or a zone of its own is that instant, whatever the schedule's zone", () => {
  for (const time of ["2026-12-24T18:00:00+09:00", "2026-12-24T18:00[Asia/Tokyo]", "2026-12-24T09:00:00.000Z"]) {
    expect(all(once([time]))).toEqual(["2026-12-24T10:00:00+01"]);
  }
});

describe("where the clock changes", () => {
  test.each<[ScheduleRule["dst"]["gap"], string[]]>([
    ["next", ["2027-03-28T03:00:00+02"]],
    ["shift", ["2027-03-28T03:30:00+02"]],
    ["skip", []],
  ])("a time that does not exist follows gap: %s", (gap, expected) => {
    const rule = once(["2027-03-28T02:30"], { dst: { gap, overlap: "first" } });
    expect(all(rule)).toEqual(expected);
    expect(validateRule(rule).map(({ pointer, code }) => `${pointer} ${code}`)).toEqual(
      gap === "skip" ? ["/rules/0/at cron_never_fires"] : [],
    );
    expect(previewSchedule(rule, at("2027-01-01T00:00:00Z"), 1).warnings.map(({ code }) => code)).toContain("dst_gap");
  });

  test.each<[ScheduleRule["dst"]["overlap"], string[]]>([
    ["first", ["2027-10-31T02:30:00+02"]],
    ["second", ["2027-10-31T02:30:00+01"]],
    ["both", ["2027-10-31T02:30:00+02", "2027-10-31T02:30:00+01"]],
  ])("a time that comes twice follows overlap: %s", (overlap, expected) => {
    expect(all(once(["2027-10-31T02:30"], { dst: { gap: "next", overlap } }))).toEqual(expected);
  });
});

test.each(["tomorrow", "2026-02-30T10:00", "2026-12-24", "2026-12-24T25:00", "1969-12-31T10:00", "2200-01-01T00:00"])(
  "%s is no time",
  (time) => {
    expect(validateRule(once(["2027-01-05T09:00", time]))).toMatchObject([
      { pointer: "/rules/1/at", code: "invalid_instant" },
    ]);
  },
);

test("one that is past never fires again, and is refused where it is all there is", () => {
  expect(validateRule(once(["2026-12-24T18:00"]), at("2027-01-01T00:00:00Z"))).toMatchObject([
    { pointer: "/rules", code: "cron_never_fires" },
  ]);
  expect(validateRule(once(["2026-12-24T18:00", "2027-12-24T18:00"]), at("2027-01-01T00:00:00Z"))).toEqual([]);
});
