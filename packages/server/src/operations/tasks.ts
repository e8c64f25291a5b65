/** What people and clients do with tasks. Inputs are checked requests, answers are the API's shapes. */
import {
  CarillonError,
  formatId,
  type Id,
  idCreatedAt,
  isFinal,
  type LogFilter,
  type LogLevel,
  limits,
  parseId,
  publicState,
  type StoredState,
} from "@carillon/core";
import type { CreatedAs, NewTask, TaskFilter, TaskPatch, TaskRecord, UniquePolicy, VerbAnswer } from "@carillon/store";
import { parseRequest } from "../http/field-errors.ts";
import {
  type AttemptAnswer,
  type CreateTask,
  createTaskBody,
  type ListTasks,
  type LogLineAnswer,
  type PatchTask,
  type Task,
  type TaskSummary,
} from "../http/schemas/tasks.ts";
import { type Deps, IDEMPOTENCY_TTL_MS, type Idempotency } from "./deps.ts";
import { insertTasks } from "./insert-tasks.ts";
import { newTask } from "./new-task.ts";
import { readPageToken, writePageToken } from "./page-token.ts";
import { checkTargets } from "./targets.ts";
import { newTaskRecord, toAttempt, toLogLine, toTask, toTaskSummary } from "./views.ts";

export interface CreatedTask {
  task: Task;
  /** False: a task with the same unique key was there. */
  created: boolean;
  /** The answer to an earlier request with the same idempotency key. */
  replayed: boolean;
}

export async function createTask(
  deps: Deps,
  namespace: string,
  input: CreateTask,
  idempotency: Idempotency | null = null,
): Promise<CreatedTask> {
  checkTargets(deps, [input], () => "/payload");
  const now = deps.clock.now();
  const declared = (await deps.types.of(namespace)).get(input.type);
  const facts = { id: deps.ids.next(now), namespace, now, declared, trigger: "api" as const };
  const task = comingAfter(input, newTask(input, facts));
  return insertOne(deps, task, { now, uniquePolicy: input.uniquePolicy ?? "keep", idempotency, scheduleName: null });
}

const comingAfter = ({ after = [], when = "all" }: CreateTask, task: NewTask): NewTask =>
  after.length > 0 ? { ...task, after, when } : task;

/** Inserts one task and answers with it as it is now, or with the one that holds its unique key. */
export async function insertOne(
  deps: Deps,
  task: NewTask,
  options: {
    now: number;
    uniquePolicy: UniquePolicy;
    idempotency: Idempotency | null;
    scheduleName: string | null;
  },
): Promise<CreatedTask> {
  const { now, uniquePolicy, scheduleName } = options;
  const view = toTask(newTaskRecord(task, scheduleName), now);
  /** One that comes after others may stand otherwise than was foreseen. */
  const isForeseen = ({ created, state }: CreatedAs) => created && (task.after === undefined || state === "blocked");
  const remember = ([answer]: CreatedAs[]) =>
    JSON.stringify(
      isForeseen(answer!) ? { task: view } : { id: formatId("task", answer!.id), created: answer!.created },
    );
  const idempotency = rememberAs(task.namespace, options.idempotency, now, remember);
  const answer = await insertTasks(deps, [task], { now, uniquePolicy, idempotency });
  if (answer.kind === "replayed") return { ...(await replay(deps, task.namespace, answer.response)), replayed: true };
  const [first] = answer.tasks as [CreatedAs];
  const { id, created } = first;
  if (isForeseen(first)) return { task: view, created, replayed: false };
  return { task: await getTask(deps, task.namespace, formatId("task", id)), created, replayed: false };
}

/** `response` depends on which tasks were created. */
export function rememberAs(
  namespace: string,
  idempotency: Idempotency | null,
  now: number,
  response: (tasks: CreatedAs[]) => string,
) {
  return idempotency && { ...idempotency, namespace, response, expiresAt: now + IDEMPOTENCY_TTL_MS };
}

