/** What a schedule's overlap policy did to a fire, in words. */
import { formatDuration } from "./duration.ts";
import { type ExplanationReason, reason } from "./explanation.ts";
import type { OverlapPolicy } from "./overlap.ts";

const skippedBecause: Record<string, string> = {
  skip: "an earlier task of the schedule was not final",
  "queue-one": "an earlier task of the schedule was not final, and another one waited for it already",
  "cancel-previous": "a later fire took its place before it could start",
};

/** Null: another thing skipped it. */
export function whyOverlapSkipped(which: string, ledgerReason: string | null): ExplanationReason | null {
  const policy = /^overlap:(.*)$/.exec(ledgerReason ?? "")?.[1];
  if (policy === undefined) return null;
  const because = skippedBecause[policy] ?? skippedBecause.skip;
  return reason("overlap", `${which} was skipped by the overlap policy ${policy}: ${because}.`);
}

/** Of a task that waits at its schedule's gate. */
export function whyWaiting(subject: string, policy: OverlapPolicy | null, refs: string[]): ExplanationReason {
  const says = policy === null ? "" : `, as the overlap policy ${policy} says`;
  const message = `${subject} waits until the schedule's other tasks are final${says}.`;
  return reason("overlap", message, { refs });
}

/** Of one that has waited so long there. */
export function whyWaited(policy: OverlapPolicy, waitedMs: number, refs: string[]): ExplanationReason {
  const message = `Its task waited ${formatDuration(waitedMs)} until the schedule's other tasks were final, as the overlap policy ${policy} says.`;
  return reason("overlap", message, { refs });
}

export const letsWait = (policy: OverlapPolicy): boolean => policy !== "allow" && policy !== "skip";
