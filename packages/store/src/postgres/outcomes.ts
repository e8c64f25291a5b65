/**
 * recordOutcomes. `(id, token)` alone decides whether an attempt's end is written; the first one committed wins. Outcomes of the same
 * moment share a statement, on connections where no insert ever waits.
 */
import { type Id, limits, type OutcomeDecision } from "@carillon/core";
import type { Outcome } from "../store.ts";
import { float8Array, int2Array, int8Array, textArray } from "./arrays.ts";
import type { Pools, Statement } from "./db.ts";
import { refusalOf } from "./db-errors.ts";
import { attemptsWith, errorText, insertIntoArchive, noteEnded, returned, storable } from "./final.ts";
import { createGroup, reaches, type Size, settle } from "./group-commit.ts";
import { isLarge } from "./insert.ts";
import { withPartitions } from "./partitions.ts";

/** @param ended told when ends may have to be told on (`dependencies.ts`) */
export function createRecordOutcomes(pools: Pools, ended: () => void): (outcomes: Outcome[]) => Promise<boolean[]> {
  const record = createGroup<Outcome[], boolean[]>({
    flights: 2,
    flight: FLIGHT,
    sizeOf: (outcomes) => ({
      rows: outcomes.length,
      bytes: outcomes.reduce((sum, outcome) => sum + bytesOf(outcome), 0),
    }),
    waiting: null,
    run: (entries) => settle(entries, (calls) => recordCalls(pools, calls, ended)),
  });
  return async (outcomes) => {
    if (outcomes.length === 0) return [];
    try {
      return (await Promise.all(flightsOf(outcomes).map(record))).flat();
    } catch (error) {
      throw refusalOf(error);
    }
  };
}

/** About what one statement carries within its deadline, on a slow disk too. */
const FLIGHT: Size = { rows: 2_000, bytes: 8 * 1_024 * 1_024 };

function bytesOf({ decision }: Outcome): number {
  const result = decision.kind === "final" ? (decision.result?.length ?? 0) : 0;
  return result + (decision.error?.message.length ?? 0) + (decision.error?.stack?.length ?? 0);
}

/** A call may bring more than a flight carries. */
function flightsOf(outcomes: Outcome[]): Outcome[][] {
  const flights: Outcome[][] = [];
  let begin = 0;
  let bytes = 0;
  for (const [index, outcome] of outcomes.entries()) {
    bytes += bytesOf(outcome);
    const end = index + 1;
    if (end < outcomes.length && !reaches({ rows: end - begin, bytes }, FLIGHT)) continue;
    flights.push(outcomes.slice(begin, end));
    begin = end;
    bytes = 0;
  }
  return flights;
}

/** An outcome, and where its answer goes. */
interface Item {
  outcome: Outcome;
  answers: boolean[];
  index: number;
}
type Decided<Kind extends OutcomeDecision["kind"]> = Item & {
  outcome: Outcome & { decision: Extract<OutcomeDecision, { kind: Kind }> };
};

async function recordCalls(pools: Pools, calls: Outcome[][], ended: () => void): Promise<boolean[][]> {
  const answers = calls.map((outcomes) => outcomes.map(() => false));
  let items: Item[] = calls.flatMap((outcomes, call) =>
    outcomes.map((outcome, index) => ({ outcome, answers: answers[call]!, index })),
  );
  // Locks are taken in id order, and of two outcomes of one task the first one sent is tried first.
  items.sort((a, b) => (a.outcome.id < b.outcome.id ? -1 : a.outcome.id > b.outcome.id ? 1 : 0));
  while (items.length > 0) {
    const isFirst = (item: Item, index: number) => index === 0 || items[index - 1]!.outcome.id !== item.outcome.id;
    const now = items.filter(isFirst);
    items = now.length === items.length ? [] : items.filter((item, index) => !isFirst(item, index));
    await Promise.all([
      finish(
        pools,
        now.filter((item): item is Decided<"final"> => item.outcome.decision.kind === "final"),
        ended,
      ),
      again(
        pools,
        now.filter((item): item is Decided<"again"> => item.outcome.decision.kind === "again"),
        ended,
      ),
    ]);
  }
  return answers;
}

