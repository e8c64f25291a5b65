import fc from "fast-check";
import { expect, test } from "vitest";
import {
  latenessBucket,
  latenessBucketsMs,
  latenessPhases,
  latenessQuantile,
  type StartFacts,
  splitLateness,
} from "./lateness.ts";

const facts: StartFacts = {
  readyAt: 1_000,
  startedAt: 1_100,
  heldMs: 30,
  transportMs: 5,
  waitedMs: 15,
  plannedLateMs: 0,
};

function split(over: Partial<StartFacts> = {}): Record<string, number> {
  const phases = new Float64Array(latenessPhases.length);
  const lateMs = splitLateness({ ...facts, ...over }, phases);
  return { lateMs, ...Object.fromEntries(latenessPhases.map((phase, index) => [phase, phases[index]!])) };
}

test("a late start is told apart into where it arose", () => {
  expect(split()).toEqual({ lateMs: 100, planner: 0, claim: 50, dispatch: 30, transport: 5, start: 15 });
});

test("a task that was claimed ahead was late for what came after its instant alone", () => {
  expect(split({ heldMs: 280 })).toMatchObject({ claim: 0, dispatch: 80 });
  expect(split({ startedAt: 1_000, heldMs: 280, transportMs: 0, waitedMs: 0 })).toMatchObject({
    lateMs: 0,
    dispatch: 0,
  });
});

test("of a task that another node had handed over, the time before the worker counts as claim", () => {
  expect(split({ heldMs: -3_000 })).toMatchObject({ claim: 80, dispatch: 0 });
});

test("a fire that was planned late says so beside its lateness", () => {
  expect(split({ plannedLateMs: 4_000 })).toMatchObject({ lateMs: 100, planner: 4_000 });
});

test("the stretches after the planner always add up to the lateness, and none is negative", () => {
  const ms = fc.double({ min: 0, max: 1e6, noNaN: true });
  const any = fc.record({
    startedAt: ms,
    heldMs: fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    transportMs: ms,
    waitedMs: ms,
  });
  fc.assert(
    fc.property(any, (over) => {
      const { lateMs, planner: _, ...phases } = split(over);
      const sum = Object.values(phases).reduce((total, value) => total + value, 0);
      expect(sum).toBeCloseTo(lateMs!, 6);
      expect(Math.min(...Object.values(phases))).toBeGreaterThanOrEqual(0);
    }),
  );
});

test("p50 and p99 of a histogram lie in the bucket that holds the exact value, and never beyond the greatest", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { minLength: 1 }), (values) => {
      const counts = Array<number>(latenessBucketsMs.length + 1).fill(0);
      for (const value of values) counts[latenessBucket(value)]!++;
      const sorted = values.toSorted((a, b) => a - b);
      for (const share of [0.5, 0.99]) {
        const exact = sorted[Math.ceil(share * values.length) - 1]!;
        const bucket = latenessBucket(exact);
        const estimate = latenessQuantile(counts, share, sorted.at(-1)!)!;
        expect(estimate).toBeGreaterThanOrEqual(latenessBucketsMs[bucket - 1] ?? 0);
        expect(estimate).toBeLessThanOrEqual(
          Math.min(sorted.at(-1)!, latenessBucketsMs[bucket] ?? Number.POSITIVE_INFINITY),
        );
      }
    }),
  );
  expect(latenessQuantile([0, 0], 0.5, 0)).toBeNull();
});
