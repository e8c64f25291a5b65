/**
 * Creates with keys, as one transaction: idempotency keys first, then windows of unique keys, then tasks in the order of those keys, then
 * what they come after.
 */
import { CarillonError, type Id } from "@carillon/core";
import { bandOf, type CreateAnswer, type CreatedAs, type NewTask, uniquePolicyOf } from "../store.ts";
import { type CreateCall, claimedTasks, sessionsOf } from "./created.ts";
import type { Db } from "./db.ts";
import { joinParents } from "./dependencies.ts";
import { finishByWhenDue } from "./finish-within.ts";
import { type InsertedRow, insertOf, isBlocked, isLarge } from "./insert.ts";
import type { Catalog } from "./lanes.ts";
import { isParked, unparked } from "./limited.ts";
import { instant } from "./records.ts";
import { startByWhenDue } from "./start-within.ts";
import { type Holder, opensWindow, openWindows, takenWindows, uniqueName } from "./unique-window.ts";

/** Thrown to roll back, when a call that flies alone meets a key that it was told not to share. */
class Conflict extends Error {
  readonly answer: CreateAnswer;

  constructor(answer: CreateAnswer) {
    super("unique conflict");
    this.answer = answer;
  }
}

/** All of these calls in one transaction, which waits `patienceMs` for each lock. Either one call, or singles with one key each. */
export async function insertKeyed(
  db: Db,
  catalog: Catalog,
  calls: CreateCall[],
  patienceMs: number,
): Promise<CreateAnswer[]> {
  await catalog.numbersOf(calls.flatMap((call) => call.tasks)); // Known from here on, without another connection.
  try {
    return await db.transaction(async (tx) => {
      // Travels with the next statement, which fails with it.
      tx.query(setLockTimeout, [`${patienceMs}ms`]).catch(() => {});
      const answers = await replayedAnswers(tx, calls).catch(noteIdempotencyKey);
      const fresh = calls.filter((call) => !answers.has(call));
      if (fresh.length > 0) await insertFresh(tx, catalog, fresh, answers);
      return calls.map((call) => answers.get(call)!);
    });
  } catch (error) {
    if (error instanceof Conflict) return [error.answer];
    throw error;
  }
}

/** Of transactions that failed when they took their idempotency keys. */
const atIdempotencyKey = new WeakSet<object>();

function noteIdempotencyKey(error: unknown): never {
  if (typeof error === "object" && error !== null) atIdempotencyKey.add(error);
  throw error;
}

/** Whether it failed before it had its idempotency key. */
export const metIdempotencyKey = (error: unknown) =>
  typeof error === "object" && error !== null && atIdempotencyKey.has(error);

/** Takes the idempotency keys; answers the calls whose key was used before. An expired key is as good as new. */
async function replayedAnswers(tx: Db, calls: CreateCall[]): Promise<Map<CreateCall, CreateAnswer>> {
  const answers = new Map<CreateCall, CreateAnswer>();
  const asked = calls.flatMap((call) => (call.options.idempotency ? [{ call, ...call.options.idempotency }] : []));
  if (asked.length === 0) return answers;
  const taken = await tx.query<[namespace: string, key: string]>(takeKeys, [
    asked.map(({ namespace }) => namespace),
    asked.map(({ key }) => key),
    asked.map(({ requestHash }) => requestHash),
    // Where a unique key may find another task, or others decide how one stands, the answer is put in later, in the same transaction.
    asked.map(({ call, response }) => (isAnsweredLater(call) ? "" : response(call.tasks.map(asCreated)))),
    asked.map(({ expiresAt }) => expiresAt),
    Math.max(...asked.map(({ call }) => call.options.now)),
  ]);
  const won = new Set(taken.map((names) => names.join("\0")));
  const lost = asked.filter(({ namespace, key }) => !won.has(`${namespace}\0${key}`));
  if (lost.length === 0) return answers;
  const kept = await tx.query<[namespace: string, key: string, requestHash: string, response: string]>(selectKeys, [
    lost.map(({ namespace }) => namespace),
    lost.map(({ key }) => key),
  ]);
  for (const { call, namespace, key, requestHash } of lost) {
    const found = kept.find((row) => row[0] === namespace && row[1] === key);
    if (!found) throw changesTooFast(); // It expired and was removed in between.
    const [, , keptHash, response] = found;
    answers.set(call, keptHash === requestHash ? { kind: "replayed", response } : { kind: "key_reused" });
  }
  return answers;
}

