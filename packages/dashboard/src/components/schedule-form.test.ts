import { expect, test } from "vitest";
import { readDefinition } from "./schedule-form.tsx";
import { emptyRow } from "./schedule-rule.ts";
import { templateOf } from "./task-template-fields.tsx";

const every5m = { ...emptyRow, kind: "every" as const, cron: "0 2 * * *" };
const rule = {
  rows: [every5m],
  zone: "Europe/Paris",
  dialect: "ocps",
  excludes: [],
  includes: [],
  roll: "none" as const,
};
const template = { type: "report", payload: '{"a":1}', queue: "", priority: "3", tags: "x, y," };

test("saving keeps what the form does not show and drops what was emptied", () => {
  const base = {
    cron: "0 2 * * *",
    timeZone: "UTC",
    jitter: "30s",
    task: { type: "old", payload: { b: 2 }, queue: "slow", priority: 9, retry: { maxAttempts: 2 } },
  };
  expect(readDefinition(base, rule, template)).toEqual({
    every: "5m",
    timeZone: "Europe/Paris",
    jitter: "30s",
    task: { type: "report", payload: { a: 1 }, priority: 3, tags: ["x", "y"], retry: { maxAttempts: 2 } },
  });
});

test("a field that nobody touched keeps its value, also one that its text cannot show exactly", () => {
  const task = { type: "report", payload: { b: 2 }, tags: ["Smith, J.", "x"] };
  expect(readDefinition({ task }, rule, { ...templateOf(task), queue: "slow" }).task).toEqual({
    ...task,
    queue: "slow",
  });
});

test("a new schedule holds only what was given", () => {
  expect(readDefinition(null, rule, { ...template, payload: "", priority: "", tags: "" })).toEqual({
    every: "5m",
    timeZone: "Europe/Paris",
    task: { type: "report" },
  });
});