function answer(items: Item[], recorded: Set<Id>): void {
  for (const { outcome, answers, index } of items) answers[index] = recorded.has(outcome.id);
}

// ---------------------------------------------------------------------------------------------------------------------- final

async function finish(pools: Pools, items: Decided<"final">[], ended: () => void): Promise<void> {
  if (items.length === 0) return;
  const recorded = await finishRows(pools, items, false);
  if (recorded === "all") {
    for (const { answers, index } of items) answers[index] = true;
    return;
  }
  let left = items.filter(({ outcome }) => !recorded.has(outcome.id));
  const parents = await finishRows(pools, left, true);
  for (const { outcome } of left) if (parents === "all" || parents.has(outcome.id)) recorded.add(outcome.id);
  if (parents === "all" || parents.size > 0) ended();
  left = left.filter(({ outcome }) => !recorded.has(outcome.id));
  for (const id of left.length > 0 ? await repeated(pools, left) : []) recorded.add(id);
  answer(items, recorded);
}

async function finishRows(pools: Pools, items: Decided<"final">[], parents: boolean): Promise<"all" | Set<Id>> {
  const { statement, values } = finishOf(
    items.map((item) => item.outcome),
    parents,
  );
  const [row] = await withPartitions(pools.control, () =>
    pools.outcomes.query<[count: number, ids: string | null]>(statement, values),
  );
  const [count, ids] = row!;
  if (count === items.length) return "all";
  return new Set(ids === null ? [] : ids.split(",").map(BigInt));
}

/** Those of them that are recorded already, just so: their callers never got the answer, and send again. */
async function repeated(pools: Pools, items: Decided<"final">[]): Promise<Id[]> {
  const outcomes = items.map((item) => item.outcome);
  const since = outcomes.map(({ finishedAt }) => finishedAt - limits.repeatedOutcomeMs);
  const rows = await pools.outcomes.query<[Id]>(selectRepeated, [
    int8Array(outcomes.map(({ id }) => id)),
    int8Array(outcomes.map(({ token }) => token)),
    textArray(outcomes.map(({ decision }) => decision.state)),
    float8Array(since),
    Math.min(...since),
  ]);
  return rows.map(([id]) => id);
}

const selectRepeated = {
  name: "select_repeated_outcomes",
  text: `
select a.id
  from archive a
  join unnest($1::int8[], $2::int8[], $3::text[], $4::float8[]) as x(id, token, state, since)
    on x.id = a.id and x.token = a.token and x.state = a.state::text and a.finished_at >= to_timestamp(x.since / 1000)
 where a.id = any($1::int8[]) and a.finished_at >= to_timestamp($5::float8 / 1000)`,
};

/**
 * One delete whose rows go to the archive. Its rows come in id order (the sorted arrays, or the key's index), so two batches never wait
 * for each other in a circle; a lock taken first, as elsewhere, would write every row once more. Those whose ends others wait for are left
 * to a second one of the same kind (`parents`), which also notes their ends: one that gets a child while this waits for its row is looked
 * at anew, and stays.
 */