async function replay(deps: Deps, namespace: string, response: string): Promise<{ task: Task; created: boolean }> {
  const remembered = JSON.parse(response) as { task: Task } | { id: string; created: boolean };
  if ("task" in remembered) return { task: remembered.task, created: true };
  return { task: await getTask(deps, namespace, remembered.id), created: remembered.created };
}

/** All or nothing. Answers in the order sent. */
export async function createTasks(
  deps: Deps,
  namespace: string,
  inputs: CreateTask[],
  key: Idempotency | null = null,
): Promise<{ tasks: { id: string; created: boolean }[]; replayed: boolean }> {
  checkTargets(deps, inputs, (index) => `/tasks/${index}/payload`);
  const now = deps.clock.now();
  const types = await deps.types.of(namespace);
  const policies = new Map<NewTask, UniquePolicy>();
  const tasks = inputs.map((input) => {
    const facts = { id: deps.ids.next(now), namespace, now, declared: types.get(input.type), trigger: "api" as const };
    const task = comingAfter(input, newTask(input, facts));
    if (input.uniquePolicy) policies.set(task, input.uniquePolicy);
    return task;
  });
  const uniquePolicy = (task: NewTask) => policies.get(task) ?? "keep";
  const afterOf = (index: number) => `/tasks/${index}/after`;
  const show = (created: { id: Id; created: boolean }[]) =>
    created.map((task) => ({ id: formatId("task", task.id), created: task.created }));
  const idempotency = rememberAs(namespace, key, now, (created) => JSON.stringify(show(created)));
  const answer = await insertTasks(deps, tasks, { now, uniquePolicy, idempotency, afterOf });
  return answer.kind === "replayed"
    ? { tasks: JSON.parse(answer.response), replayed: true }
    : { tasks: show(answer.tasks), replayed: false };
}

/** `task_not_found` also for what is no id. */
export function readTaskId(text: string): Id {
  const id = parseId("task", text);
  if (id === null) throw taskNotFound(text);
  return id;
}

function taskNotFound(text: string): CarillonError {
  return new CarillonError("task_not_found", { detail: `There is no task ${text.slice(0, 64)}.` });
}

export async function findTask({ store }: Deps, namespace: string, text: string): Promise<TaskRecord> {
  const record = await store.getTask(namespace, readTaskId(text));
  if (!record) throw taskNotFound(text);
  return record;
}

/** With `waitMs` it answers when the task is final, at the latest after that, or when the signal fires. */
export async function getTask(
  deps: Deps,
  namespace: string,
  text: string,
  { waitMs = 0, signal }: { waitMs?: number; signal?: AbortSignal } = {},
): Promise<Task> {
  const id = readTaskId(text);
  const until = deps.clock.monotonic() + waitMs;
  for (;;) {
    const change = waitMs > 0 ? deps.feed.nextChangeOf(id) : null;
    const record = await deps.store.getTask(namespace, id);
    const leftMs = until - deps.clock.monotonic();
    if (!record) change?.stop();
    if (!record) throw taskNotFound(text);
    if (!change || isFinal(record.state) || leftMs <= 0 || signal?.aborted) {
      change?.stop();
      return toTask(record, deps.clock.now());
    }
    await change.within(Math.min(leftMs, POLL_MS), signal);
  }
}

/** The feed tells at once; this is for what it missed. */
const POLL_MS = 1_000;

export async function listTasks(
  deps: Deps,
  namespace: string,
  { pageSize = limits.defaultPageSize, pageToken, ...filters }: ListTasks,
): Promise<{ tasks: TaskSummary[]; nextPageToken: string | null }> {
  const list = ["tasks", namespace, filters];
  const now = deps.clock.now();
  const after = readPageToken(list, pageToken);
  const page = await deps.store.listTasks(namespace, { filter: toFilter(filters), now, pageSize, after });
  return {
    tasks: page.items.map((record) => toTaskSummary(record, now)),
    nextPageToken: writePageToken(list, page.next),
  };
}

const waitingStates = ["scheduled", "queued", "retrying"] as const;

