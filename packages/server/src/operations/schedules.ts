/** What people and clients do with schedules. Inputs are checked requests, answers are the API's shapes. */
import { isDeepStrictEqual } from "node:util";
import {
  CarillonError,
  type Id,
  invalid,
  isName,
  limits,
  type NamedCalendar,
  nextFireAt,
  previewSchedule,
} from "@carillon/core";
import type { ScheduleDefinition, ScheduleRecord, ScheduleSummary } from "@carillon/store";
import { parseRequest } from "../http/field-errors.ts";
import {
  type ListSchedules,
  type Preview,
  type PreviewAnswer,
  type PutSchedule,
  patchScheduleBody,
  putScheduleBody,
  type Schedule,
} from "../http/schemas/schedules.ts";
import { checkCalendars, findCalendars, readCalendars, unknownCalendars } from "./calendars.ts";
import { type Deps, IDEMPOTENCY_TTL_MS, type Idempotency } from "./deps.ts";
import { insertTasks } from "./insert-tasks.ts";
import { requiring, settle } from "./new-task.ts";
import { readPageToken, writePageToken } from "./page-token.ts";
import { checkRule, mergePatch, toDefinition, toPutBody, toRule } from "./schedule-definition.ts";
import { checkTargets } from "./targets.ts";
import { type CreatedTask, checkPayload, insertOne } from "./tasks.ts";
import { toSchedule } from "./views.ts";

export interface PutAnswer {
  schedule: Schedule;
  created: boolean;
}

/** Creates it or replaces its definition; an equal one changes nothing. `expect`: only if there is none, or if this is its version. */
export async function putSchedule(
  deps: Deps,
  namespace: string,
  name: string,
  input: PutSchedule,
  expect?: "create" | number,
): Promise<PutAnswer> {
  const { definition, calendars } = await checkPut(deps, namespace, name, input);
  return write(deps, {
    namespace,
    name,
    definition,
    calendars,
    paused: input.paused,
    expect,
    id: deps.ids.next(deps.clock.now()),
  });
}

interface CheckedPut {
  definition: ScheduleDefinition;
  /** Those that it excludes or includes. */
  calendars: NamedCalendar[];
}

async function checkPut(deps: Deps, namespace: string, name: string, input: PutSchedule): Promise<CheckedPut> {
  if (!isName(name))
    throw invalid("name", "invalid_name", "A name has 1 to 128 letters, digits, dots, dashes or underscores.");
  if (input.name !== undefined && input.name !== name) {
    throw invalid("/name", "name_mismatch", "The name in the body is not the one in the path.");
  }
  const definition = toDefinition(input, name);
  const calendars = await findCalendars(deps, namespace, definition);
  await checkDefinition(deps, namespace, name, definition, calendars);
  return { definition, calendars };
}

/** What `putSchedule` would answer with, and refuse; nothing is stored. */
export async function foreseeSchedule(
  deps: Deps,
  namespace: string,
  name: string,
  input: PutSchedule,
  expect?: "create" | number,
): Promise<Schedule> {
  const { definition, calendars } = await checkPut(deps, namespace, name, input);
  const now = deps.clock.now();
  const existing = await deps.store.getSchedule(namespace, name, now);
  if (existing && expect === "create") throw scheduleExists(name);
  if (typeof expect === "number" && existing?.version !== expect) throw versionMismatch(name);
  const nothing = { id: 0n, version: 0, paused: false, pause: null, plannedUntil: now, fires: 0, nextFireAt: null };
  const before = existing ?? { ...nothing, namespace, name, createdAt: now, updatedAt: now };
  const paused = input.paused ?? before.paused;
  const pause = paused ? (before.pause ?? { reason: null, at: now, until: null, by: null }) : null;
  const updatedAt = paused === before.paused ? before.updatedAt : now;
  if (existing && isDeepStrictEqual(existing.definition, definition)) {
    return toSchedule({ ...existing, paused, pause, updatedAt }, now);
  }
  const next = { version: before.version + 1, nextFireAt: nextFireAt(definition.rule, now, calendars), updatedAt: now };
  return toSchedule({ ...before, definition, paused, pause, ...next }, now);
}

