import type { FireAhead, Id } from "@carillon/core";
import type { AdoptionAnswer, Store, ZoneChange } from "../store.ts";
import { zoneChangeOf } from "../zone-change.ts";
import { isLive, type MemoryDatabase, type ScheduleRow } from "./database.ts";
import { deleteTask } from "./rows.ts";
import { calendarsOf, plannedTasks, scheduleRecord } from "./schedules.ts";

type Request = Parameters<Store["adoptZoneData"]>[0];
type Shift = Parameters<Store["adoptZoneData"]>[1];

export function adoptZoneData(database: MemoryDatabase, request: Request, shift: Shift): AdoptionAnswer {
  const { version, limit } = request;
  const living = [...database.sessions.values()].filter(({ id }) => isLive(database, id));
  const newest = living.reduce((last, { zoneData }) => (zoneData !== null && zoneData > last ? zoneData : last), "");
  if (newest > version) return { kind: "older", newest };
  const foreign = [...database.schedules.values()].filter(
    ({ deletedAt, zoneData }) => deletedAt === null && zoneData !== null && zoneData !== version,
  );
  const [other] = otherVersions(foreign, version);
  const taken = foreign
    .filter(({ zoneData }) => zoneData === other)
    .sort((a, b) => a.plannedUntil - b.plannedUntil || (a.id < b.id ? -1 : 1))
    .slice(0, limit);
  const changes = taken.flatMap((row) => adopt(database, row, request, shift) ?? []);
  database.zoneChanges.push(...changes);
  return { kind: "adopted", schedules: taken.length, changes };
}

/** The one to begin with first: the latest of the older ones, else the earliest of the newer. */
function otherVersions(rows: ScheduleRow[], version: string): string[] {
  const versions = [...new Set(rows.map(({ zoneData }) => zoneData!))].sort();
  return [...versions.filter((each) => each < version).reverse(), ...versions.filter((each) => each > version)];
}

/** Null: it fires as it did. */
function adopt(database: MemoryDatabase, row: ScheduleRow, request: Request, shift: Shift): ZoneChange | null {
  const { version, now } = request;
  const fires = database.fires.get(row.id)!;
  const record = scheduleRecord(row);
  const schedule = {
    ...record,
    calendars: calendarsOf(database, record),
    zoneData: row.zoneData!,
    ahead: firesAhead(database, row, now),
  };
  const shifted = shift(schedule);
  row.zoneData = shifted === null ? null : version;
  if (shifted === null) return null;
  const removed = shifted.removed.filter((at) =>
    schedule.ahead.some(({ fireAt, outcome, waits }) => fireAt === at && (waits || outcome === "skipped")),
  );
  for (const fireAt of removed) {
    const fire = fires.get(fireAt)!;
    if (fire.outcome === "skipped") fires.delete(fireAt);
    else {
      deleteTask(database, database.tasks.get(fire.taskId!)!);
      Object.assign(fire, { outcome: "withdrawn", taskId: null, reason: `zone_data:${version}` });
      row.fires--;
    }
  }
  if (shifted.added.length > 0) row.plannedUntil = Math.min(row.plannedUntil, now);
  row.nextFireAt = shifted.nextFireAt;
  return zoneChangeOf(schedule, shifted, removed, request);
}

function firesAhead(database: MemoryDatabase, row: ScheduleRow, now: number): FireAhead[] {
  const waiting = new Set<Id>(plannedTasks(database, row).map(({ id }) => id));
  return [...database.fires.get(row.id)!.values()]
    .filter(({ fireAt }) => fireAt > now)
    .sort((a, b) => a.fireAt - b.fireAt)
    .flatMap(({ fireAt, outcome, taskId }) => {
      if (outcome !== "task" && outcome !== "skipped") return [];
      return { fireAt, outcome, waits: taskId !== null && waiting.has(taskId) };
    });
}

export function zoneChanges(database: MemoryDatabase, namespace: string, { limit }: { limit: number }): ZoneChange[] {
  return database.zoneChanges
    .filter((change) => change.namespace === namespace)
    .reverse()
    .slice(0, limit);
}
