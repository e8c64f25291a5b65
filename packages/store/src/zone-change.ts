import type { FireShift } from "@carillon/core";
import type { ScheduleToShift, Store, ZoneChange } from "./store.ts";

type Request = Parameters<Store["adoptZoneData"]>[0];

/** What is told of a schedule; null: it fires as it did. `removed` are those of the shift's fires that could be withdrawn. */
export function zoneChangeOf(
  schedule: ScheduleToShift,
  { added, nextFireAt: after }: FireShift,
  removed: number[],
  { version, now }: Request,
): ZoneChange | null {
  const before = nextFireBefore(schedule, now);
  if (removed.length === 0 && added.length === 0 && (before === null || before === after)) return null;
  const { namespace, name, zoneData: from } = schedule;
  return { at: now, namespace, schedule: name, from, to: version, removed, added, nextFireAt: { before, after } };
}

/** The schedule's own next fire may have come since it was planned: then the ledger knows the one that follows, if it is planned. */
function nextFireBefore({ nextFireAt, paused, ahead }: ScheduleToShift, now: number): number | null {
  if (nextFireAt === null || nextFireAt > now) return nextFireAt;
  return paused ? null : (ahead.find(({ outcome }) => outcome === "task")?.fireAt ?? null);
}
