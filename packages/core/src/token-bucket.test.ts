import { expect, test } from "vitest";
import { takeTokens, tokenAt, tokensIn, underRate } from "./token-bucket.ts";

const rate = { limit: 3, perMs: 1_000, burst: 5 };
const now = 1_800_000_000_000;

test("a bucket begins full, is emptied, and fills at its rate", () => {
  expect(tokensIn(null, rate, now)).toBe(5);
  const empty = takeTokens(null, rate, 5, now);
  expect(tokensIn(empty, rate, now)).toBe(0);
  expect(tokensIn(empty, rate, now + 333)).toBe(0);
  expect(tokensIn(empty, rate, now + 334)).toBe(1);
  expect(tokensIn(empty, rate, now + 1_000)).toBe(3);
  expect(tokensIn(empty, rate, now + 86_400_000)).toBe(5);
  expect(tokenAt(empty, rate)).toBe(now + 334);
});

test("at the instant of the next token there is one, whatever the rate", () => {
  for (const limit of [1, 3, 7, 999, 1_000_000]) {
    for (const perMs of [1, 1_000, 60_000, 86_400_000]) {
      for (const burst of [1, 2, 1_000]) {
        const each = { limit, perMs, burst };
        const empty = takeTokens(null, each, burst, now);
        expect(tokensIn(empty, each, tokenAt(empty, each))).toBeGreaterThanOrEqual(1);
      }
    }
  }
});

test("in no window more are taken than its burst and what flows in", () => {
  const taken: number[] = [];
  let fullAt: number | null = null;
  for (let at = now; at < now + 20_000; at += 37) {
    const count = Math.min(tokensIn(fullAt, rate, at), (at % 4) + 1);
    fullAt = takeTokens(fullAt, rate, count, at);
    for (let one = 0; one < count; one++) taken.push(at);
  }
  expect(taken.length).toBeGreaterThan(50);
  for (const [first, from] of taken.entries()) {
    for (let last = first; last < taken.length; last++) {
      expect(last - first + 1).toBeLessThanOrEqual(
        rate.burst + (rate.limit * (taken[last]! - from)) / rate.perMs + 0.01,
      );
    }
  }
});

test("a clock that steps back gives no token twice", () => {
  const empty = takeTokens(null, rate, 5, now);
  expect(tokensIn(empty, rate, now - 60_000)).toBe(0);
  expect(takeTokens(empty, rate, 0, now - 60_000)).toBe(empty);
});

test("under another limit there are as many tokens as before, as far as they fit", () => {
  const two = takeTokens(null, rate, 3, now);
  expect(
    tokensIn(
      underRate(two, rate, { limit: 1, perMs: 60_000, burst: 10 }, now),
      { limit: 1, perMs: 60_000, burst: 10 },
      now,
    ),
  ).toBe(2);
  expect(
    tokensIn(
      underRate(two, rate, { limit: 1, perMs: 60_000, burst: 1 }, now),
      { limit: 1, perMs: 60_000, burst: 1 },
      now,
    ),
  ).toBe(1);
  expect(underRate(null, rate, { limit: 1, perMs: 60_000, burst: 10 }, now)).toBe(null);
});
