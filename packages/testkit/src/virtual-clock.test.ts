import { delay } from "@carillon/core";
import { expect, test } from "vitest";
import { VirtualClock } from "./virtual-clock.ts";

test("what is due runs in order of its instant, and of being set within one", async () => {
  const clock = new VirtualClock();
  const ran: string[] = [];
  clock.after(20, () => ran.push("b"));
  clock.after(10, () => ran.push("a"));
  clock.after(20, () => ran.push("c"));
  clock.after(30, () => ran.push("later"));
  await clock.advance(20);
  expect(ran).toEqual(["a", "b", "c"]);
});

test("a chain of waits and promises happens at its instants, within one advance", async () => {
  const clock = new VirtualClock(1_000);
  const seen: number[] = [];
  const chain = async () => {
    for (let step = 0; step < 3; step++) {
      await delay(clock, 7);
      await Promise.resolve();
      seen.push(clock.now());
    }
  };
  void chain();
  await clock.advance(100);
  expect(seen).toEqual([1_007, 1_014, 1_021]);
  expect(clock.now()).toBe(1_100);
});

test("a cancelled timer does not run", async () => {
  const clock = new VirtualClock();
  let ran = false;
  clock.after(5, () => {
    ran = true;
  })();
  await clock.advance(10);
  expect(ran).toBe(false);
});

test("10,000 timers set in any order run in order", async () => {
  const clock = new VirtualClock(0);
  const seen: number[] = [];
  for (let index = 0; index < 10_000; index++) clock.after((index * 7919) % 10_007, () => seen.push(clock.now()));
  await clock.advance(10_007);
  expect(seen).toHaveLength(10_000);
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
});
