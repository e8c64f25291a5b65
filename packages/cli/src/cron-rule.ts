import type { CronDialect, ScheduleRule } from "@carillon/core";

/** A schedule that has nothing but an expression. */
export function cronRule(cron: string, timeZone: string, dialect: CronDialect): ScheduleRule {
  return {
    cron,
    timeZone,
    dialect,
    every: null,
    dst: { gap: "next", overlap: "first" },
    jitter: null,
    startAt: null,
    endAt: null,
    maxFires: null,
  };
}
