import { expect, test } from "vitest";
import { createLog } from "./log.ts";

function setup() {
  const lines: Record<string, unknown>[] = [];
  const time = { ms: 0 };
  const clock = { now: () => time.ms, monotonic: () => time.ms, after: () => () => {} };
  const log = createLog({ level: "info", stream: { write: (line) => lines.push(JSON.parse(line)) } }, clock);
  return { lines, time, log };
}

test("a warning that repeats in an outage is written once in 30 s, with how often it came", () => {
  const { lines, time, log } = setup();
  for (let i = 0; i < 100; i++) {
    log.warn({ error: new Error("away") }, "claiming failed");
    time.ms += 200;
  }
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ msg: "claiming failed", error: { message: "away", type: "Error" } });
  time.ms += 30_000;
  log.warn({}, "claiming failed");
  expect(lines[1]).toMatchObject({ msg: "claiming failed", repeated: 99 });
});

test("errors, and warnings of another kind, are all written", () => {
  const { lines, log } = setup();
  log.warn({}, "one");
  log.warn({}, "another");
  log.error({}, "broken");
  log.error({}, "broken");
  expect(lines.map(({ msg }) => msg)).toEqual(["one", "another", "broken", "broken"]);
});
