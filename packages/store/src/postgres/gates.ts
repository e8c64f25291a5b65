/** Which gates there are, and when each is to be judged (`judge-gates.ts`). */
import type { Id } from "@carillon/core";
import type { Gate, NewTask, SchedulePlan } from "../store.ts";
import type { Db, Statement } from "./db.ts";
import { instant, ms } from "./records.ts";

export async function gates(db: Db, { until, limit }: { until: number; limit: number }): Promise<Gate[]> {
  const rows = await db.query<[Id, number]>(selectGates, [until, limit]);
  return rows.map(([id, lookAt]) => ({ id, lookAt }));
}

/** Tasks, and schedules that wait for an end; in the transaction of the plans, which holds the locks of the schedules. */
export async function waitAtGates(
  tx: Db,
  tasks: readonly NewTask[],
  plans: readonly { schedule: { id: Id }; plan: SchedulePlan }[],
): Promise<void> {
  const lookAt = new Map<Id, number>();
  const look = (gate: Id, at: number) => lookAt.set(gate, Math.min(at, lookAt.get(gate) ?? at));
  for (const { gateId, dueAt } of tasks) if (gateId) look(gateId, dueAt);
  for (const { schedule, plan } of plans) if (typeof plan.lookAt === "number") look(schedule.id, plan.lookAt);
  if (lookAt.size > 0) await tx.query(upsertGates, [[...lookAt.keys()], [...lookAt.values()]]);
}

/** For a transaction that is about to change a task of this gate, which it locks afterwards. */
export async function lookAtGateOf(tx: Db, namespace: string, task: Id, now: number): Promise<void> {
  await tx.query(advanceGate, [namespace, task, now]);
}

// --------------------------------------------------------------------------------------------------------------- statements

const selectGates: Statement = {
  name: "select_gates",
  text: `select id, ${ms("look_at")} from gate where look_at <= ${instant("$1")} order by look_at limit $2`,
};

const upsertGates: Statement = {
  name: "wait_at_gates",
  text: `
insert into gate (id, look_at)
select id, to_timestamp(look_at / 1000) from unnest($1::bigint[], $2::float8[]) as x(id, look_at) order by id
on conflict (id) do update set look_at = least(gate.look_at, excluded.look_at)`,
};

const advanceGate: Statement = {
  name: "advance_gate",
  text: `
update gate set look_at = least(look_at, ${instant("$3")})
 where id = (select gate_id from task where namespace = $1 and id = $2 and state::text = 'waiting')`,
};
