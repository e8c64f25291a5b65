import { expect, test } from "vitest";
import { emptyRow, readPreview, readRule, ruleFieldsOf, rulePointers } from "./schedule-rule.ts";

const task = { type: "report" };
const base = { timeZone: "Europe/Paris", dialect: "ocps", task };

test.each([
  { cron: "0 2 * * *" },
  { every: "5m" },
  { rrule: "DTSTART:20260101T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO" },
  { rules: [{ cron: "0 2 * * *" }, { every: "1h" }, { rrule: "FREQ=DAILY" }], excludes: ["nights", "holidays"] },
  { rules: [{ cron: "0 2 * * *" }, { at: "2026-12-24T18:00" }] },
  { cron: "0 9 1 * *", includes: ["office"], roll: "previous" },
  { every: { interval: "5m", after: "end" as const } },
  { cron: "0 0 2 * * ?", dialect: "quartz" },
  { rules: [{ every: "1h" }, { cron: "0 2 * * *" }] },
])("a rule that nobody touches is saved as it was: %j", (rule) => {
  const definition = { ...base, ...rule };
  expect(readRule(ruleFieldsOf(definition), definition)).toEqual({
    timeZone: "Europe/Paris",
    dialect: "ocps",
    ...rule,
  });
});

test("a second rule makes a list of them; while one is empty there is nothing to save or preview", () => {
  const fields = ruleFieldsOf({ ...base, cron: "0 2 * * *" });
  const two = { ...fields, rows: [...fields.rows, emptyRow] };
  expect(readRule(two, null)).toBeNull();
  expect(readPreview(null, two, "a")).toBeNull();
  const filled = { ...two, rows: [fields.rows[0]!, { ...emptyRow, kind: "rrule" as const, rrule: "FREQ=DAILY " }] };
  expect(readRule(filled, null)).toEqual({
    timeZone: "Europe/Paris",
    rules: [{ cron: "0 2 * * *" }, { rrule: "FREQ=DAILY" }],
  });
  expect(rulePointers(filled, null)).toContain("/rules/1/rrule");
});

test("the preview of an edited schedule counts all that decides when it fires, also what no form shows", () => {
  const fires = { dst: { gap: "skip" }, jitter: "30s", startAt: "2026-12-01T00:00:00.000Z", maxFires: 5 };
  const definition = { ...base, ...fires, cron: "0 2 * * *", excludes: ["nights"], catchUp: { limit: 3 } };
  expect(readPreview(definition, ruleFieldsOf(definition), "a")).toEqual({
    ...fires,
    cron: "0 2 * * *",
    timeZone: "Europe/Paris",
    dialect: "ocps",
    excludes: ["nights"],
  });
});

test("the preview of H is that of the schedule's name, once it can be one", () => {
  const fields = ruleFieldsOf({ ...base, cron: "H 2 * * *" });
  expect(readPreview(null, fields, "nightly")).toMatchObject({ name: "nightly" });
  expect(readPreview(null, fields, "not a name")).not.toHaveProperty("name");
  expect(readPreview(null, ruleFieldsOf({ ...base, cron: "0 2 * * *" }), "nightly")).not.toHaveProperty("name");
});
