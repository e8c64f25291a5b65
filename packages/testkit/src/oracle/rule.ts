/** The fires of a schedule's rule, as its definition writes it: cron, fixed intervals, and unions of them. RRULE and `H` are not read. */
import { type Dialect, type PlainRule, readPlainly } from "./plain-cron.ts";
import { type Policy, walkFires } from "./walk.ts";
import { WallClock } from "./wall-clock.ts";

export interface OracleSource {
  cron?: string | null;
  /** Such as `90s`. */
  every?: string | null;
}

export interface OracleRule extends OracleSource {
  rules?: readonly OracleSource[];
  timeZone: string;
  dialect: Dialect;
  dst: Policy;
  startAt: string | null;
  endAt: string | null;
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };
const clocks = new Map<string, WallClock>();
const readings = new Map<string, PlainRule>();

/** With `from <= fire <= until`, in order. */
export function firesOfRule(rule: OracleRule, from: number, until: number): number[] {
  const startAt = rule.startAt === null ? null : Date.parse(rule.startAt);
  const first = Math.max(from, startAt ?? from);
  const last = rule.endAt === null ? until : Math.min(until, Date.parse(rule.endAt) - 1);
  const sources = rule.rules ?? [rule];
  const fires = new Set(sources.flatMap((source) => firesOfSource(source, { rule, startAt, first, last })));
  return [...fires].sort((a, b) => a - b);
}

function firesOfSource(
  { cron, every }: OracleSource,
  given: { rule: OracleRule; startAt: number | null; first: number; last: number },
): number[] {
  const { rule, startAt, first, last } = given;
  if (first > last) return [];
  if (every != null) {
    const [, count, unit] = /^(\d+)([a-z]+)$/.exec(every) ?? [];
    const interval = Number(count) * UNITS[unit!]!;
    const fires: number[] = [];
    const anchor = startAt ?? 0;
    for (let at = anchor + Math.ceil((first - anchor) / interval) * interval; at <= last; at += interval)
      fires.push(at);
    return fires;
  }
  const { timeZone, dialect, dst } = rule;
  const reading = remembered(readings, `${dialect} ${cron}`, () => readPlainly(cron!, dialect));
  const clock = remembered(clocks, timeZone, () => new WallClock(timeZone));
  return walkFires(reading, clock, dst, first, last);
}

function remembered<Value>(known: Map<string, Value>, key: string, make: () => Value): Value {
  let value = known.get(key);
  if (value === undefined) known.set(key, (value = make()));
  return value;
}
