/** Why something is as it is: a sentence for people, and its reasons for programs. */

export interface Explanation {
  summary: string;
  reasons: ExplanationReason[];
}

export interface ExplanationReason {
  code: ReasonCode;
  message: string;
  /** When it ends by itself, or when what it speaks of happens; null: nobody can tell. */
  until: number | null;
  /** Ids of the tasks and instants of the fires that it speaks of. */
  refs: string[];
}

export const reasonCodes = [
  "expected",
  "due_later",
  "jitter",
  "due_moved",
  "caught_up",
  "backfilled",
  "planned_late",
  "waited",
  "on_time",
  "retried",
  "retry_at",
  "task_queued",
  "no_worker",
  "breaker_open",
  "target_busy",
  "no_credit",
  "backlog",
  "queue_paused",
  "key_limit",
  "rate_limit",
  "starting",
  "task_running",
  "task_succeeded",
  "task_failed",
  "task_cancelled",
  "task_skipped",
  "start_within",
  "parents",
  "forgotten",
  "paused",
  "skipped",
  "excluded",
  "not_included",
  "rolled",
  "overlap",
  "missed",
  "catch_up",
  "withdrawn",
  "not_planned",
  "no_fire",
  "previous_fire",
  "next_fire",
  "after_end",
  "not_started",
  "ended",
  "max_fires",
  "before_creation",
  "other_rule",
] as const;
export type ReasonCode = (typeof reasonCodes)[number];

/** `message` is a whole sentence. */
export function reason(
  code: ReasonCode,
  message: string,
  { until = null, refs = [] }: { until?: number | null; refs?: string[] } = {},
): ExplanationReason {
  return { code, message, until, refs };
}

/** Of what somebody else said, so much stands in a sentence. */
const MESSAGE_LENGTH = 200;

/** On one line. */
export function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim().replace(/\.$/, "");
  return line.length > MESSAGE_LENGTH ? `${line.slice(0, MESSAGE_LENGTH)}…` : line;
}

/** The reasons as one sentence, the first of them in front. */
export function sentence(reasons: ExplanationReason[]): Explanation {
  const [first = "", ...others] = reasons.map(({ message }) => message.replace(/\.$/, ""));
  const joined = others.map((text) => text.charAt(0).toLowerCase() + text.slice(1));
  return { summary: `${[first, ...joined].join("; ")}.`, reasons };
}
