/** The rule of a schedule as the form holds it, and back. What the form does not know stays as it was. */
import { isTimeZone } from "../format/zones.ts";
import type { Rule, RuleSource, ScheduleDefinition } from "../services/schedules.ts";

export const ruleKinds = ["cron", "every", "rrule"] as const;
export type RuleKind = (typeof ruleKinds)[number];

/** One rule; the texts of the other kinds are kept while somebody tries them. */
export interface RuleRow {
  /** `kept`: something that this form has no field for. */
  kind: RuleKind | "kept";
  cron: string;
  every: string;
  rrule: string;
  kept: RuleSource | null;
}

export interface RuleFields {
  /** It fires whenever one of them does. */
  rows: RuleRow[];
  zone: string;
  dialect: string;
  /** Names of calendars. */
  excludes: string[];
  includes: string[];
  /** To which day goes what they take out. */
  roll: Roll;
}

export const rolls = ["none", "next", "previous"] as const;
export type Roll = (typeof rolls)[number];

export const emptyRow: RuleRow = { kind: "cron", cron: "", every: "5m", rrule: "", kept: null };
export const DEFAULT_DIALECT = "ocps";

/** At most so many rules in one schedule. */
export const MOST_RULES = 20;

/** The fields as they stand for a schedule. */
export function ruleFieldsOf({ cron, every, rrule, rules, timeZone, dialect, ...calendars }: Rule): RuleFields {
  const { excludes = [], includes = [], roll } = calendars;
  const sources = rules ?? [{ cron, every, rrule }];
  return {
    rows: sources.map(rowOf),
    zone: timeZone ?? "UTC",
    dialect: dialect ?? DEFAULT_DIALECT,
    excludes,
    includes,
    roll: rolls.find((each) => each === roll) ?? "none",
  };
}

function rowOf(source: RuleSource): RuleRow {
  const kind = ruleKinds.find((each) => typeof source[each] === "string");
  return kind === undefined ? { ...emptyRow, kind: "kept", kept: source } : { ...emptyRow, kind, [kind]: source[kind] };
}

/** Null while something is missing. `asList`: also a single rule is told as a list of rules. */
export function readRule(fields: RuleFields, base: ScheduleDefinition | null): Rule | null {
  const { rows, zone, dialect, excludes, includes, roll } = fields;
  const sources = rows.map(readRow);
  if (sources.includes(null) || !isTimeZone(zone.trim())) return null;
  const asList = rows.length > 1 || base?.rules !== undefined;
  return {
    ...(asList ? { rules: sources as RuleSource[] } : sources[0]!),
    timeZone: zone.trim(),
    ...(dialect !== DEFAULT_DIALECT || base?.dialect !== undefined ? { dialect } : {}),
    ...(excludes.length > 0 ? { excludes } : {}),
    ...(includes.length > 0 ? { includes } : {}),
    ...(roll !== "none" && excludes.length + includes.length > 0 ? { roll } : {}),
  };
}

function readRow({ kind, kept, ...texts }: RuleRow): RuleSource | null {
  if (kind === "kept") return kept;
  const text = texts[kind].trim();
  return text === "" ? null : { [kind]: text };
}

/** What decides when it fires: the rule of the form, and whatever else of that the base has. `H` is spread by the schedule's name. */
export function readPreview(base: ScheduleDefinition | null, fields: RuleFields, name: string): Rule | null {
  const read = readRule(fields, base);
  const kept = fireFields.filter((field) => base?.[field] !== undefined).map((field) => [field, base![field]]);
  const hashed = fields.rows.some(({ kind, cron }) => kind === "cron" && /\bH\b/i.test(cron));
  return read && { ...Object.fromEntries(kept), ...read, ...(hashed && isName(name) ? { name } : {}) };
}

const fireFields = ["dst", "jitter", "startAt", "endAt", "maxFires"];
const isName = (text: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(text);

/** Where the server says that something is wrong with a rule. */
export function rulePointers({ rows }: RuleFields, base: ScheduleDefinition | null): string[] {
  const asList = rows.length > 1 || base?.rules !== undefined;
  const of = (parent: string) => ruleKinds.map((kind) => `${parent}/${kind}`);
  return [
    ...(asList ? rows.flatMap((_, index) => of(`/rules/${index}`)) : of("")),
    "/timeZone",
    "/dialect",
    "/excludes",
    "/includes",
    "/roll",
  ];
}
