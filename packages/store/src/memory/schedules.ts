import { isDeepStrictEqual } from "node:util";
import type { NamedCalendar } from "@carillon/core";
import { calendarNames, namedCalendars } from "../calendar-names.ts";
import { pastAfterChange } from "../past-rules.ts";
import { asOf, changesPause, type PauseRequest, pauseOf } from "../pause.ts";
import type { Page, ScheduleDefinition, ScheduleRecord, ScheduleSummary, ScheduleTiming, Store } from "../store.ts";
import { type FireRow, type MemoryDatabase, nameKey, type ScheduleRow, type TaskRow } from "./database.ts";
import { deleteTask } from "./rows.ts";

type PutRequest = Parameters<Store["putSchedule"]>[0];
type PutAnswer = Awaited<ReturnType<Store["putSchedule"]>>;

export function putSchedule(database: MemoryDatabase, request: PutRequest): PutAnswer {
  const { namespace, name, now, expect, nextFireAt } = request;
  const definition: ScheduleDefinition = JSON.parse(JSON.stringify(request.definition));
  const unknown = calendarNames(definition).find((calendar) => !database.calendars.has(nameKey(namespace, calendar)));
  if (unknown !== undefined) return { kind: "unknown_calendar", name: unknown };
  const existing = findSchedule(database, namespace, name);
  if (expect === "create" && existing) return { kind: "exists" };
  if (typeof expect === "number" && existing?.version !== expect) return { kind: "version_mismatch" };
  if (!existing) {
    if (database.schedules.has(request.id)) return { kind: "deleted" };
    const paused = request.paused ?? false;
    const row: ScheduleRow = {
      id: request.id,
      namespace,
      name,
      version: 1,
      definition,
      paused,
      pause: pauseOf({ paused, pause: null }, { paused, reason: null }, now),
      plannedUntil: now,
      fires: 0,
      nextFireAt,
      createdAt: now,
      updatedAt: now,
      past: [],
      zoneData: null,
      deletedAt: null,
    };
    database.schedules.set(row.id, row);
    database.scheduleNames.set(nameKey(namespace, name), row.id);
    database.fires.set(row.id, new Map());
    return { kind: "created", schedule: scheduleRecord(row) };
  }
  const pausing = request.paused !== undefined && request.paused !== asOf(existing, now).paused;
  const changing = !isDeepStrictEqual(definition, existing.definition);
  if (pausing || changing) pastAfterChange(existing, now, []); // Refuses both before either is done.
  if (pausing) pauseSchedule(database, existing, { paused: request.paused!, reason: null, now });
  if (changing) {
    changeDefinition(database, existing, { definition, now, nextFireAt, calendars: calendarsOf(database, existing) });
  }
  return { kind: pausing || changing ? "changed" : "unchanged", schedule: asOf(scheduleRecord(existing), now) };
}

/** Later fires are withdrawn and planned anew; what was in force until now is kept while the planner is behind. */
export function changeDefinition(
  database: MemoryDatabase,
  existing: ScheduleRow,
  change: { definition: ScheduleDefinition; now: number; nextFireAt: number | null; calendars: NamedCalendar[] },
): void {
  const { definition, now, nextFireAt, calendars } = change;
  const past = pastAfterChange(existing, now, calendars);
  withdraw(database, existing, now, (fire) => Object.assign(fire, withdrawn("edited")));
  Object.assign(existing, {
    definition,
    version: existing.version + 1,
    plannedUntil: Math.min(existing.plannedUntil, now),
    nextFireAt,
    past,
    updatedAt: now,
  });
}

/** Those that it excludes, in its order, then those that it includes. */
export function calendarsOf(
  database: MemoryDatabase,
  { namespace, definition }: Pick<ScheduleRecord, "namespace" | "definition">,
): NamedCalendar[] {
  return namedCalendars(definition, (name) => database.calendars.get(nameKey(namespace, name))?.calendar);
}

export function getSchedule(
  database: MemoryDatabase,
  namespace: string,
  name: string,
  now: number,
): ScheduleSummary | null {
  const row = findSchedule(database, namespace, name);
  return row && scheduleSummary(database, row, now);
}

export function listSchedules(
  database: MemoryDatabase,
  namespace: string,
  { now, pageSize, after, text }: { now: number; pageSize: number; after: string | null; text?: string },
): Page<ScheduleSummary> {
  const rows = [...database.schedules.values()]
    .filter((row) => row.namespace === namespace && row.deletedAt === null)
    .filter((row) => after === null || row.name > after)
    .filter((row) => text === undefined || hasText(row, text.toLowerCase()))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const items = rows.slice(0, pageSize).map((row) => scheduleSummary(database, row, now));
  return { items, next: rows.length > pageSize ? items.at(-1)!.name : null };
}

