/** Why a task waits for what it calls, in words. */
import { BREAKER_OPEN } from "./call-target.ts";
import { formatDuration } from "./duration.ts";
import { type ExplanationReason, reason } from "./explanation.ts";
import { formatInstant } from "./instant.ts";

export interface AwaitedTarget {
  name: string;
  /** In its present state. */
  since: number;
  /** When it is tried; null: it is not left alone. */
  until: number | null;
  reason: string | null;
}

/** @param target null: nothing is known of it any more */
export function whyTargetAwaited(
  { reason: waitsBecause, refs }: { reason: string; refs: string[] },
  target: AwaitedTarget | null,
  now: number,
): ExplanationReason {
  const name = target?.name ?? "its target";
  if (waitsBecause !== BREAKER_OPEN || !target || target.until === null) {
    const message = `The task waits until ${name} has less to do: as many tasks call it as it answers in good time.`;
    return reason("target_busy", message, { refs });
  }
  const because = target.reason === null ? "" : ` (${target.reason})`;
  const ago = formatDuration(Math.max(0, now - target.since));
  const message = `The task waits for ${name}, which is left alone since ${ago} ago${because}; one task tries it at ${formatInstant(target.until)}.`;
  return reason("breaker_open", message, { until: target.until, refs });
}
