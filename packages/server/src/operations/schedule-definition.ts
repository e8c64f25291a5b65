/** A checked request as the definition that is stored: defaults filled in, instants and durations in their one written form. */
import {
  CarillonError,
  canonicalTimeZone,
  defaultDstOf,
  type FieldError,
  formatDuration,
  formatInstant,
  isHashed,
  parseDuration,
  parseInstant,
  type RuleSource,
  type ScheduleRule,
  validateRule,
} from "@carillon/core";
import type { ScheduleDefinition } from "@carillon/store";
import type { PutSchedule, RuleInput } from "../http/schemas/schedules.ts";
import { completeRetry, DEFAULT_PRIORITY, defaultPolicyOf, requiring } from "./new-task.ts";

export const defaultCatchUp: ScheduleDefinition["catchUp"] = { policy: "last", windowMs: 86_400_000, limit: 100 };

/**
 * The rule as it was sent; what cannot be read stays as it is for `validateRule` to name. The name is part of it only where a cron
 * expression is spread by it, and fields that older definitions do not have only where they are given: an equal definition stays equal.
 */
export function toRule(input: RuleInput, name = ""): ScheduleRule {
  const rules = input.rules?.map(toSource);
  const dst = defaultDstOf({ ...(input.rrule === undefined ? {} : { rrule: input.rrule }), ...(rules && { rules }) });
  const hashed = [input, ...(input.rules ?? [])].some(({ cron }) => cron !== undefined && isHashed(cron));
  return {
    cron: input.cron ?? null,
    every: typeof input.every === "string" ? rewrite(input.every, parseDuration, formatDuration) : null,
    ...(typeof input.every === "object"
      ? { delay: rewrite(input.every.interval, parseDuration, formatDuration)! }
      : {}),
    ...(input.rrule === undefined ? {} : { rrule: input.rrule }),
    ...(rules && { rules }),
    ...(hashed ? { hashKey: name } : {}),
    timeZone: input.timeZone === undefined ? "UTC" : (canonicalTimeZone(input.timeZone) ?? input.timeZone),
    dialect: input.dialect ?? "ocps",
    dst: { gap: input.dst?.gap ?? dst.gap, overlap: input.dst?.overlap ?? dst.overlap },
    jitter: rewrite(input.jitter, parseDuration, formatDuration),
    startAt: rewrite(input.startAt, parseInstant, formatInstant),
    endAt: rewrite(input.endAt, parseInstant, formatInstant),
    maxFires: input.maxFires ?? null,
    ...(input.roll === undefined || input.roll === "none" ? {} : { roll: input.roll }),
  };
}

function toSource({ cron, every, rrule, at }: NonNullable<RuleInput["rules"]>[number]): RuleSource {
  return {
    ...(cron === undefined ? {} : { cron }),
    ...(every === undefined ? {} : { every: rewrite(every, parseDuration, formatDuration)! }),
    ...(rrule === undefined ? {} : { rrule }),
    ...(at === undefined ? {} : { at }),
  };
}

function rewrite(
  text: string | undefined,
  parse: (text: string) => number | null,
  format: (ms: number) => string,
): string | null {
  if (text === undefined) return null;
  const ms = parse(text);
  return ms === null ? text : format(ms);
}

/** Throws `invalid_request` for a rule that cannot be read or, with `now`, never fires from then on. */
export function checkRule(rule: ScheduleRule, now: number | null): void {
  const errors = [
    ...(now === null
      ? validateRule(rule).filter(({ code }) => code !== "cron_never_fires")
      : // The fire of this very millisecond counts.
        validateRule(rule, now - 1)),
  ];
  if (errors.length > 0) throw ruleInvalid(errors);
}

function ruleInvalid(errors: FieldError[]): CarillonError {
  const { pointer, message } = errors[0]!;
  return new CarillonError("invalid_request", { detail: `${pointer}: ${message}`, errors });
}

/** `name`: the schedule's. */
export function toDefinition(input: PutSchedule, name: string): ScheduleDefinition {
  const { task, catchUp } = input;
  return {
    rule: toRule(input, name),
    catchUp: {
      policy: catchUp?.policy ?? defaultCatchUp.policy,
      windowMs: catchUp?.window ?? defaultCatchUp.windowMs,
      limit: catchUp?.limit ?? defaultCatchUp.limit,
    },
    overlap: input.overlap ?? "allow",
    ...(typeof input.pauseAfterFailures === "number" ? { pauseAfterFailures: input.pauseAfterFailures } : {}),
    ...(input.excludes?.length ? { excludes: input.excludes } : {}),
    ...(input.includes?.length ? { includes: input.includes } : {}),
    task: {
      type: task.type,
      payload: task.payload ?? null,
      queue: task.queue ?? null,
      priority: task.priority ?? DEFAULT_PRIORITY,
      retry: task.retry ? completeRetry(task.retry, defaultPolicyOf(task.type).retry) : null,
      timeoutMs: task.timeout ?? null,
      ...(task.startWithin === undefined ? {} : { startWithinMs: task.startWithin }),
      ...(task.finishWithin === undefined ? {} : { finishWithinMs: task.finishWithin }),
      ...(task.concurrencyKey === undefined ? {} : { concurrencyKey: task.concurrencyKey }),
      ...(task.fairKey === undefined ? {} : { fairKey: task.fairKey }),
      tags: task.tags ?? [],
      ...requiring(task.requires),
    },
  };
}

/** The definition as a `PUT` that would make it, without what is default null: what a merge patch is applied to. */
export function toPutBody({
  rule,
  catchUp,
  overlap,
  pauseAfterFailures,
  excludes = [],
  includes = [],
  task,
}: ScheduleDefinition): Record<string, unknown> {
  const { retry } = task;
  const { hashKey: _hashKey, delay: _delay, ...shown } = rule;
  return withoutNulls({
    ...shown,
    every: toEvery(rule),
    overlap,
    pauseAfterFailures: pauseAfterFailures ?? null,
    excludes,
    includes,
    catchUp: { policy: catchUp.policy, window: formatDuration(catchUp.windowMs), limit: catchUp.limit },
    task: withoutNulls({
      type: task.type,
      payload: task.payload === null ? null : JSON.parse(task.payload),
      queue: task.queue,
      priority: task.priority,
      retry: retry && {
        maxAttempts: retry.maxAttempts,
        backoff: {
          kind: retry.backoff.kind,
          initial: formatDuration(retry.backoff.initialMs),
          factor: retry.backoff.factor,
          max: formatDuration(retry.backoff.maxMs),
          jitter: retry.backoff.jitter,
        },
      },
      timeout: task.timeoutMs === null ? null : formatDuration(task.timeoutMs),
      startWithin: task.startWithinMs === undefined ? null : formatDuration(task.startWithinMs),
      finishWithin: task.finishWithinMs === undefined ? null : formatDuration(task.finishWithinMs),
      concurrencyKey: task.concurrencyKey ?? null,
      fairKey: task.fairKey ?? null,
      tags: task.tags,
      requires: task.requires ?? {},
    }),
  });
}

/** As the API names it. */
export function toEvery({ every, delay }: ScheduleRule): string | { interval: string; after: "end" } | null {
  return delay === undefined ? every : { interval: delay, after: "end" };
}

function withoutNulls(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}

/** RFC 7396: null removes, objects are merged, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