export function toFilter({
  state,
  type,
  queue,
  schedule,
  workflow,
  tag,
  q,
  from,
  to,
}: Omit<ListTasks, "pageSize" | "pageToken">): TaskFilter {
  const filter: TaskFilter = {};
  if (state) {
    const waiting = waitingStates.filter((wanted) => state.includes(wanted));
    const others = state.filter((wanted) => !(waitingStates as readonly string[]).includes(wanted)) as StoredState[];
    filter.states = waiting.length > 0 ? [...others, "pending", "waiting", "claimed"] : others;
    if (waiting.length > 0) filter.waiting = waiting;
  }
  if (type) filter.types = type;
  if (queue) filter.queues = queue;
  if (schedule !== undefined) filter.schedule = schedule;
  // What is no id is one that nobody has.
  if (workflow !== undefined) filter.workflow = parseId("workflow", workflow) ?? 0n;
  if (tag !== undefined) filter.tag = tag;
  if (q !== undefined) filter.text = q;
  if (from !== undefined) filter.from = from;
  if (to !== undefined) filter.to = to;
  return filter;
}

/** How long a change of a task waits for the node that holds it to give it back. */
const PATCH_WAIT_MS = 2_000;
const PATCH_RETRY_MS = 50;

export async function patchTask(deps: Deps, namespace: string, text: string, input: PatchTask): Promise<Task> {
  const id = readTaskId(text);
  if (input.payload !== undefined) {
    checkPayload(deps, (await findTask(deps, namespace, text)).type, input.payload);
  }
  const patch: TaskPatch = {};
  if (input.priority !== undefined) patch.priority = input.priority;
  if (input.dueAt !== undefined) patch.dueAt = input.dueAt;
  if (input.payload !== undefined) patch.payload = input.payload;
  if (input.queue !== undefined) patch.queue = input.queue;
  const until = deps.clock.monotonic() + PATCH_WAIT_MS;
  for (;;) {
    const answer = await deps.store.patchTask(namespace, id, patch, deps.clock.now());
    if (answer.kind === "done") {
      deps.dispatcher?.noticeCreated([answer.task]);
      return changed(deps, answer.task);
    }
    if (answer.kind !== "recalled" || deps.clock.monotonic() >= until)
      throw refusal(answer, text, "A worker has the task; it can be changed again should this attempt fail.");
    tellHolder(deps, answer, "return", null);
    await deps.feed.nextChangeOf(id).within(PATCH_RETRY_MS);
  }
}

/** Throws `invalid_request` for a payload that this type cannot have. */
export function checkPayload(deps: Deps, type: string, payload: string | null): void {
  parseRequest(createTaskBody, { type, payload: JSON.parse(payload ?? "null") });
  checkTargets(deps, [{ type, payload }], () => "/payload");
}

/** `pending`: its worker was asked to stop, and whatever it answers first counts. */
export async function cancelTask(
  deps: Deps,
  namespace: string,
  text: string,
  { reason = null }: { reason?: string | null | undefined } = {},
): Promise<{ task: Task; pending: boolean }> {
  const id = readTaskId(text);
  const answer = await deps.store.cancelTask(namespace, id, { reason, now: deps.clock.now() });
  if (answer.kind === "final" && answer.task.state === "cancelled")
    return { task: view(deps, answer.task), pending: false };
  if (answer.kind === "final" || answer.kind === "not_found") throw refusal(answer, text);
  if (answer.kind === "recalled") tellHolder(deps, answer, "cancel", reason);
  const task = changed(deps, answer.task);
  // One that was claimed a moment ago still reads as queued; who is told to wait for its outcome reads why.
  return answer.kind === "done" ? { task, pending: false } : { task: { ...task, state: "running" }, pending: true };
}

/** A failed, cancelled or skipped task is due again now, with a fresh budget. One that is not final stays as it is. */
export async function retryTask(deps: Deps, namespace: string, text: string): Promise<Task> {
  const id = readTaskId(text);
  const answer = await deps.store.retryTask(namespace, id, deps.clock.now());
  return becameDue(deps, answer, text);
}