export function scheduleTimings(
  database: MemoryDatabase,
  namespace: string,
  { after, limit }: { after: string | null; limit: number },
): ScheduleTiming[] {
  return [...database.schedules.values()]
    .filter((row) => row.namespace === namespace && row.deletedAt === null && (after === null || row.name > after))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, limit)
    .map(({ id, name, definition, paused, pause, plannedUntil, fires }) => {
      const calendars = calendarsOf(database, { namespace, definition });
      const pausedUntil = pause?.until ?? null;
      return { id, name, rule: definition.rule, calendars, paused, pausedUntil, plannedUntil, fires };
    });
}

/** What was due before and waits to be planned stays as it was. */
export function deleteSchedule(database: MemoryDatabase, namespace: string, name: string, now: number): boolean {
  const row = findSchedule(database, namespace, name);
  if (!row) return false;
  const past = pastAfterChange(row, now, calendarsOf(database, row), { last: true });
  withdraw(database, row, now, (fire) => Object.assign(fire, withdrawn("deleted")));
  Object.assign(row, { deletedAt: now, updatedAt: now, past, zoneData: null });
  database.scheduleNames.delete(nameKey(namespace, name));
  return true;
}

export function setPaused(
  database: MemoryDatabase,
  namespace: string,
  name: string,
  request: PauseRequest & { now: number },
): ScheduleRecord | null {
  const row = findSchedule(database, namespace, name);
  if (!row) return null;
  const { now } = request;
  if (changesPause(asOf(row, now), request)) pauseSchedule(database, row, request);
  return asOf(scheduleRecord(row), now);
}

/** Later fires are planned anew: as skipped while paused, as tasks afterwards. Earlier ones that wait to be planned stay as they were. */
export function pauseSchedule(
  database: MemoryDatabase,
  row: ScheduleRow,
  request: PauseRequest & { now: number },
): void {
  const { paused, now } = request;
  const past = pastAfterChange(row, now, calendarsOf(database, row));
  if (paused) withdraw(database, row, now, (fire, fires) => fires.delete(fire.fireAt));
  else unskip(database, row, now);
  const plannedUntil = Math.min(row.plannedUntil, now);
  Object.assign(row, { paused, pause: pauseOf(asOf(row, now), request, now), plannedUntil, past, updatedAt: now });
}

/**
 * Takes away the tasks of fires after `now` that nobody ever claimed, and what a pause would have skipped; `settle` says what becomes of
 * the tasks' fires.
 */
function withdraw(
  database: MemoryDatabase,
  row: ScheduleRow,
  now: number,
  settle: (fire: FireRow, fires: Map<number, FireRow>) => void,
): void {
  const fires = database.fires.get(row.id)!;
  for (const task of plannedTasks(database, row)) {
    if (task.fireAt! <= now) continue;
    deleteTask(database, task);
    const fire = fires.get(task.fireAt!);
    if (fire?.taskId === task.id) settle(fire, fires);
    row.fires--;
  }
  unskip(database, row, now);
}

function unskip(database: MemoryDatabase, row: ScheduleRow, now: number): void {
  const fires = database.fires.get(row.id)!;
  for (const fire of fires.values()) {
    if (fire.outcome === "skipped" && fire.fireAt > now) fires.delete(fire.fireAt);
  }
}

const withdrawn = (reason: string) => ({ outcome: "withdrawn", taskId: null, reason }) as const;

/** Tasks of its fires that nobody ever claimed. */
export function plannedTasks(database: MemoryDatabase, row: ScheduleRow): TaskRow[] {
  return [...(database.scheduled.get(row.id) ?? [])]
    .map((id) => database.tasks.get(id)!)
    .filter(
      (task) =>
        task.trigger === "schedule" &&
        task.fireAt !== null &&
        (task.state === "pending" || task.state === "waiting") &&
        task.attempt === 0,
    );
}

export function findSchedule(database: MemoryDatabase, namespace: string, name: string): ScheduleRow | null {
  const id = database.scheduleNames.get(nameKey(namespace, name));
  return id === undefined ? null : (database.schedules.get(id) ?? null);
}

export function scheduleRecord({ deletedAt: _, past: __, zoneData: ___, ...record }: ScheduleRow): ScheduleRecord {
  return { ...record, pause: record.pause && { ...record.pause } };
}

function scheduleSummary(database: MemoryDatabase, row: ScheduleRow, now: number): ScheduleSummary {
  const last = [...(database.fires.get(row.id)?.values() ?? [])]
    .filter((fire) => fire.outcome === "task" && fire.fireAt <= now)
    .reduce<FireRow | null>((latest, fire) => (latest === null || fire.fireAt > latest.fireAt ? fire : latest), null);
  const task = last && (database.tasks.get(last.taskId!) ?? database.archive.get(last.taskId!));
  return {
    ...asOf(scheduleRecord(row), now),
    calendars: calendarsOf(database, row),
    lastFireAt: last?.fireAt ?? null,
    lastTask: task ? { id: task.id, state: task.state, dueAt: task.dueAt, failures: task.failures } : null,
  };
}

function hasText(row: ScheduleRow, text: string): boolean {
  return row.name.toLowerCase().includes(text) || row.definition.task.type.toLowerCase().includes(text);
}
