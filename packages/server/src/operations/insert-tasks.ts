/**
 * From new tasks to rows. What is due now and has a free slot here is inserted as claimed by this node and handed out after the commit:
 * one commit instead of two. Everything else waits in the store, and whoever dispatches its lane is told.
 */
import { CarillonError, type FieldError, formatId, type Id, publicState } from "@carillon/core";
import {
  type ClaimedTask,
  type CreateAnswer,
  type CreateOptions,
  type LaneName,
  laneKey,
  type NewTask,
  uniquePolicyOf,
} from "@carillon/store";
import type { Deps, TaskDispatcher } from "./deps.ts";

type InsertOptions = Omit<CreateOptions, "claim"> & {
  /** Where the request names what a task comes after; default `/after`. */
  afterOf?: (index: number) => string;
};
type Created = Extract<CreateAnswer, { kind: "created" }>;
export type InsertAnswer = { kind: "created"; tasks: Created["tasks"] } | { kind: "replayed"; response: string };

/** Answers in the order sent. Throws what a client must be told: `backlog_full`, `unique_conflict`, `idempotency_key_reused`. */
export async function insertTasks(deps: Deps, tasks: NewTask[], options: InsertOptions): Promise<InsertAnswer> {
  const admission = deps.backlog.admit(tasks);
  if (admission.kind === "refused") return replayedOr(admission.error, deps, options);
  let answer: InsertAnswer | null = null;
  try {
    answer = await insert(deps, tasks, options);
    return answer;
  } finally {
    admission.settle(answer?.kind === "created" ? answer.tasks : null);
  }
}

/** A request that was carried out before is answered as before, however full its queue is by now. */
async function replayedOr(refusal: CarillonError, { store }: Deps, options: InsertOptions): Promise<InsertAnswer> {
  const { idempotency, now } = options;
  const known = idempotency && (await store.rememberedAnswer(idempotency.namespace, idempotency.key, now));
  if (!known) throw refusal;
  if (known.requestHash !== idempotency.requestHash) throw keyReused();
  return { kind: "replayed", response: known.response };
}

async function insert(deps: Deps, tasks: NewTask[], options: InsertOptions): Promise<InsertAnswer> {
  const reservations = reserve(deps.dispatcher, tasks, options.now);
  const ordered = reservations ? reservations.tasks : tasks;
  let claimed: ClaimedTask[] = [];
  let answer: CreateAnswer;
  try {
    const claim = reservations && { session: reservations.session, count: reservations.count };
    const { now, uniquePolicy = "keep", idempotency } = options;
    const inOrder = idempotency && {
      ...idempotency,
      response: (answers: Created["tasks"]) => idempotency.response(inOrderSent(tasks, ordered, answers)),
    };
    answer = await deps.store.createTasks(ordered, { now, uniquePolicy, claim, idempotency: inOrder ?? null });
    if (answer.kind === "created") claimed = answer.claimed;
  } finally {
    releaseUnused(deps.dispatcher, reservations, claimed);
  }
  if (answer.kind === "key_reused") throw keyReused();
  if (answer.kind === "unique_conflict") {
    throw new CarillonError("unique_conflict", {
      detail: `Task ${formatId("task", answer.id)} holds the unique key${answer.sameType ? "" : "; it is of another type"}.`,
    });
  }
  if (answer.kind === "unknown_parents") throw unknownParents(tasks, new Set(answer.parents), options);
  if (answer.kind === "replayed") return answer;
  if (claimed.length > 0) deps.dispatcher?.handOut(claimed);
  announce(deps, ordered, answer, claimed, options);
  return { kind: "created", tasks: inOrderSent(tasks, ordered, answer.tasks) };
}

function keyReused(): CarillonError {
  return new CarillonError("idempotency_key_reused", {
    detail: "This idempotency key was used for another request in the last 24 hours.",
  });
}

interface Reservations {
  session: bigint;
  /** Those to be claimed first. */
  tasks: NewTask[];
  count: number;
  lanes: Map<string, { lane: LaneName; count: number }>;
}

