import { expect, test } from "vitest";
import { appendLines, type FollowedLog, filterLines } from "./logs.ts";

const line = (n: number) => ({ at: "2026-11-21T00:00:00.000Z", level: "info", message: `line ${n}`, attempt: 1 });

test("an endless log keeps its latest 10,000 lines and says how many are gone", () => {
  let log: FollowedLog = { lines: [], dropped: 0, status: "following" };
  for (let n = 0; n < 25_000; n += 500)
    log = appendLines(
      log,
      Array.from({ length: 500 }, (_, i) => line(n + i)),
    );
  expect(log.lines).toHaveLength(10_000);
  expect(log.dropped).toBe(15_000);
  expect(log.lines.at(-1)?.message).toBe("line 24999");
});

test("a log is narrowed to a level and those above it, and to a text in any case", () => {
  const lines = ["debug", "info", "warn", "error"].map((level, n) => ({ ...line(n), level }));
  expect(filterLines(lines, {})).toBe(lines);
  expect(filterLines(lines, { level: "warn" }).map(({ level }) => level)).toEqual(["warn", "error"]);
  expect(filterLines(lines, { level: "info", text: "LINE 1" }).map(({ level }) => level)).toEqual(["info"]);
});
