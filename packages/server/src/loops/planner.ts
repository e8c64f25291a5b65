/**
 * Schedules become tasks, ahead of time. Every node plans; the store gives each schedule to one of them at a time, and a fire's row is
 * unique for ever, so nothing here has to be in charge.
 */
import {
  CATCH_UP_PRIORITY,
  type Clock,
  dependsOnZoneData,
  type Id,
  type IdSource,
  MISSED_AFTER_MS,
  planDelayedFires,
  planFires,
} from "@carillon/core";
import type { NewTask, SchedulePlan, ScheduleRecord, ScheduleToPlan, Store, TypeDeclaration } from "@carillon/store";
import type { CreatedTask } from "../dispatch/demand.ts";
import type { Log } from "../dispatch/options.ts";
import { settle } from "../operations/new-task.ts";
import { ownZoneData } from "../zone-data-version.ts";
import { createZoneData, type NoticeZoneChanges } from "./zone-data.ts";

/** Fires become tasks so long before their instant at most: two of a schedule that fires each minute, so that it is taken half as often. */
const HORIZON_MS = 120_000;
/** One whose next fires are as near as this is planned for the nearest time first, so that it does not keep others like it waiting. */
const URGENT_MS = 5_000;
const URGENT_HORIZON_MS = 15_000;
/** A schedule is planned again once less than this is planned. */
const REPLAN_MS = 30_000;
const SCHEDULES_A_ROUND = 200;
const FIRES_A_SCHEDULE = 250;
/** Planning and recording stand in the way of everything else that this process does, so a round soon leaves the rest to the next. */
const SLICE_MS = 20;
const FIRES_A_ROUND = 1_000;
const PAUSE_MS = 1_000;
const DECLARATIONS_AGE_MS = 5_000;
/**
 * A node that starts into a schedule left behind long ago lets the one that was first decide whether that time was a downtime: the decision
 * takes as long as observing that all earlier nodes are dead.
 */
const DOWNTIME_DECISION_MS = 15_000;

export interface Planner {
  round(): Promise<number>;
  /** A type was declared anew. */
  forgetTypes(): void;
}

