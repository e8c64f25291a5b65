import { expect, test } from "vitest";
import { addProfile, createLoad, type Load, loadPeaks, profileOf } from "./load.ts";

const MINUTE = 60_000;
const FROM = Date.UTC(2026, 10, 21, 8);
const HOUR = 60 * MINUTE;

const hour = () => createLoad({ from: FROM, to: FROM + HOUR, stepMs: MINUTE });

/** So many schedules that fire then, and again so much later. */
function add(load: Load, schedules: number, minute: number, gapMs: number | null): void {
  const gapAfter = gapMs === null ? null : () => gapMs;
  const profile = profileOf(load, [FROM + minute * MINUTE], gapAfter);
  for (let schedule = 0; schedule < schedules; schedule++) addProfile(load, profile);
}

test("fires are counted in the step that holds them, and only those of the range", () => {
  const load = createLoad({ from: FROM, to: FROM + 90_000, stepMs: MINUTE });
  const instants = [-1, 0, 59_999, 60_000, 89_999, 90_000].map((offset) => FROM + offset);
  addProfile(load, profileOf(load, instants, null));
  expect(load.counts).toEqual([2, 2]);
});

test("a herd on the full hour gets the shortest jitter that halves it", () => {
  const load = hour();
  add(load, 4_000, 0, HOUR);
  add(load, 10, 3, HOUR);
  expect(loadPeaks(load)[0]).toEqual({
    at: FROM,
    fires: 4_000,
    spread: {
      jitterMs: 5 * MINUTE,
      schedules: 4_000,
      fires: 810,
      message:
        "2026-11-21T08:00:00.000Z: 4,000 fires; a jitter of 5m on the 4,000 schedules that have none would bring it to about 810.",
    },
  });
});

test("where the minutes behind are crowded too, a longer jitter is suggested", () => {
  const load = hour();
  add(load, 1_000, 0, HOUR);
  for (let minute = 1; minute < 5; minute++) add(load, 400, minute, MINUTE);
  expect(loadPeaks(load)[0]!.spread).toMatchObject({ jitterMs: 15 * MINUTE, fires: 467 });
});

test("a schedule that fires again before the jitter ends, or that has one, is not counted on", () => {
  const often = hour();
  add(often, 100, 0, 2 * MINUTE);
  expect(loadPeaks(often)[0]).toMatchObject({ fires: 100, spread: null });
  const jittered = hour();
  add(jittered, 100, 0, null);
  expect(loadPeaks(jittered)[0]).toMatchObject({ fires: 100, spread: null });
});

test("a load without peaks has none, and a handful of fires is no crowd", () => {
  const level = hour();
  for (let minute = 0; minute < 60; minute++) add(level, 50, minute, HOUR);
  expect(loadPeaks(level)).toEqual([]);
  const few = hour();
  add(few, 9, 5, HOUR);
  expect(loadPeaks(few)).toEqual([{ at: FROM + 5 * MINUTE, fires: 9, spread: null }]);
});

test("a jitter longer than a schedule may have is not suggested", () => {
  const DAY = 24 * HOUR;
  const load = createLoad({ from: FROM, to: FROM + 30 * DAY, stepMs: DAY });
  const profile = profileOf(load, [FROM], () => 300 * DAY);
  for (let schedule = 0; schedule < 100; schedule++) addProfile(load, profile);
  expect(loadPeaks(load)[0]).toMatchObject({ fires: 100, spread: null });
});
