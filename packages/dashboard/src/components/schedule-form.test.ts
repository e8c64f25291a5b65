import { expect, test } from "vitest";
import { readDefinition, readPreview } from "./schedule-form.tsx";
import { templateOf } from "./task-template-fields.tsx";

const rule = { kind: "every", cron: "0 2 * * *", every: "5m", zone: "Europe/Paris" } as const;
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

test("the preview of an edited schedule counts all that decides when it fires, also what no form shows", () => {
  const fires = {
    dialect: "vixie",
    dst: { gap: "skip", overlap: "both" },
    jitter: "30s",
    startAt: "2026-12-01T00:00:00.000Z",
    endAt: "2027-01-01T00:00:00.000Z",
    maxFires: 5,
  };
  const base = { cron: "0 2 * * *", timeZone: "UTC", ...fires, catchUp: { limit: 3 }, task: { type: "old" } };
  expect(readPreview(base, rule)).toEqual({ every: "5m", timeZone: "Europe/Paris", ...fires });
  expect(readPreview(null, rule)).toEqual({ every: "5m", timeZone: "Europe/Paris" });
  expect(readPreview(base, { ...rule, every: " " })).toBeNull();
});