/** Only if there is none of this name. */
export async function createSchedule(
  deps: Deps,
  namespace: string,
  input: PutSchedule & { name: string },
  key: Idempotency | null = null,
): Promise<PutAnswer & { replayed: boolean }> {
  const now = deps.clock.now();
  const { name, paused } = input;
  const definition = toDefinition(input, name);
  const calendars = await findCalendars(deps, namespace, definition);
  checkRule(definition.rule, now);
  checkCalendars(definition.rule, calendars, now);
  checkTargets(deps, [definition.task], () => "/task/payload");
  let id = deps.ids.next(now);
  let replayed = false;
  if (key) {
    // The key is remembered first: sent again after a crash in between, the request still creates the schedule, under the same id.
    const response = () => String(id);
    const idempotency = { ...key, namespace, response, expiresAt: now + IDEMPOTENCY_TTL_MS };
    const answer = await insertTasks(deps, [], { now, idempotency });
    if (answer.kind === "replayed") {
      id = BigInt(answer.response);
      const existing = await deps.store.getSchedule(namespace, name, now);
      if (existing?.id === id) return { schedule: toSchedule(existing, now), created: true, replayed: true };
      replayed = !existing;
    }
  }
  return { ...(await write(deps, { namespace, name, definition, calendars, paused, expect: "create", id })), replayed };
}

/** A rule that has had its last fire, or a target that is not allowed any more, is refused, but not when nothing changes. */
async function checkDefinition(
  deps: Deps,
  namespace: string,
  name: string,
  definition: ScheduleDefinition,
  calendars: NamedCalendar[],
): Promise<void> {
  const now = deps.clock.now();
  try {
    checkRule(definition.rule, now);
    checkCalendars(definition.rule, calendars, now);
    checkTargets(deps, [definition.task], () => "/task/payload");
  } catch (error) {
    const existing = await deps.store.getSchedule(namespace, name, now);
    if (!existing || !isDeepStrictEqual(existing.definition, definition)) throw error;
  }
}

async function write(
  deps: Deps,
  request: {
    id: Id;
    namespace: string;
    name: string;
    definition: ScheduleDefinition;
    calendars: NamedCalendar[];
    paused: boolean | undefined;
    expect: "create" | number | undefined;
  },
): Promise<PutAnswer> {
  const { id, namespace, name, definition, calendars, paused, expect } = request;
  const now = deps.clock.now();
  const answer = await deps.store.putSchedule({
    id,
    namespace,
    name,
    definition,
    now,
    nextFireAt: nextFireAt(definition.rule, now, calendars),
    ...(paused === undefined ? {} : { paused }),
    ...(expect === undefined ? {} : { expect }),
  });
  if (answer.kind === "exists") throw scheduleExists(name);
  if (answer.kind === "deleted") {
    throw new CarillonError("schedule_not_found", {
      detail: `The schedule ${name} that this created was deleted since.`,
    });
  }
  if (answer.kind === "version_mismatch") throw versionMismatch(name);
  if (answer.kind === "unknown_calendar") throw unknownCalendars(definition, [answer.name]);
  if (answer.kind === "created") return { schedule: changed(deps, answer.schedule), created: true };
  if (answer.kind === "changed") changed(deps, answer.schedule);
  return { schedule: await getSchedule(deps, namespace, name), created: false };
}

function scheduleExists(name: string): CarillonError {
  return new CarillonError("schedule_exists", { detail: `There is a schedule ${name} already.` });
}

function versionMismatch(name: string): CarillonError {
  return new CarillonError("version_mismatch", { detail: `Schedule ${name} has another version by now.` });
}

/** How often a change without `If-Match` is tried when others change the schedule at the same time. */
const PATCH_ATTEMPTS = 5;

/** A merge patch of the definition; `version`: only if this is its version. */
export async function patchSchedule(
  deps: Deps,
  namespace: string,
  name: string,
  patch: unknown,
  version?: number,
): Promise<Schedule> {
  const fields = parseRequest(patchScheduleBody, patch);
  for (let attempt = 1; ; attempt++) {
    const current = await findSchedule(deps, namespace, name);
    if (version !== undefined && version !== current.version) throw versionMismatch(name);
    const merged = mergePatch(toPutBody(current.definition), fields) as Record<string, unknown>;
    if (fields.paused === null) merged.paused = false;
    const input = parseRequest(putScheduleBody, merged);
    try {
      return (await putSchedule(deps, namespace, name, input, current.version)).schedule;
    } catch (error) {
      const again = CarillonError.is(error) && error.code === "version_mismatch" && version === undefined;
      if (!again || attempt === PATCH_ATTEMPTS) throw error;
    }
  }
}

export async function getSchedule(deps: Deps, namespace: string, name: string): Promise<Schedule> {
  return toSchedule(await findSchedule(deps, namespace, name), deps.clock.now());
}

/** By name. */
export async function listSchedules(
  deps: Deps,
  namespace: string,
  { pageSize = limits.defaultPageSize, pageToken, q }: ListSchedules,
): Promise<{ schedules: Schedule[]; nextPageToken: string | null }> {
  const list = ["schedules", namespace, { q }];
  const now = deps.clock.now();
  const after = readPageToken(list, pageToken);
  const page = await deps.store.listSchedules(namespace, {
    now,
    pageSize,
    after,
    ...(q === undefined ? {} : { text: q }),
  });
  return {
    schedules: page.items.map((record) => toSchedule(record, now)),
    nextPageToken: writePageToken(list, page.next),
  };
}

