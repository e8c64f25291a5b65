import { expect, test } from "vitest";
import { type Backfill, backfillWindow, MOST_BACKFILLED, nextBackfillPage } from "./backfill.ts";
import { defaultDst } from "./schedule.ts";

const HOUR = 3_600_000;
const from = Date.UTC(2026, 9, 24, 12);
const hourly: Backfill = {
  rule: {
    cron: "0 * * * *",
    every: null,
    timeZone: "UTC",
    dialect: "ocps",
    dst: defaultDst,
    jitter: "5m",
    startAt: null,
    endAt: null,
    maxFires: 3,
  },
  calendars: [],
  from,
  to: from + 24 * HOUR,
};

test("the pages of a backfill, of whatever size, are together all fires of its range, each once", () => {
  for (const room of [1, 5, 24, 25]) {
    const fires: number[] = [];
    for (let after: number | null = null, finished = false; !finished; ) {
      const page: { fires: number[]; finished: boolean } = nextBackfillPage(hourly, { after, room });
      expect(page.fires.length).toBeLessThanOrEqual(room);
      fires.push(...page.fires);
      finished = page.finished;
      after = fires.at(-1) ?? null;
    }
    expect(fires).toEqual(Array.from({ length: 24 }, (_, hour) => from + hour * HOUR));
  }
});

test("without room a backfill waits, and a range without fires has ended at once", () => {
  expect(nextBackfillPage(hourly, { after: null, room: 0 })).toEqual({ fires: [], finished: false });
  const between = { ...hourly, from: from + 1, to: from + HOUR };
  expect(nextBackfillPage(between, { after: null, room: 1 })).toEqual({ fires: [], finished: true });
});

test.each([
  [0, MOST_BACKFILLED],
  [1, 1],
  [7, 1],
  [8, 2],
  [100, 25],
  [10_000, MOST_BACKFILLED],
])("of %i slots a backfill has at most %i tasks under way", (slots, most) => {
  expect(backfillWindow(slots)).toBe(most);
});