function finishOf(
  outcomes: Decided<"final">["outcome"][],
  parents: boolean,
): { statement: Statement; values: unknown[] } {
  const [first] = outcomes as [Decided<"final">["outcome"]];
  const values: unknown[] = [];
  const arrays: string[] = [];
  const names: string[] = [];
  let flags = "";
  function each(name: string, type: string, value: Buffer): void {
    arrays.push(`$${values.push(value)}::${type}[]`);
    names.push(name);
  }
  /** Most batches are alike: all succeeded, by the same worker, without a result. */
  function common<T>(name: string, type: string, pick: (outcome: typeof first) => T, array: (all: T[]) => Buffer) {
    const value = pick(first);
    const alike = outcomes.every((outcome) => pick(outcome) === value);
    flags += alike ? "1" : "0";
    if (!alike) {
      each(name, type, array(outcomes.map(pick)));
      return `t.x_${name}`;
    }
    return `$${values.push(value)}::${type}`;
  }

  each("id", "int8", int8Array(outcomes.map(({ id }) => id)));
  each("token", "int8", int8Array(outcomes.map(({ token }) => token)));
  each("started_at", "float8", float8Array(outcomes.map(({ startedAt }) => startedAt)));
  each("finished_at", "float8", float8Array(outcomes.map(({ finishedAt }) => finishedAt)));
  const state = common("state", "text", ({ decision }) => decision.state as string, textArray);
  const inlineResult = ({ decision: { result } }: typeof first) => (isLarge(result) ? null : result);
  const result = common("result", "text", inlineResult, textArray);
  const error = common("error", "text", ({ decision }) => errorText(decision.error), textArray);
  const reasonOf = ({ decision: { reason } }: typeof first) => (reason === null ? null : storable(reason));
  const reason = common("reason", "text", reasonOf, textArray);
  const worker = common("worker", "text", ({ worker }) => worker, textArray);
  const lost = common("lost", "int2", (outcome) => (outcome.lost ? 1 : 0), int2Array);
  const bound = outcomes.some(({ session }) => session !== undefined);
  if (bound) each("session", "int8", int8Array(outcomes.map(({ session }) => session ?? null)));
  const large = outcomes.filter(({ decision }) => isLarge(decision.result));
  if (large.length > 0)
    each("large", "int2", int2Array(outcomes.map(({ decision }) => (isLarge(decision.result) ? 2 : 0))));

  const archived = insertIntoArchive("gone", {
    started_at: "to_timestamp(t.x_started_at / 1000)",
    finished_at: "to_timestamp(t.x_finished_at / 1000)",
    state: `${state}::task_state`,
    attempt: "t.attempt - (t.x_started_at is null)::int",
    failures: `t.failures + (${state} = 'failed' and ${lost} = 0)::int`,
    lost: `t.lost + ${lost}`,
    worker,
    result,
    error,
    reason,
    ...(large.length > 0 && { blobs: "(t.blobs | t.x_large)::int2" }),
  });
  const count = values.push(outcomes.length);
  let text = `
with gone as (
  delete from task t
   using unnest(${arrays.join(", ")}) as x(${names.join(", ")})
   where t.id = any($1::int8[]) and t.id = x.id and t.token = x.token and t.state in ('claimed', 'running')
         ${parents ? "" : "and not t.has_children"} ${bound ? "and (x.session is null or x.session = t.session)" : ""}
  returning t.*, ${names.map((name) => `x.${name} as x_${name}`).join(", ")}),
recorded as (${archived} returning id)${parents ? `,${noteEnded("gone", state)}` : ""}`;
  if (large.length > 0) {
    const ids = values.push(int8Array(large.map(({ id }) => id)));
    const data = values.push(textArray(large.map(({ decision }) => decision.result)));
    text += `,
stored as (
  insert into blob (task_id, kind, data)
  select r.id, 2, l.data from unnest($${ids}::int8[], $${data}::text[]) as l(id, data) join recorded r on r.id = l.id
  on conflict (task_id, kind) do update set data = excluded.data)`;
  }
  text += `
select count(*)::int4, case when count(*) < $${count} then string_agg(id::text, ',') end from recorded`;
  return {
    statement: {
      name: `finish_${parents ? "parents_" : ""}${flags}${bound ? "1" : "0"}${large.length > 0 ? "1" : "0"}`,
      text,
    },
    values,
  };
}

// ---------------------------------------------------------------------------------------------------------------------- again

