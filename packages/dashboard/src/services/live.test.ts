import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { collectChanges, readChange } from "./live.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const keys = [
  ["tasks", "/tasks"],
  ["task", "task_a"],
  ["task", "task_b", "attempts"],
  ["schedules", "/schedules"],
  ["types"],
];

function recorder() {
  const readings: string[][] = [];
  let finish: (() => void) | null = null;
  const changes = collectChanges((concerns) => {
    readings.push(keys.filter((queryKey) => concerns({ queryKey })).map((key) => key[1] ?? key[0]!));
    return new Promise((resolve) => {
      finish = resolve;
    });
  });
  return { changes, readings, finish: () => finish?.() };
}

test("a burst of changes is read once, and only where it shows", async () => {
  const { changes, readings } = recorder();
  for (let n = 0; n < 100; n++) changes.add({ topic: "tasks", id: "task_a" });
  expect(readings).toEqual([]);
  await vi.advanceTimersByTimeAsync(250);
  expect(readings).toEqual([["/tasks", "task_a", "/schedules"]]);
});

test("the next reading waits for the one before, so a slow server is not flooded", async () => {
  const { changes, readings, finish } = recorder();
  changes.add({ topic: "schedules", id: "nightly" });
  await vi.advanceTimersByTimeAsync(250);
  changes.add({ topic: "tasks", id: "task_b" });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(readings).toHaveLength(1);
  finish();
  await vi.advanceTimersByTimeAsync(250);
  expect(readings).toEqual([["/schedules"], ["/tasks", "task_b", "/schedules"]]);
});

test("an event that is not understood means: read everything again", async () => {
  const { changes, readings } = recorder();
  changes.add(readChange("not json"));
  changes.add(readChange('{"topic":"moons","id":7}'));
  await vi.advanceTimersByTimeAsync(250);
  expect(readings).toEqual([["/tasks", "task_a", "task_b", "/schedules"]]);
});
