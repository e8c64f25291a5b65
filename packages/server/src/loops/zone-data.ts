/**
 * Time zone data comes with the runtime, so nodes of one cluster may have different data for a while, and a restart may bring newer. The
 * newest among the living nodes that plan wins: with another, a node leaves the schedules that look at zones to the others. Plans that
 * were made with other data than the winner's are looked at once, and changed where they would be different now.
 */
import { type Clock, dependsOnZoneData, type FireShift, formatInstant, shiftFires } from "@carillon/core";
import type { ScheduleToShift, Store, ZoneChange } from "@carillon/store";
import type { Log } from "../dispatch/options.ts";

/** How soon a node learns that another has newer data, or is gone. */
const LOOK_MS = 5_000;
const SCHEDULES_A_ROUND = 100;
/** Schedules named in a line of the log; the rest is in `GET /api/v1/stats`. */
const NAMED = 10;

/** Told which schedules fire differently. */
export type NoticeZoneChanges = (schedules: readonly Pick<ScheduleToShift, "name" | "namespace" | "paused">[]) => void;

export interface ZoneData {
  readonly version: string;
  /** Looks now and then for plans made with other data. True: there are more. */
  round(): Promise<boolean>;
  /** Whether a schedule that depends on zones may be planned on here, its plan so far having been made with this data. */
  mayPlan(plannedWith: string | null): boolean;
}

export function createZoneData(options: {
  store: Store;
  clock: Clock;
  log: Log;
  version: string;
  onChanged: NoticeZoneChanges;
}): ZoneData {
  const { store, clock, log, version, onChanged } = options;
  let lookAt = Number.NEGATIVE_INFINITY;
  let newest: string | null = null;

  function shift(schedule: ScheduleToShift, now: number): FireShift | null {
    const { id, definition, calendars, plannedUntil, paused, pause, fires: firesSoFar, ahead } = schedule;
    const { rule, catchUp } = definition;
    try {
      if (!dependsOnZoneData(rule, calendars)) return null;
      const pausedUntil = pause?.until ?? null;
      return shiftFires({ id, rule, catchUp, calendars, plannedUntil, firesSoFar, paused, pausedUntil }, ahead, now);
    } catch (error) {
      // The planner cannot read it either; its plan stays as another version made it.
      log.error({ error, schedule: schedule.name, namespace: schedule.namespace }, "a schedule cannot be planned anew");
      return { removed: [], added: [], nextFireAt: schedule.nextFireAt };
    }
  }

  return {
    version,
    async round() {
      if (clock.monotonic() < lookAt) return false;
      const now = Math.floor(clock.now());
      const asked: ScheduleToShift[] = [];
      const answer = await store.adoptZoneData({ version, now, limit: SCHEDULES_A_ROUND }, (schedule) => {
        asked.push(schedule);
        return shift(schedule, now);
      });
      const winner = answer.kind === "older" ? answer.newest : version;
      if (winner !== (newest ?? version)) log.info({ own: version, newest: winner }, whoPlans(winner, version));
      newest = winner;
      if (answer.kind === "adopted" && answer.changes.length > 0) {
        log.warn(summary(answer.changes), "time zone data changed, and schedules with it");
        const changed = new Set(answer.changes.map(({ namespace, schedule }) => `${namespace} ${schedule}`));
        onChanged(asked.filter(({ namespace, name }) => changed.has(`${namespace} ${name}`)));
      }
      const more = answer.kind === "adopted" && answer.schedules === SCHEDULES_A_ROUND;
      if (!more) lookAt = clock.monotonic() + LOOK_MS;
      return more;
    },
    mayPlan: (plannedWith) => newest === version && (plannedWith === null || plannedWith === version),
  };
}

function whoPlans(winner: string, own: string): string {
  return winner === own
    ? "no living node has newer time zone data: this one plans with its own"
    : "another node has newer time zone data, and plans what depends on it";
}

function summary(changes: readonly ZoneChange[]): object {
  const { from, to } = changes[0]!;
  const schedules = changes.slice(0, NAMED).map(({ schedule, namespace, nextFireAt, removed, added }) => {
    const next = nextFireAt.after === null ? null : formatInstant(nextFireAt.after);
    return { schedule, namespace, removed: removed.length, added: added.length, next };
  });
  return { from, to, changed: changes.length, schedules };
}