export function createPlanner(options: {
  store: Store;
  clock: Clock;
  ids: IdSource;
  log: Log;
  noticeCreated: (tasks: readonly CreatedTask[]) => void;
  /** Tasks wait at gates that may not have been known before. */
  gatesChanged?: () => void;
  /** The version of the time zone data that it plans with. Default: this process'. */
  zoneData?: string | undefined;
  /** New time zone data has changed when these fire. */
  noticeZoneChanges?: NoticeZoneChanges | undefined;
}): Planner {
  const { store, clock, ids, log, noticeCreated, gatesChanged } = options;
  const startedAt = clock.monotonic();
  const zones = createZoneData({
    store,
    clock,
    log,
    version: options.zoneData ?? ownZoneData,
    onChanged: options.noticeZoneChanges ?? (() => {}),
  });
  const declared = new Map<string, { readAt: number; types: Map<string, TypeDeclaration> }>();
  const wanted = new Set<string>();
  /** Schedules that this node cannot plan, with the version that was tried: another one's zone, or a dialect it does not know. */
  const unreadable = new Map<Id, number>();

  /** Plans are made inside the store's transaction and cannot wait: what a namespace declares is read before. */
  async function readTypes(): Promise<void> {
    for (const namespace of wanted) {
      const readAt = clock.monotonic();
      const types = new Map((await store.types(namespace)).map((declaration) => [declaration.type, declaration]));
      declared.set(namespace, { readAt, types });
      wanted.delete(namespace);
    }
  }

  const typesOf = (namespace: string) => {
    const known = declared.get(namespace);
    return known && clock.monotonic() - known.readAt < DECLARATIONS_AGE_MS ? known.types : null;
  };

  function plan(schedule: ScheduleToPlan, round: Round): SchedulePlan {
    const { now, downtimes } = round;
    const { plannedUntil: mark, definition } = schedule;
    const byZones = dependsOnZoneData(definition.rule, schedule.calendars);
    if (byZones && !zones.mayPlan(schedule.zoneData)) return asItWas(schedule);
    const types = typesOf(schedule.namespace);
    if (!types) {
      wanted.add(schedule.namespace);
      return asItWas(schedule);
    }
    const gaps = downtimes.filter(({ until }) => until > mark);
    const leftBehind = mark < now - MISSED_AFTER_MS && gaps.length === 0;
    if (leftBehind && clock.monotonic() - startedAt < DOWNTIME_DECISION_MS) return asItWas(schedule);
    const planning = {
      ...schedule,
      rule: definition.rule,
      catchUp: definition.catchUp,
      firesSoFar: schedule.fires,
      previous: schedule.previous ?? null,
    };
    const horizonMs = mark < now + URGENT_MS ? URGENT_HORIZON_MS : HORIZON_MS;
    const time = {
      ...{ now, horizonMs, limit: FIRES_A_SCHEDULE },
      aliveSince: gaps.at(-1)?.until ?? mark,
      deadSince: gaps[0]?.from ?? mark,
    };
    const delayed = definition.rule.delay !== undefined;
    const planned = delayed ? planDelayedFires(planning, time) : planFires(planning, time);
    const hasTasks = planned.fires.some(({ outcome }) => outcome === "task");
    const awaited =
      (delayed && (hasTasks || planning.previous?.open)) || (hasTasks && definition.pauseAfterFailures !== undefined);
    if (awaited) round.awaiting = true;
    const declaration = types.get(definition.task.type) ?? null;
    return {
      plannedUntil: planned.plannedUntil,
      lookAt: awaited ? now : null,
      // A rule of the past does not say when the schedule fires next.
      nextFireAt: schedule.until === null ? planned.nextFireAt : schedule.nextFireAt,
      zoneData: byZones ? zones.version : null,
      fires: planned.fires.map(({ fireAt, dueAt, outcome, reason, caughtUp }) => ({
        fireAt,
        outcome,
        reason,
        caughtUp,
        task:
          outcome === "task" ? fireTask(schedule, declaration, { id: ids.next(now), fireAt, dueAt, caughtUp }) : null,
      })),
    };
  }

  /** A schedule that cannot be planned keeps nobody else from being planned. */
  function tryPlan(schedule: ScheduleToPlan, round: Round): SchedulePlan {
    round.sliceEndsAt ??= clock.monotonic() + SLICE_MS;
    if (round.fires >= FIRES_A_ROUND || clock.monotonic() > round.sliceEndsAt) {
      round.unfinished = true;
      return asItWas(schedule);
    }
    try {
      const planned = plan(schedule, round);
      unreadable.delete(schedule.id);
      round.fires += planned.fires.length;
      if (planned.plannedUntil > schedule.plannedUntil) round.moved++;
      if (planned.plannedUntil < round.before) round.unfinished ||= planned.plannedUntil > schedule.plannedUntil;
      return planned;
    } catch (error) {
      if (schedule.until !== null) return givenUp(schedule, round, error);
      if (unreadable.get(schedule.id) !== schedule.version)
        log.error({ error, schedule: schedule.name, namespace: schedule.namespace }, "a schedule cannot be planned");
      unreadable.set(schedule.id, schedule.version);
      return asItWas(schedule);
    }
  }

  /** A rule of the past that cannot be planned would hold up the one that took its place, perhaps to mend it. */
  function givenUp(
    { id, name, namespace, until, nextFireAt, zoneData }: ScheduleToPlan,
    round: Round,
    error: unknown,
  ): SchedulePlan {
    log.error({ error, schedule: name, namespace, until: new Date(until!) }, "fires before a change cannot be planned");
    unreadable.delete(id);
    round.moved++;
    round.unfinished = true;
    return { fires: [], plannedUntil: until!, nextFireAt, zoneData };
  }

  /** What waits at a gate is nobody's yet. */
  function notice(tasks: readonly NewTask[]): void {
    const free = tasks.filter(({ gateId }) => !gateId);
    if (free.length > 0) noticeCreated(free);
    if (free.length < tasks.length) gatesChanged?.();
  }

  return {
    async round() {
      const now = clock.now();
      const before = now + REPLAN_MS;
      const downtimes = await store.downtimes(0);
      await readTypes();
      const moreOfZones = await zones.round();
      const round: Round = {
        ...{ now, before, downtimes, sliceEndsAt: null },
        ...{ fires: 0, moved: 0, unfinished: false, awaiting: false },
      };
      // Those that cannot be planned come first, as their marks stay behind.
      const limit = SCHEDULES_A_ROUND + unreadable.size;
      const { schedules, tasks } = await store.planSchedules({ before, limit, now }, (schedule) =>
        tryPlan(schedule, round),
      );
      if (tasks.length > 0) notice(tasks);
      if (round.awaiting) gatesChanged?.();
      const more = round.unfinished || (schedules === limit && round.moved > 0);
      return wanted.size > 0 || more || moreOfZones ? 0 : PAUSE_MS;
    },
    forgetTypes: () => declared.clear(),
  };
}

interface Round {
  now: number;
  before: number;
  downtimes: { from: number; until: number }[];
  /** Monotonic; set by the first schedule. */
  sliceEndsAt: number | null;
  /** How many were planned. */
  fires: number;
  /** How many marks moved on. */
  moved: number;
  /** Some schedule is to be planned further at once. */
  unfinished: boolean;
  /** Some schedule waits for an end. */
  awaiting: boolean;
}

const asItWas = ({ plannedUntil, nextFireAt, zoneData }: ScheduleToPlan): SchedulePlan => ({
  fires: [],
  plannedUntil,
  nextFireAt,
  zoneData,
});

/** What a fire creates. A template leaves fields out as a create does: then the type's latest declaration counts, then the default. */
function fireTask(
  schedule: ScheduleRecord,
  declaration: TypeDeclaration | null,
  { id, fireAt, dueAt, caughtUp }: { id: bigint; fireAt: number; dueAt: number; caughtUp: boolean },
): NewTask {
  const { type, payload, priority, concurrencyKey, fairKey, tags, requires } = schedule.definition.task;
  return {
    id,
    namespace: schedule.namespace,
    type,
    ...settle(schedule.definition.task, declaration),
    priority: caughtUp ? Math.max(priority, CATCH_UP_PRIORITY) : priority,
    dueAt,
    payload,
    trigger: "schedule",
    scheduleId: schedule.id,
    fireAt,
    uniqueKey: null,
    ...(concurrencyKey === undefined ? {} : { concurrencyKey }),
    ...(fairKey === undefined ? {} : { fairKey }),
    tags,
    replayOf: null,
    ...(requires === undefined ? {} : { requires }),
    ...(schedule.definition.overlap === "allow" ? {} : { gateId: schedule.id }),
  };
}
