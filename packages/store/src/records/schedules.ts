/** Schedules and calendars. */
import type { FireAhead, Id, Labels, NamedCalendar, PreviousFire, StoredState } from "@carillon/core";

/** JSON, stored as it is; `rule`, `catchUp` are core's, `task` is the template of what each fire creates. */
export interface ScheduleDefinition {
  rule: import("@carillon/core").ScheduleRule;
  catchUp: { policy: "skip" | "last" | "all"; windowMs: number; limit: number };
  overlap: import("@carillon/core").OverlapPolicy;
  /** It is paused when so many of its tasks in a row have failed; absent: never. */
  pauseAfterFailures?: number;
  /** Names of calendars whose hours have no fires; absent when there are none. */
  excludes?: string[];
  /** Of calendars outside whose hours, those of all together, there are no fires; absent when there are none. */
  includes?: string[];
  task: {
    type: string;
    /** JSON text. */
    payload: string | null;
    queue: string | null;
    priority: number;
    retry: import("@carillon/core").RetryPolicy | null;
    timeoutMs: number | null;
    /** Absent when there is none. */
    startWithinMs?: number;
    finishWithinMs?: number;
    concurrencyKey?: string;
    fairKey?: string;
    tags: string[];
    /** Absent when there are none. */
    requires?: Labels;
  };
}

export interface ScheduleRecord {
  id: Id;
  namespace: string;
  name: string;
  version: number;
  definition: ScheduleDefinition;
  paused: boolean;
  /** `until`: it ends by itself then; `by`: who paused it, where that is known. */
  pause: { reason: string | null; at: number; until: number | null; by: string | null } | null;
  plannedUntil: number;
  /** Fires that became tasks so far, for `maxFires`. */
  fires: number;
  nextFireAt: number | null;
  createdAt: number;
  updatedAt: number;
}

/** As its planner is given it: definition, version, pause and calendars are those in force at its mark. */
export interface ScheduleToPlan extends ScheduleRecord {
  /** Those that it excludes, in its order, then those that it includes. */
  calendars: NamedCalendar[];
  /** When the pause of that time ends by itself; null: there is none, or it does not. */
  pausedUntil: number | null;
  /** They were until then, and the plan ends there; null: they still are. */
  until: number | null;
  /** For a rule with `maxFires`: the fires after the mark that have become tasks, in order; they are among `fires`. Otherwise empty. */
  tasksAhead: number[];
  /** Which time zone data its plan ahead was made with; null: none is, or it does not depend on any. */
  zoneData: string | null;
  /** For a rule with a fixed delay: its latest fire that was not withdrawn; null: it has none. */
  previous?: PreviousFire | null;
}

/** A schedule whose plan ahead was made with other time zone data, with its fires after now. */
export interface ScheduleToShift extends ScheduleRecord {
  calendars: NamedCalendar[];
  zoneData: string;
  ahead: FireAhead[];
}

/** What new time zone data did to a schedule: which of its coming fires are no more, which are new, and what comes next. */
export interface ZoneChange {
  at: number;
  namespace: string;
  schedule: string;
  from: string;
  to: string;
  removed: number[];
  added: number[];
  nextFireAt: { before: number | null; after: number | null };
}

export type AdoptionAnswer =
  /** So many schedules of other data were looked at; these are different now. */
  | { kind: "adopted"; schedules: number; changes: ZoneChange[] }
  /** A living node plans with newer data: planning by the wall clock is its part. */
  | { kind: "older"; newest: string };

/** What decides when a schedule fires. */
export type ScheduleTiming = Pick<ScheduleRecord, "id" | "name" | "paused" | "plannedUntil" | "fires"> & {
  rule: ScheduleDefinition["rule"];
  /** When its pause ends by itself. */
  pausedUntil: number | null;
  /** Those that it excludes or includes. */
  calendars: NamedCalendar[];
};

/** As a list shows it. */
export interface ScheduleSummary extends ScheduleRecord {
  /** Those that it excludes, in its order, then those that it includes. */
  calendars: NamedCalendar[];
  /** The latest fire until now that became a task, and that task while it is remembered. */
  lastFireAt: number | null;
  lastTask: { id: Id; state: StoredState; dueAt: number; failures: number } | null;
}

export interface CalendarRecord extends NamedCalendar {
  namespace: string;
  version: number;
  createdAt: number;
  updatedAt: number;
}

export interface CalendarAnswer {
  kind: "created" | "changed" | "unchanged";
  calendar: CalendarRecord;
  /** Those that name it, which have been changed with it. */
  schedules: ScheduleRecord[];
}