/** What is kept under a key, for who does not want to take it. */
export async function rememberedAnswer(
  db: Db,
  namespace: string,
  key: string,
  now: number,
): Promise<{ requestHash: string; response: string } | null> {
  const [row] = await db.query<[requestHash: string, response: string]>(selectRemembered, [namespace, key, now]);
  return row ? { requestHash: row[0], response: row[1] } : null;
}

async function insertFresh(
  tx: Db,
  catalog: Catalog,
  calls: CreateCall[],
  answers: Map<CreateCall, CreateAnswer>,
): Promise<void> {
  const windows = await takenWindows(tx, calls);
  const { inserted, holders } = await insertOrFind(tx, catalog, calls, windows);
  const holderOf = (task: NewTask) =>
    (opensWindow(task) && windows.get(uniqueName(task))) || holders.get(uniqueName(task));
  const children = calls.flatMap(({ tasks }) => tasks.filter((task) => isBlocked(task) && inserted.has(task.id)));
  const { unknown, states } =
    children.length > 0
      ? await joinParents(tx, children, calls[0]!.options.now)
      : { unknown: [], states: new Map<Id, CreatedAs["state"]>() };
  if (unknown.length > 0) throw new Conflict({ kind: "unknown_parents", parents: unknown });
  const replacements = new Map<Id, NewTask>();
  for (const call of calls) {
    const { tasks, options } = call;
    const found = tasks.flatMap((task) => {
      const holder = inserted.has(task.id) ? undefined : holderOf(task);
      if (holder === undefined || inserted.has(holder.id)) return [];
      return { task, id: holder.id, policy: uniquePolicyOf(options, task), sameType: holder.type === task.type };
    });
    const conflict = found.find(({ policy, sameType }) => policy === "reject" || (policy === "replace" && !sameType));
    if (conflict) {
      const { task, id, sameType } = conflict;
      const answer: CreateAnswer = { kind: "unique_conflict", id, uniqueKey: task.uniqueKey!, sameType };
      if (calls.length === 1) throw new Conflict(answer);
      answers.set(call, answer);
      continue;
    }
    for (const { task, id, policy } of found)
      if (policy === "replace" && !replacements.has(id)) replacements.set(id, task);
    const created = tasks.map((task) =>
      inserted.has(task.id)
        ? { ...asCreated(task), ...stateOf(states.get(task.id)) }
        : { id: holderOf(task)!.id, created: false },
    );
    if (options.idempotency && isAnsweredLater(call)) {
      const { namespace, key, response } = options.idempotency;
      await tx.query(putResponse, [namespace, key, response(created)]);
    }
    const claimed = await claimedTasks(
      catalog,
      tasks.filter((task) => inserted.get(task.id)),
    );
    answers.set(call, { kind: "created", tasks: created, claimed });
  }
  const opened = calls.flatMap(({ tasks, options: { now } }) =>
    tasks.filter((task) => opensWindow(task) && inserted.has(task.id)).map((task) => ({ task, now })),
  );
  await openWindows(tx, opened);
  // In the order in which everybody locks tasks.
  const ordered = [...replacements].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [holder, task] of ordered) await replaceTask(tx, holder, task);
}

const INSERT_TIMES = 5;

/**
 * By id, whether it was claimed; by unique key, the task that holds it, where it is not the one that was sent. Those whose key's window is
 * taken are left out.
 */
