/** The ledger of a schedule: what became of its fires, followed by those that are expected. */
import { comingBetween, firesBetween, limits, type Placement } from "@carillon/core";
import type { ScheduleSummary } from "@carillon/store";
import type { FireAnswer, ListFires } from "../http/schemas/schedules.ts";
import type { Deps } from "./deps.ts";
import { readPageToken, writePageToken } from "./page-token.ts";
import { findSchedule } from "./schedules.ts";
import { toExpectedFire, toFire } from "./views.ts";

const DAY_MS = 86_400_000;
const NEXT_FIRES = 10;

/** Where a page begins. The range is part of it, because by default it depends on when the first page was asked for. */
interface Cursor {
  from: number;
  to: number;
  /** In the ledger; null: at its start, or past it. */
  ledger: string | null;
  /** The last expected fire shown; null: the ledger is not finished. */
  expected: number | null;
  /** How many expected fires were shown. */
  shown: number;
}

/** Oldest first, `from <= at < to`; without a range the last 24 hours and the next ten fires. */
export async function listFires(
  deps: Deps,
  namespace: string,
  name: string,
  { pageSize = limits.defaultPageSize, pageToken, ...query }: ListFires,
): Promise<{ fires: FireAnswer[]; nextPageToken: string | null }> {
  const list = ["fires", namespace, name, query];
  const token = readPageToken(list, pageToken);
  const schedule = await findSchedule(deps, namespace, name);
  const now = deps.clock.now();
  const { rule } = schedule.definition;
  const cursor: Cursor = token
    ? JSON.parse(token)
    : { ...rangeOf(schedule, query, now), ledger: null, expected: null, shown: 0 };
  const fires: FireAnswer[] = [];
  let next: Cursor | null = null;
  if (cursor.expected === null && query.outcome !== "expected") {
    const { from, to, ledger: after } = cursor;
    const outcome = query.outcome === undefined ? {} : { outcome: query.outcome };
    const page = await deps.store.listFires(schedule.id, { from, to, pageSize, after, ...outcome });
    fires.push(...page.items.map((fire) => toFire(fire, rule, now)));
    if (page.next !== null) next = { ...cursor, ledger: page.next };
  }
  if (next === null && (query.outcome === undefined || query.outcome === "expected")) {
    const after = Math.max(cursor.expected ?? Math.max(schedule.plannedUntil, cursor.from - 1), pauseEnd(schedule) - 1);
    const expected = expectedFires(schedule, after, cursor, pageSize - fires.length + 1);
    const shown = expected.slice(0, pageSize - fires.length);
    fires.push(...shown.map((placement) => toExpectedFire(placement, schedule)));
    if (expected.length > shown.length) {
      next = { ...cursor, ledger: null, expected: shown.at(-1)?.fireAt ?? after, shown: cursor.shown + shown.length };
    }
  }
  return { fires, nextPageToken: writePageToken(list, next && JSON.stringify(next)) };
}

function rangeOf(
  { definition, calendars, ...schedule }: ScheduleSummary,
  { from, to }: Pick<ListFires, "from" | "to">,
  now: number,
): { from: number; to: number } {
  const begin = from ?? Math.min(now, to ?? now) - DAY_MS;
  if (to !== undefined) return { from: begin, to };
  const awake = pauseEnd(schedule);
  const after = Math.max(now, begin - 1, awake === Number.POSITIVE_INFINITY ? 0 : awake - 1);
  const coming =
    definition.rule.delay === undefined
      ? firesBetween(definition.rule, after, Number.POSITIVE_INFINITY, NEXT_FIRES, calendars).at(-1)
      : schedule.nextFireAt;
  return { from: begin, to: Math.max(begin, (coming ?? now) + 1) };
}

/** Before it nothing is expected; Infinity: the pause has no end. */
function pauseEnd({ paused, pause }: Pick<ScheduleSummary, "paused" | "pause">): number {
  return paused ? (pause?.until ?? Number.POSITIVE_INFINITY) : 0;
}

function expectedFires(schedule: ScheduleSummary, after: number, { to, shown }: Cursor, limit: number): Placement[] {
  const { rule } = schedule.definition;
  const left = rule.maxFires === null ? limit : rule.maxFires - schedule.fires - shown;
  if (after === Number.POSITIVE_INFINITY || left <= 0) return [];
  if (rule.delay !== undefined) {
    // Of a fixed delay the next fire is known once the task before it has ended.
    const { nextFireAt: next } = schedule;
    return next !== null && next > after && next < to && shown === 0
      ? [{ fireAt: next, rolledFrom: null, takenOut: null }]
      : [];
  }
  return comingBetween(rule, after, to - 1, Math.min(limit, left), schedule.calendars);
}
