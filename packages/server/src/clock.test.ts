import { VirtualClock } from "@carillon/testkit";
import fc from "fast-check";
import { expect, test } from "vitest";
import { followDatabase } from "./clock.ts";

/** A node whose own clock is wrong by `wrongMs`, and a database at the end of a line that takes as long as the test says. */
function setup({ wrongMs = 0 } = {}) {
  const process = new VirtualClock();
  const database = { aheadMs: -wrongMs, toMs: 1, fromMs: 1, fails: false };
  let wallMovedMs = 0;
  const databaseTime = () => process.now() + database.aheadMs;
  const read = async () => {
    await elapse(database.toMs);
    if (database.fails) throw new Error("no database");
    const time = databaseTime();
    await elapse(database.fromMs);
    return time;
  };
  const elapse = (ms: number) => new Promise<void>((resolve) => void process.after(ms, resolve));
  const clock = followDatabase(read, process, () => process.now() + wallMovedMs);
  return {
    process,
    database,
    databaseTime,
    clock,
    setWallClock: (ms: number) => {
      wallMovedMs += ms;
    },
    async measure() {
      const measured = clock.measure();
      measured.catch(() => {});
      await process.advance(database.toMs + database.fromMs);
      await measured;
    },
    error: () => clock.now() - databaseTime(),
  };
}

test("a node with a wrong clock has the database's time after one measurement, not before", async () => {
  for (const wrongMs of [3_600_000, -3_600_000, 0]) {
    const t = setup({ wrongMs });
    expect(t.clock.certain()).toBe(false);
    // Somebody asks early. That must not hold the time up later.
    expect(t.clock.now()).toBe(t.process.now());
    await t.measure();
    expect(t.clock.certain()).toBe(true);
    expect(t.error()).toBe(0);
    await t.process.advance(60_000);
    expect(t.error()).toBe(0);
  }
});

test("the error is at most half a round trip, whichever way is the slow one", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 400 }),
      fc.integer({ min: 0, max: 400 }),
      fc.integer({ min: -1e9, max: 1e9 }),
      async (toMs, fromMs, wrongMs) => {
        const t = setup({ wrongMs });
        Object.assign(t.database, { toMs, fromMs });
        await t.measure();
        expect(Math.abs(t.error())).toBeLessThanOrEqual((toMs + fromMs) / 2);
        expect(t.clock.certain()).toBe((toMs + fromMs) / 2 <= 250);
      },
    ),
    { numRuns: 100 },
  );
});

test("the shortest of the recent round trips decides", async () => {
  const t = setup({ wrongMs: 5_000 });
  Object.assign(t.database, { toMs: 0, fromMs: 300 });
  await t.measure();
  expect(t.error()).toBe(-150);
  Object.assign(t.database, { toMs: 1, fromMs: 1 });
  await t.measure();
  expect(t.error()).toBe(0);
  Object.assign(t.database, { toMs: 0, fromMs: 400 });
  for (let i = 0; i < 100; i++) {
    await t.measure();
    expect(Math.abs(t.error())).toBeLessThanOrEqual(40);
  }
});

test("a line that is too slow leaves a node uncertain, and a better one makes it certain", async () => {
  const t = setup();
  Object.assign(t.database, { toMs: 260, fromMs: 260 });
  await t.measure();
  expect(t.clock.certain()).toBe(false);
  Object.assign(t.database, { toMs: 20, fromMs: 20 });
  await t.measure();
  expect(t.clock.certain()).toBe(true);
});

test("without measurements certainty fades", async () => {
  const t = setup();
  await t.measure();
  t.database.fails = true;
  await t.process.advance(60_000);
  await expect(t.measure()).rejects.toThrow("no database");
  expect(t.clock.certain()).toBe(true);
  await t.process.advance(600_000);
  expect(t.clock.certain()).toBe(false);
  expect(t.error()).toBe(0);
  t.database.fails = false;
  await t.measure();
  expect(t.clock.certain()).toBe(true);
});

