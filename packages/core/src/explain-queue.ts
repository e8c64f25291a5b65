/** Why a queue lets none of its tasks start, or none of one key. */
import { formatDuration } from "./duration.ts";
import { type ExplanationReason, reason, short } from "./explanation.ts";
import { formatInstant } from "./instant.ts";
import type { RateLimit } from "./token-bucket.ts";

export interface ExplainedQueue {
  /** Null: it is not paused. */
  pause: { at: number; reason: string | null } | null;
  settings: {
    concurrency?: number;
    concurrencyPerKey?: number;
    concurrencyPerType?: Record<string, number>;
    rateLimit?: RateLimit;
    rateLimitPerKey?: RateLimit;
  };
  /** The task's. */
  concurrencyKey: string | null;
  type: string;
  /** Ids of the tasks that hold slots, of the queue and of the key, and when their next tokens come; null: nobody asked. */
  facts: {
    held: readonly string[];
    tokenAt: number | null;
    keyHeld: readonly string[];
    keyTokenAt: number | null;
    typeHeld: readonly string[];
  } | null;
}

/** So many holders are told to programs, and so many to people. */
const MOST_REFS = 10;
const MOST_NAMED = 3;

/** Undefined: the type has no limit of its own. */
export function slotsOfType({ concurrencyPerType = {} }: ExplainedQueue["settings"], type: string): number | undefined {
  return Object.hasOwn(concurrencyPerType, type) ? concurrencyPerType[type] : undefined;
}

export function whyPaused(name: string, { pause }: ExplainedQueue): ExplanationReason[] {
  if (pause === null) return [];
  const because = pause.reason === null ? "" : ` (${short(pause.reason)})`;
  const since = `is paused since ${formatInstant(pause.at)}${because}`;
  return [
    reason("queue_paused", `Its queue ${name} ${since}, and starts nothing until it is resumed.`, { refs: [name] }),
  ];
}

export function whyLimited(
  name: string,
  { settings, concurrencyKey: key, type, facts }: ExplainedQueue,
  now: number,
): ExplanationReason[] {
  if (facts === null) return [];
  const { concurrency, concurrencyPerKey, rateLimit, rateLimitPerKey } = settings;
  const { held, keyHeld, typeHeld, tokenAt, keyTokenAt } = facts;
  return [
    ...(key === null ? [] : whyFull(`the concurrency key ${short(key)}`, concurrencyPerKey, keyHeld)),
    ...whyFull(`the type ${type} in the queue ${name}`, slotsOfType(settings, type), typeHeld),
    ...whyFull(`the queue ${name}`, concurrency, held),
    ...(key === null ? [] : whyTooFast("the key", rateLimitPerKey, keyTokenAt, now)),
    ...whyTooFast("the queue", rateLimit, tokenAt, now),
  ];
}

function whyFull(what: string, slots: number | undefined, held: readonly string[]): ExplanationReason[] {
  if (slots === undefined || held.length < slots) return [];
  const which = slots === 1 ? "The one slot" : `All ${slots.toLocaleString("en")} slots`;
  const message = `${which} of ${what} ${slots === 1 ? "is" : "are"} taken by ${listed(held)}.`;
  return [reason("key_limit", message, { refs: held.slice(0, MOST_REFS) })];
}

function listed(ids: readonly string[]): string {
  const named = ids.slice(0, MOST_NAMED);
  const more = ids.length - named.length;
  if (more > 0) return `${named.join(", ")} and ${more.toLocaleString("en")} other${more === 1 ? "" : "s"}`;
  return [named.slice(0, -1).join(", "), named.at(-1)].filter(Boolean).join(" and ");
}

function whyTooFast(what: string, rate: RateLimit | undefined, at: number | null, now: number): ExplanationReason[] {
  if (rate === undefined || at === null || at <= now) return [];
  const pace = `${rate.limit.toLocaleString("en")} may start in ${formatDuration(rate.perMs)}`;
  return [reason("rate_limit", `Of ${what}, ${pace}, the next at ${formatInstant(at)}.`, { until: at })];
}