/** What is planned and not claimed goes with it. */
export async function deleteSchedule(deps: Deps, namespace: string, name: string, version?: number): Promise<void> {
  const current = await findSchedule(deps, namespace, name);
  if (version !== undefined && version !== current.version) throw versionMismatch(name);
  if (!(await deps.store.deleteSchedule(namespace, name, deps.clock.now()))) throw scheduleNotFound(name);
  deps.store.hints.publish({ schedules: true });
  deps.feed.scheduleChanged(name, namespace, "deleted");
}

/** Fires while it is paused are skipped and never caught up. With `until` it ends by itself: the fires from then on are on time. */
export async function pauseSchedule(
  deps: Deps,
  namespace: string,
  name: string,
  { reason = null, until = null }: { reason?: string | null | undefined; until?: number | null | undefined } = {},
): Promise<Schedule> {
  if (until !== null && until <= deps.clock.now())
    throw invalid("/until", "not_future", "A pause ends after now; to end one, resume.");
  return setPaused(deps, namespace, name, { paused: true, reason, until });
}

export function resumeSchedule(deps: Deps, namespace: string, name: string): Promise<Schedule> {
  return setPaused(deps, namespace, name, { paused: false, reason: null });
}

async function setPaused(
  deps: Deps,
  namespace: string,
  name: string,
  request: { paused: boolean; reason: string | null; until?: number | null },
): Promise<Schedule> {
  const record = isName(name)
    ? await deps.store.setPaused(namespace, name, { ...request, now: deps.clock.now() })
    : null;
  if (!record) throw scheduleNotFound(name);
  changed(deps, record);
  return getSchedule(deps, namespace, name);
}

/** A task of this schedule now, beside its fires; neither pause nor overlap holds it back. */
export async function triggerSchedule(
  deps: Deps,
  namespace: string,
  name: string,
  { payload }: { payload?: string | null | undefined } = {},
  idempotency: Idempotency | null = null,
): Promise<CreatedTask> {
  const { id: scheduleId, definition } = await findSchedule(deps, namespace, name);
  const { task: template } = definition;
  if (payload !== undefined) checkPayload(deps, template.type, payload);
  const now = deps.clock.now();
  const declared = (await deps.types.of(namespace)).get(template.type);
  const task = {
    id: deps.ids.next(now),
    namespace,
    type: template.type,
    ...settle(template, declared),
    priority: template.priority,
    dueAt: now,
    payload: payload === undefined ? template.payload : payload,
    trigger: "manual" as const,
    scheduleId,
    fireAt: null,
    uniqueKey: null,
    ...(template.concurrencyKey === undefined ? {} : { concurrencyKey: template.concurrencyKey }),
    ...(template.fairKey === undefined ? {} : { fairKey: template.fairKey }),
    tags: template.tags,
    replayOf: null,
    ...requiring(template.requires),
  };
  return insertOne(deps, task, { now, uniquePolicy: "keep", idempotency, scheduleName: name });
}

const DEFAULT_PREVIEW = 10;

/** What a rule would do, before it is stored. One that never fires is answered with a warning. */
export async function previewFires(
  deps: Pick<Deps, "clock" | "store">,
  namespace: string,
  { from, count = DEFAULT_PREVIEW, excludes, includes, calendars: given = {}, name, ...input }: Preview,
): Promise<PreviewAnswer> {
  const rule = toRule(input, name);
  checkRule(rule, null);
  const calendars = await findCalendars(deps, namespace, { excludes, includes }, readCalendars(given));
  return previewSchedule(rule, from ?? Math.ceil(deps.clock.now()), count, calendars);
}

export async function findSchedule(deps: Deps, namespace: string, name: string): Promise<ScheduleSummary> {
  const record = isName(name) ? await deps.store.getSchedule(namespace, name, deps.clock.now()) : null;
  if (!record) throw scheduleNotFound(name);
  return record;
}

function scheduleNotFound(name: string): CarillonError {
  return new CarillonError("schedule_not_found", { detail: `There is no schedule ${name.slice(0, 128)}.` });
}

/** Planners here and elsewhere look again, and screens too. */
function changed(deps: Deps, record: ScheduleRecord): Schedule {
  deps.planner?.wake();
  deps.store.hints.publish({ schedules: true });
  deps.feed.scheduleChanged(record.name, record.namespace, record.paused ? "paused" : "active");
  return toSchedule(record, deps.clock.now());
}