async function insertOrFind(
  tx: Db,
  catalog: Catalog,
  calls: CreateCall[],
  windows: ReadonlyMap<string, Holder>,
): Promise<{ inserted: Map<Id, boolean>; holders: Map<string, Holder> }> {
  const inserted = new Map<Id, boolean>();
  const holders = new Map<string, Holder>();
  const sessions = sessionsOf(calls);
  const tasks = calls
    .flatMap((call) => call.tasks)
    .map((task, index) => ({ task, session: sessions?.[index] ?? null }));
  const ordered = tasks
    .map((entry) => ({ ...entry, name: uniqueName(entry.task) }))
    .filter(({ task, name }) => !opensWindow(task) || !windows.has(name));
  let left = ordered.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (let times = 1; left.length > 0; times++) {
    // The holder of a key may have become final between the insert that met it and the look that did not.
    if (times > INSERT_TIMES) throw changesTooFast();
    const sent = left.map((entry) => entry.task);
    const { statement, values } = insertOf(sent, await catalog.numbersOf(sent), {
      skipTakenKeys: true,
      ...(sessions && { sessions: left.map((entry) => entry.session) }),
    });
    for (const [id, claimed] of await tx.query<InsertedRow>(statement, values)) inserted.set(id, claimed);
    left = left.filter(({ task }) => !inserted.has(task.id));
    if (left.length === 0) break;
    const found = await tx.query<[namespace: string, uniqueKey: string, id: Id, type: string]>(selectHolders, [
      left.map(({ task }) => task.namespace),
      left.map(({ task }) => task.uniqueKey),
    ]);
    for (const [namespace, uniqueKey, id, type] of found)
      holders.set(uniqueName({ namespace, uniqueKey }), { id, type });
    left = left.filter(({ name }) => !holders.has(name));
  }
  return { inserted, holders };
}

/** Only while nobody holds it; the others keep what they have. */
async function replaceTask(tx: Db, id: Id, { payload, dueAt, priority }: NewTask): Promise<void> {
  const large = isLarge(payload);
  await tx.query(replace, [id, large ? null : payload, dueAt, priority, bandOf(priority), large ? payload : null]);
}

const stateOf = (state: CreatedAs["state"]) => (state === undefined ? {} : { state });
const asCreated = (task: NewTask) => ({ id: task.id, created: true });
const isAnsweredLater = (call: CreateCall) => call.tasks.some((task) => task.uniqueKey !== null || isBlocked(task));

function changesTooFast(): CarillonError {
  return new CarillonError("unavailable", { detail: "The key changes hands too fast.", retryAfterMs: 1_000 });
}

const setLockTimeout = {
  name: "set_lock_timeout",
  text: "select set_config('lock_timeout', $1, true)",
};

const takeKeys = {
  name: "take_idempotency_keys",
  text: `
insert into idempotency (namespace, key, request_hash, response, expires_at)
select namespace, key, request_hash, response, to_timestamp(expires_at / 1000)
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::float8[])
       as x(namespace, key, request_hash, response, expires_at)
 order by namespace collate "C", key collate "C"
on conflict (namespace, key) do update
   set request_hash = excluded.request_hash, response = excluded.response, expires_at = excluded.expires_at
 where idempotency.expires_at <= to_timestamp($6::float8 / 1000)
returning namespace, key`,
};

/** Lateral, with a limit: a look-up by key for each, whatever the planner believes about the size of the table. */
const selectKeys = {
  name: "select_idempotency_keys",
  text: `
select i.*
  from unnest($1::text[], $2::text[]) as x(namespace, key)
 cross join lateral (
   select namespace, key, request_hash, response from idempotency
    where namespace = x.namespace and key = x.key
    limit 1) i`,
};

const selectRemembered = {
  name: "select_remembered_answer",
  text: `
select request_hash, response from idempotency
 where namespace = $1 and key = $2 and expires_at > ${instant("$3")}`,
};

const putResponse = {
  name: "put_idempotency_response",
  text: "update idempotency set response = $3 where namespace = $1 and key = $2",
};

const selectHolders = {
  name: "select_key_holders",
  text: `
select t.*
  from unnest($1::text[], $2::text[]) as x(namespace, unique_key)
 cross join lateral (
   select namespace, unique_key, id, (select type from lane where lane.id = task.lane_id) from task
    where namespace = x.namespace and unique_key = x.unique_key
    limit 1) t`,
};

const replace = {
  name: "replace_task",
  text: `
with changed as (
  update task
     set ${unparked}, payload = $2, due_at = to_timestamp($3::float8 / 1000), priority = $4, band = $5,
         blobs = (blobs & 4) | ($6::text is not null)::int, start_by = ${startByWhenDue(instant("$3"))},
         ${finishByWhenDue(instant("$3"))}
   where id = $1 and (state::text = 'pending' or ${isParked})
  returning id),
stored as (
  insert into blob (task_id, kind, data)
  select id, 1, $6 from changed where $6 is not null
  on conflict (task_id, kind) do update set data = excluded.data)
delete from blob using changed
 where blob.task_id = $1 and blob.kind = 1 and changed.id = blob.task_id and $6::text is null`,
};