function reserve(dispatcher: TaskDispatcher | null, tasks: NewTask[], now: number): Reservations | null {
  const session = dispatcher?.session ?? null;
  if (!dispatcher || session === null) return null;
  const keys = tasks.map((task) => (mayStart(task, now) ? laneKey(task) : null));
  const wanted = new Map<string, { lane: LaneName; count: number }>();
  for (const [index, key] of keys.entries()) {
    if (key === null) continue;
    const entry = wanted.get(key);
    if (entry) entry.count++;
    else wanted.set(key, { lane: laneOf(tasks[index]!), count: 1 });
  }
  const lanes: Reservations["lanes"] = new Map();
  const left = new Map<string, number>();
  for (const [key, { lane, count }] of wanted) {
    const got = dispatcher.reserve(lane, count);
    if (got > 0) lanes.set(key, { lane, count: got });
    left.set(key, got);
  }
  if (lanes.size === 0) return null;
  const first: NewTask[] = [];
  const rest: NewTask[] = [];
  for (const [index, task] of tasks.entries()) {
    const key = keys[index]!;
    const free = key === null ? 0 : left.get(key)!;
    if (key !== null && free > 0) left.set(key, free - 1);
    (free > 0 ? first : rest).push(task);
  }
  return { session, tasks: [...first, ...rest], count: first.length, lanes };
}

const mayStart = ({ dueAt, uniqueKey, after }: NewTask, now: number) =>
  dueAt <= now && uniqueKey === null && after === undefined;

function releaseUnused(
  dispatcher: TaskDispatcher | null,
  reservations: Reservations | null,
  claimed: readonly ClaimedTask[],
): void {
  if (!dispatcher || !reservations) return;
  const used = new Map<string, number>();
  for (const { lane } of claimed) {
    const key = laneKey(lane);
    used.set(key, (used.get(key) ?? 0) + 1);
  }
  for (const [key, { lane, count }] of reservations.lanes) {
    const unused = count - (used.get(key) ?? 0);
    if (unused > 0) dispatcher.release(lane, unused);
  }
}

const laneOf = ({ namespace, queue, type, requires, fairKey }: NewTask): LaneName => {
  return { namespace, queue, type, requires, fairKey };
};

function announce(
  deps: Deps,
  ordered: NewTask[],
  answer: Created,
  claimed: ClaimedTask[],
  options: InsertOptions,
): void {
  const { now } = options;
  const held = new Set(claimed.map(({ id }) => id));
  const waiting = ordered.filter((task, index) => {
    const { created, state } = answer.tasks[index]!;
    if (state !== undefined) return false;
    const written = created || uniquePolicyOf(options, task) === "replace";
    return written && !held.has(task.id);
  });
  if (waiting.length > 0) deps.dispatcher?.noticeCreated(waiting);
  for (const [index, task] of ordered.entries()) {
    const { id, state = "pending" } = answer.tasks[index]!;
    deps.feed.taskChanged(id, task.namespace, publicState({ state, dueAt: task.dueAt, failures: 0 }, now));
  }
}

function inOrderSent(sent: NewTask[], ordered: NewTask[], answers: Created["tasks"]): Created["tasks"] {
  if (sent === ordered) return answers;
  const byTask = new Map(ordered.map((task, index) => [task, answers[index]!]));
  return sent.map((task) => byTask.get(task)!);
}

const MAX_ERRORS = 100;

function unknownParents(
  tasks: readonly NewTask[],
  unknown: ReadonlySet<Id>,
  { afterOf = () => "/after" }: InsertOptions,
): CarillonError {
  const errors = tasks.flatMap((task, place) =>
    (task.after ?? []).flatMap((parent, index): FieldError[] =>
      unknown.has(parent)
        ? [
            {
              pointer: `${afterOf(place)}/${index}`,
              code: "unknown_task",
              message: `There is no task ${formatId("task", parent)}.`,
            },
          ]
        : [],
    ),
  );
  return new CarillonError("invalid_request", {
    detail: errors[0]!.message,
    errors: errors.slice(0, MAX_ERRORS),
  });
}
