import fc from "fast-check";
import { expect, test } from "vitest";
import { type Backoff, backoffKinds, defaultPolicy, retryDelayMs } from "./retry.ts";

const backoff = (overrides: Partial<Backoff>): Backoff => ({
  ...defaultPolicy.retry.backoff,
  jitter: "none",
  ...overrides,
});

test("each kind of backoff grows as its name says, up to the cap", () => {
  const cases: [Partial<Backoff>, number[]][] = [
    [{ kind: "fixed", initialMs: 250 }, [250, 250, 250, 250]],
    [{ kind: "linear", initialMs: 250, maxMs: 900 }, [250, 500, 750, 900]],
    [{ kind: "exponential", initialMs: 1_000, factor: 2, maxMs: 5_000 }, [1_000, 2_000, 4_000, 5_000]],
    [{ kind: "exponential", initialMs: 100, factor: 1.5, maxMs: 5_000 }, [100, 150, 225, 338]],
    [{ kind: "fixed", initialMs: 5_000, maxMs: 1_000 }, [1_000, 1_000]],
  ];
  for (const [overrides, delays] of cases) {
    expect(delays.map((_, n) => retryDelayMs(backoff(overrides), n + 1, 0.5))).toEqual(delays);
  }
});

test("full jitter takes a random part of the delay, and never nothing", () => {
  const jittered = backoff({ kind: "fixed", initialMs: 1_000, jitter: "full" });
  expect([0, 0.25, 0.5, 0.999].map((random) => retryDelayMs(jittered, 1, random))).toEqual([1, 250, 500, 999]);
});

const anyBackoff: fc.Arbitrary<Backoff> = fc.record({
  kind: fc.constantFrom(...backoffKinds),
  initialMs: fc.integer({ min: 1, max: 7 * 86_400_000 }),
  factor: fc.double({ min: 1, max: 100, noNaN: true }),
  maxMs: fc.integer({ min: 1, max: 7 * 86_400_000 }),
  jitter: fc.constantFrom("full", "none"),
});
const anyRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("a delay is whole milliseconds between 1 and the cap, after however many failures", () => {
  fc.assert(
    fc.property(anyBackoff, fc.integer({ min: 1, max: 1_000 }), anyRandom, (backoff, failures, random) => {
      const delayMs = retryDelayMs(backoff, failures, random);
      expect(Number.isInteger(delayMs) && delayMs >= 1 && delayMs <= backoff.maxMs).toBe(true);
    }),
  );
});

test("without jitter no delay is shorter than the one before", () => {
  fc.assert(
    fc.property(anyBackoff, fc.integer({ min: 1, max: 999 }), (backoff, failures) => {
      const steady = { ...backoff, jitter: "none" } as const;
      expect(retryDelayMs(steady, failures + 1, 0)).toBeGreaterThanOrEqual(retryDelayMs(steady, failures, 0));
    }),
  );
});