/** One that is due later is due now. Others stay as they are. */
export async function runTaskNow(deps: Deps, namespace: string, text: string): Promise<Task> {
  const id = readTaskId(text);
  const answer = await deps.store.runTaskNow(namespace, id, deps.clock.now());
  return becameDue(deps, answer, text);
}

function becameDue(deps: Deps, answer: VerbAnswer, text: string): Task {
  if (answer.kind === "final" || answer.kind === "not_found") throw refusal(answer, text);
  if (answer.kind !== "done") return view(deps, answer.task);
  deps.dispatcher?.noticeCreated([answer.task]);
  return changed(deps, answer.task);
}

/** Forgets a final one. */
export async function deleteTask(deps: Deps, namespace: string, text: string): Promise<void> {
  const answer = await deps.store.deleteTask(namespace, readTaskId(text));
  if (answer.kind !== "done")
    throw refusal(answer, text, "The task is not final; only final ones are forgotten. Cancel it first.");
  changed(deps, answer.task);
}

/** Those that ended; the last ten are kept, so mostly one page. */
export async function listAttempts(
  deps: Deps,
  namespace: string,
  text: string,
  { pageSize = limits.defaultPageSize, pageToken }: PageQuery = {},
): Promise<{ attempts: AttemptAnswer[]; nextPageToken: string | null }> {
  const list = ["attempts", namespace, text];
  const begin = Number(readPageToken(list, pageToken) ?? 0);
  const record = await findTask(deps, namespace, text);
  const { id } = record;
  const end = begin + pageSize;
  return {
    attempts: record.attempts.slice(begin, end).map((attempt) => toAttempt(attempt, idCreatedAt(id))),
    nextPageToken: writePageToken(list, record.attempts.length > end ? String(end) : null),
  };
}

interface PageQuery {
  pageSize?: number | undefined;
  pageToken?: string | undefined;
}

export interface LogQuery {
  level?: LogLevel | undefined;
  q?: string | undefined;
}

/** Undefined: every line. */
export function toLogFilter({ level, q }: LogQuery): LogFilter | undefined {
  if (level === undefined && q === undefined) return undefined;
  return { ...(level === undefined ? {} : { level }), ...(q === undefined ? {} : { text: q }) };
}

export async function listLogs(
  deps: Deps,
  namespace: string,
  text: string,
  { pageSize = limits.defaultPageSize, pageToken, ...asked }: PageQuery & LogQuery = {},
): Promise<{ logs: LogLineAnswer[]; nextPageToken: string | null }> {
  const id = readTaskId(text);
  const filter = toLogFilter(asked);
  const list = ["logs", namespace, text, filter];
  const after = readPageToken(list, pageToken);
  if (!(await deps.store.getTask(namespace, id))) throw taskNotFound(text);
  const page = await deps.store.taskLogs(namespace, id, { pageSize, after, ...(filter && { filter }) });
  return { logs: page.items.map(toLogLine), nextPageToken: writePageToken(list, page.next) };
}

function view(deps: Deps, record: TaskRecord): Task {
  return toTask(record, deps.clock.now());
}

function changed(deps: Deps, record: TaskRecord): Task {
  deps.feed.taskChanged(record.id, record.namespace, publicState(record, deps.clock.now()));
  return view(deps, record);
}

/** The node that holds it learns it now, by hint, or at the latest with its next renewal. */
function tellHolder(
  { store, dispatcher }: Deps,
  { task, session }: Extract<VerbAnswer, { kind: "recalled" }>,
  what: "cancel" | "return",
  reason: string | null,
): void {
  if (dispatcher && dispatcher.session === session) dispatcher.recall({ id: task.id }, what, reason);
  else store.hints.publish({ recall: [session] });
}

/** @param unfinished what to say of a task that is not final */
function refusal(answer: VerbAnswer, text: string, unfinished?: string): CarillonError {
  if (answer.kind === "not_found") return taskNotFound(text);
  const state = answer.task.state;
  return answer.kind === "final"
    ? new CarillonError("task_final", {
        detail: `The task is final: it has ${state === "skipped" ? "been skipped" : state}.`,
      })
    : new CarillonError("task_running", unfinished === undefined ? {} : { detail: unfinished });
}
