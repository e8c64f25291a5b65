import { expect, test } from "vitest";
import { createGroup, type Entry, type GroupOptions } from "./group-commit.ts";

interface Call {
  rows: number;
  bytes: number;
}

const KB = 1_024;

/** A group whose flights stay in the air until the test lands them, and whose time the test moves. */
function setup(options: Partial<GroupOptions<Call, string>> = {}) {
  let now = 0;
  const timers = new Set<{ at: number; callback: () => void }>();
  const flights: Entry<Call, string>[][] = [];
  const landings: (() => void)[] = [];
  const group = createGroup<Call, string>({
    flights: 1,
    flight: { rows: 10, bytes: 8 * KB },
    sizeOf: (call) => call,
    run(entries) {
      flights.push(entries);
      return new Promise((resolve) => {
        landings.push(() => {
          for (const entry of entries) entry.resolve("done");
          resolve();
        });
      });
    },
    waiting: {
      most: { rows: 20, bytes: 16 * KB },
      patienceMs: 5_000,
      timers: {
        monotonic: () => now,
        after(delayMs, callback) {
          const timer = { at: now + delayMs, callback };
          timers.add(timer);
          return () => timers.delete(timer);
        },
      },
    },
    ...options,
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    flights,
    timers,
    turn,
    /** What became of the call, as it stands. */
    call(call: Call = { rows: 1, bytes: 0 }) {
      const seen = { answer: "waits" as unknown };
      group(call).then(
        (answer) => (seen.answer = answer),
        (error) => (seen.answer = error),
      );
      return seen;
    },
    async land() {
      landings.shift()!();
      await turn();
      await turn();
    },
    async advance(ms: number) {
      now += ms;
      for (const timer of [...timers].filter(({ at }) => at <= now)) {
        timers.delete(timer);
        timer.callback();
      }
      await turn();
    },
  };
}

const full = { code: "backlog_full", retryAfterMs: 1_000 };
const late = { code: "unavailable", retryAfterMs: 1_000 };

test("a flight is bounded in rows and in bytes", async () => {
  const t = setup();
  for (let calls = 0; calls < 12; calls++) t.call();
  await t.turn();
  for (let calls = 0; calls < 4; calls++) t.call({ rows: 1, bytes: 3 * KB });
  await t.land();
  await t.land();
  expect(t.flights.map((entries) => entries.length)).toEqual([10, 5, 1]);
});

test("more than may wait is refused at once, and room is made by what leaves", async () => {
  const t = setup();
  const first = Array.from({ length: 25 }, () => t.call());
  await t.turn();
  expect(first.slice(0, 20).every(({ answer }) => answer === "waits")).toBe(true);
  for (const { answer } of first.slice(20)) expect(answer).toMatchObject(full);
  // Ten are in the air, ten wait.
  const later = Array.from({ length: 11 }, () => t.call());
  await t.turn();
  expect(later.map(({ answer }) => answer).slice(0, 10)).toEqual(Array(10).fill("waits"));
  expect(later[10]!.answer).toMatchObject(full);
});

test("bytes that wait are bounded too, and one call of any size is taken", async () => {
  const t = setup();
  const huge = t.call({ rows: 1, bytes: 1_000 * KB });
  const refused = t.call();
  await t.turn();
  expect(refused.answer).toMatchObject(full);
  const next = t.call();
  await t.land();
  await t.land();
  expect([huge.answer, next.answer]).toEqual(["done", "done"]);
});

test("what has waited too long is refused without having been sent, however long the flight takes", async () => {
  const t = setup();
  const flying = t.call();
  await t.turn();
  const old = t.call();
  await t.advance(1_000);
  const young = t.call();
  await t.advance(4_000);
  expect(old.answer).toMatchObject(late);
  expect([flying.answer, young.answer]).toEqual(["waits", "waits"]);
  await t.land();
  await t.land();
  expect([flying.answer, young.answer]).toEqual(["done", "done"]);
  expect(t.flights.flat()).toHaveLength(2);
  // What left in time leaves no timer behind, and room for others.
  expect(t.timers.size).toBe(0);
  const more = Array.from({ length: 20 }, () => t.call());
  await t.turn();
  expect(more.every(({ answer }) => answer === "waits")).toBe(true);
});

test("a process that was held up sends nothing that is too old", async () => {
  const t = setup();
  t.call();
  await t.turn();
  const old = t.call();
  t.timers.clear(); // Its timers come late.
  await t.advance(60_000);
  await t.land();
  expect(old.answer).toMatchObject(late);
  expect(t.flights).toHaveLength(1);
});

test("a group without bounds of waiting refuses nothing", async () => {
  const t = setup({ waiting: null });
  const calls = Array.from({ length: 1_000 }, () => t.call({ rows: 1, bytes: KB }));
  await t.turn();
  await t.advance(60_000);
  expect(calls.every(({ answer }) => answer === "waits")).toBe(true);
  expect(t.timers.size).toBe(0);
});
