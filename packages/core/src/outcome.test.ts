import fc from "fast-check";
import { expect, test } from "vitest";
import { type AttemptReport, decideLoss, decideOutcome, type TaskError } from "./outcome.ts";
import { defaultPolicy } from "./retry.ts";

const NOW = 1_000_000;
const error: TaskError = { code: "handler_error", name: "Error", message: "no", stack: null };
const steady = { ...defaultPolicy.retry.backoff, jitter: "none" } as const;
const policy = { ...defaultPolicy, retry: { maxAttempts: 3, backoff: steady } };
const task = { policy, failures: 0, dueAt: NOW - 500, finishBy: null, cancelReason: null };
const failed = (more: Partial<AttemptReport & { kind: "failed" }> = {}): AttemptReport => ({
  kind: "failed",
  error,
  retryable: true,
  retryAfterMs: null,
  ...more,
});
const final = (state: string, more = {}) => ({
  kind: "final",
  state,
  result: null,
  error: null,
  reason: null,
  ...more,
});
const again = (as: string, dueAt: number, error: TaskError | null = null) => ({ kind: "again", as, dueAt, error });

test("each way an attempt can end leads where it should", () => {
  const cases: [
    string,
    Partial<typeof task> | { finishBy: number } | { cancelReason: string },
    AttemptReport,
    object,
  ][] = [
    ["succeeds", {}, { kind: "succeeded", result: '"ok"' }, final("succeeded", { result: '"ok"' })],
    [
      "succeeds though it was to be cancelled",
      { cancelReason: "x" },
      { kind: "succeeded", result: null },
      final("succeeded"),
    ],
    ["is discarded", {}, { kind: "discarded", reason: "stale" }, final("skipped", { reason: "stale" })],
    ["is discarded without a word", {}, { kind: "discarded", reason: "" }, final("skipped", { reason: "discarded" })],
    ["is cancelled", { cancelReason: "by hand" }, { kind: "cancelled" }, final("cancelled", { reason: "by hand" })],
    ["is given back", {}, { kind: "released" }, again("released", NOW - 500)],
    ["snoozes", {}, { kind: "snoozed", delayMs: 700 }, again("snoozed", NOW + 700)],
    ["snoozes on its last try", { failures: 2 }, { kind: "snoozed", delayMs: 1 }, again("snoozed", NOW + 1)],
    ["fails", {}, failed(), again("failed", NOW + 1_000, error)],
    ["fails a second time", { failures: 1 }, failed(), again("failed", NOW + 2_000, error)],
    ["fails for the last time", { failures: 2 }, failed(), final("failed", { error })],
    ["fails for good", {}, failed({ retryable: false }), final("failed", { error })],
    ["fails and says when", {}, failed({ retryAfterMs: 42 }), again("failed", NOW + 42, error)],
    ["fails and says when, too late", { failures: 2 }, failed({ retryAfterMs: 42 }), final("failed", { error })],
    ["fails in time", { finishBy: NOW + 1_001 }, failed(), again("failed", NOW + 1_000, error)],
    ["fails with no time left", { finishBy: NOW + 1_000 }, failed(), final("failed", { error })],
  ];
  for (const [name, overrides, report, decision] of cases) {
    expect([name, decideOutcome({ ...task, ...overrides }, report, NOW, 0.5)]).toEqual([name, decision]);
  }
});

test("a task that always fails is tried exactly as often as its policy says", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (maxAttempts, random) => {
        const stubborn = { ...task, policy: { ...policy, retry: { ...defaultPolicy.retry, maxAttempts } } };
        let failures = 0;
        for (let now = NOW; ; failures++) {
          const decision = decideOutcome({ ...stubborn, failures }, failed(), now, random);
          if (decision.kind === "final") break;
          expect(decision.dueAt).toBeGreaterThan(now);
          now = decision.dueAt;
        }
        expect(failures + 1).toBe(maxAttempts);
      },
    ),
  );
});

test("a task that takes its workers with it is given three", () => {
  expect([0, 1, 2, 3].map((lost) => decideLoss({ lost }))).toEqual(["again", "again", "quarantine", "quarantine"]);
});
