import { queryOptions } from "@tanstack/react-query";
import { serverNow } from "./clock.ts";
import { query, request } from "./http.ts";
import type { Task, TaskState } from "./tasks.ts";

export interface ScheduleTask {
  type: string;
  payload?: unknown;
  queue?: string | null;
  priority?: number | null;
  tags?: string[];
  [field: string]: unknown;
}

/** So long after the task of the fire before became final. */
export interface FixedDelay {
  interval: string;
  after: "end";
}

export interface RuleSource {
  cron?: string | null | undefined;
  every?: string | FixedDelay | null | undefined;
  rrule?: string | null | undefined;
  /** Once; among several only. */
  at?: string | null | undefined;
}

export interface Schedule {
  name: string;
  version: number;
  /** The rule in plain words. */
  words: string;
  cron: string | null;
  every: string | FixedDelay | null;
  rrule: string | null;
  /** Each with the one field that it was given. */
  rules: RuleSource[] | null;
  timeZone: string;
  task: ScheduleTask;
  catchUp: { policy: "skip" | "last" | "all"; window: string; limit: number };
  paused: boolean;
  pause: { reason: string | null; at: string; until: string | null; by: string | null } | null;
  nextFireAt: string | null;
  lastFireAt: string | null;
  lastTask: { id: string; state: TaskState } | null;
  createdAt: string;
  updatedAt: string;
}

export interface Fire {
  at: string;
  local: string;
  outcome: "expected" | "task" | "skipped" | "missed" | "withdrawn";
  reason: string | null;
  task: { id: string; state: TaskState; latenessMs: number | null } | null;
  caughtUp: boolean;
  backfilled: boolean;
}

/** What a schedule is made of; everything that is left out takes its default. */
export interface ScheduleDefinition extends Rule {
  task: ScheduleTask;
  catchUp?: Partial<Schedule["catchUp"]>;
}

export interface Rule extends RuleSource {
  rules?: RuleSource[];
  timeZone?: string;
  dialect?: string;
  excludes?: string[];
  includes?: string[];
  roll?: string;
  /** What else decides when it fires: `startAt`, `dst`… */
  [field: string]: unknown;
}

export interface Preview {
  words: string;
  fires: { at: string; local: string; offset: string; rolledFrom: string | null }[];
  warnings: { code: string; message: string }[];
  clockChanges: { at: string; offsetBefore: string; offsetAfter: string }[];
}

interface ScheduleFilter {
  /** Part of the name or of the task type. */
  text?: string | undefined;
  pageToken?: string | undefined;
  pageSize?: number;
}

export function schedulesQuery({ text, ...page }: ScheduleFilter = {}) {
  const path = `/schedules${query({ q: text, ...page })}`;
  return queryOptions({
    queryKey: ["schedules", path],
    queryFn: ({ signal }) => request<{ schedules: Schedule[]; nextPageToken: string | null }>("GET", path, { signal }),
  });
}

export function scheduleQuery(name: string) {
  return queryOptions({
    queryKey: ["schedule", name],
    queryFn: ({ signal }) => request<Schedule>("GET", schedulePath(name), { signal }),
  });
}

/** The next ten instants at which it will fire. */
export function nextFiresQuery(name: string) {
  return queryOptions({
    queryKey: ["schedule", name, "next-fires"],
    queryFn: async ({ signal }) => {
      const from = new Date(serverNow()).toISOString();
      const path = `${schedulePath(name)}/fires${query({ from, pageSize: 10 })}`;
      return request<FirePage>("GET", path, { signal });
    },
  });
}

/** What became of its fires in a window that ends now, oldest first. */
export function pastFiresQuery(name: string, windowMs: number) {
  return queryOptions({
    queryKey: ["schedule", name, "past-fires", windowMs],
    queryFn: async ({ signal }) => {
      const now = serverNow();
      const from = new Date(now - windowMs).toISOString();
      const to = new Date(now).toISOString();
      return request<FirePage>("GET", `${schedulePath(name)}/fires${query({ from, to, pageSize: 200 })}`, { signal });
    },
  });
}

interface FirePage {
  fires: Fire[];
  nextPageToken: string | null;
}

/** Long enough for some twenty fires, so that one page holds the latest of a schedule that fires each second as of one that fires daily. */
export function pastWindowMs({ lastFireAt, nextFireAt }: Pick<Schedule, "lastFireAt" | "nextFireAt">): number {
  const gap = lastFireAt === null || nextFireAt === null ? DAY_MS : Date.parse(nextFireAt) - Date.parse(lastFireAt);
  return Math.min(30 * DAY_MS, Math.max(MINUTE_MS, 20 * gap));
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

export function previewQuery(rule: Rule) {
  return queryOptions({
    queryKey: ["preview", rule],
    queryFn: ({ signal }) =>
      request<Preview>("POST", "/schedules:preview", { body: { ...rule, count: 10 }, signal, readOnly: true }),
    retry: false,
  });
}

export function createSchedule(name: string, definition: ScheduleDefinition): Promise<Schedule> {
  return request("POST", "/schedules", { body: { name, ...definition } });
}

/** Replaces the definition, unless somebody changed it since `version` was read. */
export function replaceSchedule(name: string, definition: ScheduleDefinition, version: number): Promise<Schedule> {
  return request("PUT", schedulePath(name), { body: definition, headers: { "if-match": `"${version}"` } });
}

export function deleteSchedule(name: string): Promise<void> {
  return request("DELETE", schedulePath(name));
}

export function pauseSchedule(name: string): Promise<Schedule> {
  return request("POST", `${schedulePath(name)}:pause`, { body: {} });
}

export function resumeSchedule(name: string): Promise<Schedule> {
  return request("POST", `${schedulePath(name)}:resume`, { body: {} });
}

export function triggerSchedule(name: string): Promise<Task> {
  return request("POST", `${schedulePath(name)}:trigger`, { body: {} });
}

export function schedulePath(name: string): string {
  return `/schedules/${encodeURIComponent(name)}`;
}

/** The definition inside a schedule as the API shows it, to be changed in part and put back whole. */
export function definitionOf(schedule: Schedule): ScheduleDefinition {
  const shown = schedule as unknown as Record<string, unknown>;
  const { payload, ...template } = schedule.task;
  return {
    ...present(Object.fromEntries(definitionFields.map((field) => [field, shown[field]]))),
    task: { ...(present(template) as ScheduleTask), ...(payload === null ? {} : { payload }) },
  };
}

const definitionFields = [
  "cron",
  "every",
  "rrule",
  "rules",
  "timeZone",
  "overlap",
  "pauseAfterFailures",
  "catchUp",
  "dst",
  "dialect",
  "jitter",
  "startAt",
  "endAt",
  "maxFires",
  "excludes",
  "includes",
  "roll",
];

/** Without what is null, an empty list or an empty object: that is how an answer shows "not given". */
function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) =>
        value !== null && value !== undefined && !(typeof value === "object" && Object.keys(value).length === 0),
    ),
  );
}
