/** The limits of a queue as texts of a form, and back. */
import type { Queue, QueueSettings, RateLimit } from "../services/queues.ts";

export interface LimitFields {
  concurrency: string;
  concurrencyPerKey: string;
  /** `render=2, mail=5` */
  types: string;
  rate: string;
  ratePer: string;
  rateBurst: string;
  keyRate: string;
  keyRatePer: string;
  keyRateBurst: string;
  maxBacklog: string;
  failures: string;
  openFor: string;
  adaptive: boolean;
}

const text = (number: number | null) => (number === null ? "" : String(number));
/** A burst that is the default is not shown: it follows the limit. */
const burstOf = (rate: RateLimit | null) => (rate === null || rate.burst === rate.limit ? "" : String(rate.burst));

export function limitFieldsOf(queue: Queue): LimitFields {
  const { rateLimit, rateLimitPerKey, breaker } = queue;
  return {
    concurrency: text(queue.concurrency),
    concurrencyPerKey: text(queue.concurrencyPerKey),
    types: Object.entries(queue.concurrencyPerType ?? {})
      .map(([type, most]) => `${type}=${most}`)
      .join(", "),
    rate: text(rateLimit?.limit ?? null),
    ratePer: rateLimit?.per ?? "1s",
    rateBurst: burstOf(rateLimit),
    keyRate: text(rateLimitPerKey?.limit ?? null),
    keyRatePer: rateLimitPerKey?.per ?? "1s",
    keyRateBurst: burstOf(rateLimitPerKey),
    maxBacklog: text(queue.maxBacklog),
    failures: text(breaker?.failures ?? null),
    openFor: breaker?.openFor ?? "5s",
    adaptive: breaker?.adaptive ?? false,
  };
}

/** What is empty has no limit. Weights of fair keys, which the form does not show, stay as they are. */
export function readLimits(fields: LimitFields, { fairWeights }: Pick<Queue, "fairWeights">): QueueSettings {
  return {
    ...number("concurrency", fields.concurrency),
    ...number("concurrencyPerKey", fields.concurrencyPerKey),
    ...types(fields.types),
    ...rate("rateLimit", fields.rate, fields.ratePer, fields.rateBurst),
    ...rate("rateLimitPerKey", fields.keyRate, fields.keyRatePer, fields.keyRateBurst),
    ...number("maxBacklog", fields.maxBacklog),
    ...breaker(fields),
    ...(Object.keys(fairWeights).length === 0 ? {} : { fairWeights }),
  };
}

function number<Name extends string>(name: Name, value: string): Partial<Record<Name, number>> {
  return value.trim() === "" ? {} : ({ [name]: Number(value) } as Record<Name, number>);
}

function types(value: string): Pick<QueueSettings, "concurrencyPerType"> {
  if (value.trim() === "") return {};
  const pairs = value.split(",").map((item) => item.split("=").map((part) => part.trim()));
  return { concurrencyPerType: Object.fromEntries(pairs.map(([type = "", most = ""]) => [type, Number(most)])) };
}

function breaker({ failures, openFor, adaptive }: LimitFields): Pick<QueueSettings, "breaker"> {
  return failures.trim() === "" ? {} : { breaker: { failures: Number(failures), openFor: openFor.trim(), adaptive } };
}

function rate<Name extends string>(name: Name, limit: string, per: string, burst: string) {
  if (limit.trim() === "") return {};
  return { [name]: { limit: Number(limit), per: per.trim(), ...number("burst", burst) } };
}