async function again(pools: Pools, items: Decided<"again">[], ended: () => void): Promise<void> {
  if (items.length === 0) return;
  const { statement, values } = againOf(items.map((item) => item.outcome));
  const rows = await withPartitions(pools.control, () => pools.outcomes.query<[Id, final: boolean]>(statement, values));
  answer(items, new Set(rows.map(([id]) => id)));
  if (rows.some(([, final]) => final)) ended();
}

function againOf(outcomes: Decided<"again">["outcome"][]): { statement: Statement; values: unknown[] } {
  const values = [
    int8Array(outcomes.map(({ id }) => id)),
    int8Array(outcomes.map(({ token }) => token)),
    int8Array(outcomes.map(({ session }) => session ?? null)),
    float8Array(outcomes.map(({ decision }) => decision.dueAt)),
    float8Array(outcomes.map(({ startedAt }) => startedAt)),
    float8Array(outcomes.map(({ finishedAt }) => finishedAt)),
    textArray(outcomes.map(({ worker }) => worker)),
    textArray(outcomes.map(({ decision }) => errorText(decision.error))),
    int2Array(outcomes.map(({ decision, lost }) => (decision.as === "failed" && !lost ? 1 : 0))),
    int2Array(outcomes.map(({ lost }) => (lost ? 1 : 0))),
    textArray(outcomes.map(endedAs)),
  ];
  return { statement: tryAgain, values };
}

/** What its attempt is remembered as; null when it leaves none. */
function endedAs({ startedAt, lost, decision }: Decided<"again">["outcome"]): string | null {
  if (startedAt === null) return null;
  if (lost) return "lost";
  return decision.as === "released" ? null : decision.as;
}

/** A task that was asked to cancel is not tried again. */
const tryAgain = {
  name: "try_again",
  text: `
with held as materialized (
  select t.id, t.recall is not distinct from 'cancel' as cancelled, to_timestamp(x.due_at / 1000) as next_due_at,
         to_timestamp(x.started_at / 1000) as ended_started_at, to_timestamp(x.finished_at / 1000) as ended_at,
         x.worker as ended_worker, x.error as ended_error, x.failed, x.lost as ended_lost, x.ended_as
    from task t
    join unnest($1::int8[], $2::int8[], $3::int8[], $4::float8[], $5::float8[], $6::float8[], $7::text[], $8::text[],
                $9::int2[], $10::int2[], $11::text[])
         as x(id, token, session, due_at, started_at, finished_at, worker, error, failed, lost, ended_as)
      on x.id = t.id and x.token = t.token
   where t.id = any($1::int8[]) and t.state in ('claimed', 'running') and (x.session is null or x.session = t.session)
   order by t.id
     for update of t),
gone as (
  delete from task t using held where t.id = any($1::int8[]) and t.id = held.id and held.cancelled
  returning t.*, ended_started_at, ended_at, ended_worker, ended_error, failed, ended_lost),
archived as (${insertIntoArchive("gone", {
    started_at: "t.ended_started_at",
    finished_at: "t.ended_at",
    state: "'cancelled'",
    attempt: "t.attempt - (t.ended_started_at is null)::int",
    failures: "t.failures + t.failed",
    lost: "t.lost + t.ended_lost",
    worker: "t.ended_worker",
    error: "coalesce(t.ended_error, t.error)",
  })}
  returning id),${noteEnded("gone", "'cancelled'")},
changed as (
  update task t
     set ${returned}, due_at = held.next_due_at, attempt = t.attempt - (held.ended_started_at is null)::int,
         failures = t.failures + held.failed, lost = t.lost + held.ended_lost,
         error = coalesce(held.ended_error, t.error),
         attempts = case when held.ended_as is null then t.attempts else ${attemptsWith("t", {
           worker: "held.ended_worker",
           startedAt: "held.ended_started_at",
           finishedAt: "held.ended_at",
           outcome: "held.ended_as",
           error: "held.ended_error::jsonb",
         })} end
    from held
   where t.id = any($1::int8[]) and t.id = held.id and not held.cancelled
  returning t.id)
select id, true from archived union all select id, false from changed`,
};
