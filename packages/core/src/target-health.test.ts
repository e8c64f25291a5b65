import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  afterCall,
  defaultBreaker,
  flowAfterAnswer,
  flowAfterFailure,
  healthy,
  isSick,
  newFlow,
  openMs,
  type TargetHealth,
} from "./target-health.ts";

const after = (calls: string): TargetHealth =>
  [...calls].reduce((health, call) => afterCall(health, call === "x" ? "failed" : "answered"), healthy);

describe("a breaker", () => {
  test.each([
    ["xxxx", false],
    ["xxxxx", true],
    ["xxxx.xxxx", false],
    [".x.x.x.x.x.x.x.x.x.", false],
    [".x.x.x.x.x.x.x.x.x.x", true],
    ["x.x.x.x.x.x.x.x.x.x.........", false],
  ])("after %s is open: %s", (calls, sick) => {
    expect(isSick(after(calls), defaultBreaker)).toBe(sick);
  });

  test("of a rule that says so opens sooner or later", () => {
    expect(isSick(after("xx"), { ...defaultBreaker, failures: 2 })).toBe(true);
    expect(isSick(after("x".repeat(11)), { ...defaultBreaker, failures: 12 })).toBe(false);
    expect(isSick(after("x".repeat(12)), { ...defaultBreaker, failures: 12 })).toBe(true);
    expect([1, 2, 9].map((trips) => openMs(trips, 0.5, { ...defaultBreaker, openMs: 600_000 }))).toEqual([
      600_000, 600_000, 600_000,
    ]);
  });

  test("stays open twice as long after each failed probe, five minutes at most, a tenth more or less", () => {
    expect([1, 2, 3, 7, 50].map((trips) => openMs(trips, 0.5, defaultBreaker))).toEqual([
      5_000, 10_000, 20_000, 300_000, 300_000,
    ]);
    expect([openMs(1, 0, defaultBreaker), openMs(1, 1, defaultBreaker)]).toEqual([4_500, 5_500]);
  });
});

describe("how many call a target at once", () => {
  test("begins with a fifth of the slots, at least one and at most five", () => {
    expect([1, 4, 10, 100].map((slots) => newFlow(slots).limit)).toEqual([1, 1, 2, 5]);
  });

  test("grows while all are used and it answers in its usual time", () => {
    const usual = { ms: 20, slots: 10 };
    let flow = newFlow(10);
    for (let call = 0; call < 5; call++) flow = flowAfterAnswer(flow, { ...usual, used: true });
    expect(flow.limit).toBe(7);
    expect(flowAfterAnswer(flow, { ...usual, used: false }).limit).toBe(7);
    expect(flowAfterAnswer(flow, { ms: 900, used: true, slots: 10 }).limit).toBeCloseTo(6.3);
    const halved = flowAfterFailure(flow);
    expect(halved.limit).toBe(3.5);
    expect(flowAfterAnswer(halved, { ...usual, used: true }).limit).toBeCloseTo(3.79);
  });

  test("stays at what the target answers in good time, however long there is more to do", () => {
    // Three at once in 50 ms; each further one makes all of them slower.
    let flow = flowAfterAnswer(newFlow(100), { ms: 50, used: false, slots: 100 });
    for (let call = 0; call < 10_000; call++) {
      const ms = 50 * Math.max(1, Math.floor(flow.limit) / 3) ** 2;
      flow = flowAfterAnswer(flow, { ms, used: true, slots: 100 });
      if (call > 100) expect(flow.limit).toBeLessThan(8);
    }
    expect(flow.limit).toBeGreaterThan(5);
  });

  test("follows a target that has become slower for good", () => {
    let flow = flowAfterAnswer(newFlow(100), { ms: 50, used: false, slots: 100 });
    for (let call = 0; call < 300; call++) flow = flowAfterAnswer(flow, { ms: 900, used: true, slots: 100 });
    expect(flow.limit).toBeGreaterThan(10);
  });

  test("is at least one and at most all slots, whatever happens", () => {
    const call = fc.oneof(fc.constant(null), fc.record({ ms: fc.nat(60_000), used: fc.boolean() }));
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (calls, slots) => {
        let flow = newFlow(slots);
        for (const call of calls) {
          flow = call === null ? flowAfterFailure(flow) : flowAfterAnswer(flow, { ...call, slots });
          expect(flow.limit).toBeGreaterThanOrEqual(1);
          expect(flow.limit).toBeLessThanOrEqual(slots);
        }
      }),
    );
  });
});