test("time never steps back, whatever the measurements say", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          stepMs: fc.integer({ min: -5_000, max: 5_000 }),
          toMs: fc.integer({ min: 0, max: 300 }),
          fromMs: fc.integer({ min: 0, max: 300 }),
          jumpMs: fc.constantFrom(0, 0, 10_000, -10_000),
          passMs: fc.integer({ min: 0, max: 20_000 }),
        }),
        { maxLength: 20 },
      ),
      async (steps) => {
        const t = setup({ wrongMs: 1_000 });
        await t.measure();
        let last = t.clock.now();
        for (const { stepMs, toMs, fromMs, jumpMs, passMs } of steps) {
          t.database.aheadMs += stepMs;
          Object.assign(t.database, { toMs, fromMs });
          t.setWallClock(jumpMs);
          await t.measure();
          const now = t.clock.now();
          expect(now).toBeGreaterThanOrEqual(last);
          await t.process.advance(passMs);
          last = t.clock.now();
          expect(last).toBeGreaterThanOrEqual(now);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test("behind a database whose clock was set back, time stands still until it has caught up", async () => {
  const t = setup();
  await t.measure();
  const before = t.clock.now();
  t.database.aheadMs -= 10_000;
  await t.measure();
  expect(t.clock.now()).toBeLessThan(before + 10);
  await t.process.advance(5_000);
  expect(t.clock.now()).toBeLessThan(before + 10);
  await t.process.advance(10_000);
  expect(t.error()).toBe(0);
});

test("a database whose clock was set ahead is followed by the next measurement, not when the old ones have aged", async () => {
  const t = setup();
  for (let i = 0; i < 10; i++) await t.measure();
  t.database.aheadMs += 60_000;
  Object.assign(t.database, { toMs: 20, fromMs: 20 });
  await t.measure();
  expect(t.error()).toBe(0);
});

test("a jump of the wall clock makes a node uncertain until the next measurement; its time goes on meanwhile", async () => {
  for (const jumpMs of [3_600_000, -3_600_000, 300]) {
    const t = setup({ wrongMs: 7_000 });
    await t.measure();
    t.setWallClock(jumpMs);
    expect(t.clock.certain()).toBe(false);
    expect(t.clock.certain()).toBe(false);
    await t.process.advance(1_000);
    expect(t.error()).toBe(0);
    await t.measure();
    expect(t.clock.certain()).toBe(true);
  }
});

test("a machine that slept follows the database's time after the next measurement", async () => {
  const t = setup();
  await t.measure();
  // Its monotonic clock stood still; everybody else's did not.
  t.database.aheadMs += 600_000;
  t.setWallClock(600_000);
  expect(t.clock.certain()).toBe(false);
  await t.measure();
  expect(t.clock.certain()).toBe(true);
  expect(t.error()).toBe(0);
});

test("a jump in the middle of a measurement spoils it", async () => {
  const t = setup();
  Object.assign(t.database, { toMs: 50, fromMs: 50 });
  const measured = t.clock.measure();
  await t.process.advance(60);
  t.setWallClock(10_000);
  await t.process.advance(60);
  await measured;
  expect(t.clock.certain()).toBe(false);
  await t.measure();
  expect(t.clock.certain()).toBe(true);
});

test("a wall clock that is slewed slowly is no jump", async () => {
  const t = setup();
  await t.measure();
  for (let i = 0; i < 100; i++) {
    t.setWallClock(10);
    await t.process.advance(1_000);
    expect(t.clock.certain()).toBe(true);
    await t.measure();
  }
});

test("an answer that is no time is ignored", async () => {
  const clock = followDatabase(async () => Number.NaN, new VirtualClock());
  await clock.measure();
  expect(clock.certain()).toBe(false);
  expect(clock.now()).not.toBeNaN();
});
