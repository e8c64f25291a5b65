import { expect, test } from "vitest";
import { finishBy, firstRiseAt, riseTowards } from "./finish-within.ts";
import { defaultPolicy } from "./retry.ts";

const DUE = Date.UTC(2026, 10, 20);
const HOUR = 3_600_000;
const task = (finishWithinMs: number) => ({ policy: { ...defaultPolicy, finishWithinMs }, dueAt: DUE });

/** Priority by minute at which it changes, looked at exactly when the last look said. */
function risesOf(priority: number): [minute: number, priority: number][] {
  const deadline = finishBy(task(HOUR))!;
  const rises: [number, number][] = [];
  for (let at = firstRiseAt(task(HOUR)); at !== null; ) {
    const risen = riseTowards({ priority, finishBy: deadline, finishWithinMs: HOUR }, at);
    if (risen.priority !== priority) rises.push([(at - DUE) / 60_000, risen.priority]);
    priority = risen.priority;
    at = risen.nextAt;
  }
  return rises;
}

test("the nearer its deadline, the more urgent a task becomes, and never less", () => {
  expect(risesOf(9)).toEqual([
    [30, 6],
    [45, 3],
    [54, 1],
  ]);
  expect(risesOf(5)).toEqual([
    [45, 3],
    [54, 1],
  ]);
  expect(risesOf(2)).toEqual([[54, 1]]);
  expect(risesOf(1)).toEqual([]);
});

test("what nobody looked at for long rises to where it belongs in one step", () => {
  const late = { priority: 9, finishBy: DUE + HOUR, finishWithinMs: HOUR };
  expect(riseTowards(late, DUE + 0.95 * HOUR)).toEqual({ priority: 1, nextAt: null });
});

test("a look at the instant that was named finds its step reached, whatever the length", () => {
  for (let finishWithinMs = 1; finishWithinMs < 500; finishWithinMs++) {
    const deadline = finishBy(task(finishWithinMs))!;
    let rising = { priority: 9, nextAt: firstRiseAt(task(finishWithinMs)) };
    for (let looks = 0; rising.nextAt !== null; looks++) {
      expect(looks).toBeLessThan(4);
      const at: number = rising.nextAt;
      expect(at).toBeLessThanOrEqual(deadline);
      rising = riseTowards({ priority: rising.priority, finishBy: deadline, finishWithinMs }, at);
    }
    expect(rising.priority).toBe(1);
  }
});

test("without finishWithin there is no deadline", () => {
  expect([finishBy({ policy: defaultPolicy, dueAt: DUE }), firstRiseAt({ policy: defaultPolicy, dueAt: DUE })]).toEqual(
    [null, null],
  );
});
