/** What a task that waits for others makes of their ends. */
import type { FinalState } from "./states.ts";

/**
 * When a task may run that comes after others. `all`: all of them succeeded; `any`: one has; `all-done`: all are final, whatever came of
 * them; `on-failure`: one has failed.
 */
export const afterConditions = ["all", "any", "all-done", "on-failure"] as const;
export type AfterCondition = (typeof afterConditions)[number];

/** As `reason` of a task whose condition can no longer become true. */
export const PARENTS = "parents";

/** `wait`: for so many more; `release`: it may run; `skip`: its condition can no longer become true. */
export type AfterDecision = { kind: "wait"; pending: number } | { kind: "release" } | { kind: "skip" };

/**
 * Looks at ends that it has not heard of yet. It needs no memory of earlier ones: whichever would have decided has decided.
 *
 * @param pending how many it had yet to hear of, these included
 */
export function decideAfter(condition: AfterCondition, pending: number, ends: readonly FinalState[]): AfterDecision {
  const left = pending - ends.length;
  const wait: AfterDecision = { kind: "wait", pending: left };
  switch (condition) {
    case "all":
      if (ends.some((state) => state !== "succeeded")) return { kind: "skip" };
      return left > 0 ? wait : { kind: "release" };
    case "any":
      if (ends.includes("succeeded")) return { kind: "release" };
      return left > 0 ? wait : { kind: "skip" };
    case "all-done":
      return left > 0 ? wait : { kind: "release" };
    case "on-failure":
      if (ends.includes("failed")) return { kind: "release" };
      return left > 0 ? wait : { kind: "skip" };
  }
}
