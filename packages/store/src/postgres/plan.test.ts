import { expect, test } from "vitest";
import type { SchedulePlan, ScheduleRecord } from "../store.ts";
import { downtimes, recordDowntime } from "./downtime.ts";
import { listFires } from "./fires.ts";
import { DAY_MS } from "./partitions.ts";
import { planSchedules } from "./plan.ts";
import { getSchedule, putSchedule } from "./schedules.ts";
import { definition, HOUR, MINUTE, NOON, type Setup, setup } from "./test-setup.ts";
import { declareTypes, types } from "./types.ts";

/** A fire, and a task, each minute up to `until`. */
function everyMinute(t: Setup, until: number) {
  return (schedule: ScheduleRecord): SchedulePlan => {
    const fires: SchedulePlan["fires"] = [];
    for (let fireAt = Math.floor(schedule.plannedUntil / MINUTE + 1) * MINUTE; fireAt <= until; fireAt += MINUTE) {
      const task = t.newTask({ id: t.nextId(), scheduleId: schedule.id, trigger: "schedule", fireAt, dueAt: fireAt });
      fires.push({ fireAt, outcome: "task", reason: null, caughtUp: false, task });
    }
    return { fires, plannedUntil: Math.max(schedule.plannedUntil, until), nextFireAt: until + MINUTE };
  };
}

async function schedules(t: Setup, count: number): Promise<bigint[]> {
  const created = [];
  for (let n = 0; n < count; n++) {
    const name = `s${String(n).padStart(3, "0")}`;
    const request = {
      id: t.nextId(),
      namespace: "default",
      name,
      definition: definition(),
      now: NOON,
      nextFireAt: null,
    };
    const answer = await putSchedule(t.db, request);
    if ("schedule" in answer) created.push(answer.schedule.id);
  }
  return created;
}

/** Each task beside the fire that it belongs to. */
const pairs = `
  select f.schedule_id, (extract(epoch from f.fire_at) * 1000)::float8 as fire_at, f.outcome, f.task_id, t.id
    from fire f full join task t on t.id = f.task_id and t.schedule_id = f.schedule_id and t.fire_at = f.fire_at
   order by 1, 2`;

test("planners at work together double no fire and lose none", async () => {
  await using t = await setup();
  const ids = await schedules(t, 40);
  const dbs = [t.pools.control, t.pools.claims, t.pools.outcomes, t.pools.reads];
  const until = NOON + 10 * MINUTE;
  const answered: bigint[] = [];
  await Promise.all(
    dbs.map(async (db) => {
      for (let mark = NOON + MINUTE; mark <= until; mark += MINUTE) {
        const request = { before: mark, limit: 7, now: NOON };
        for (let planned = 1; planned > 0; ) {
          const answer = await planSchedules(db, t.catalog, request, everyMinute(t, mark));
          answered.push(...answer.tasks.map((task) => task.id));
          planned = answer.schedules;
        }
      }
    }),
  );
  // Whoever found every schedule in another planner's hands has stopped; that one has finished them.
  const rows = await t.sql<{ outcome: string; task_id: bigint | null; id: bigint | null }>(pairs);
  expect(rows).toHaveLength(ids.length * 10);
  for (const row of rows) expect(row).toMatchObject({ outcome: "task", task_id: row.id });
  expect(new Set(answered).size).toBe(answered.length);
  expect([...answered].sort()).toEqual(rows.map((row) => row.id!).sort());
  expect(await t.sql("select distinct fires from schedule")).toEqual([{ fires: 10n }]);
});

test("a planner does not wait for schedules that another one, or an edit, has in hand", async () => {
  await using t = await setup();
  const ids = await schedules(t, 4);
  const other = await t.connect();
  await other.query("begin");
  await other.query("select from schedule where id = any($1) for update", [ids.slice(0, 2)]);
  const plan = everyMinute(t, NOON + MINUTE);
  const request = { before: NOON + 1, limit: 10, now: NOON };
  const planned = await planSchedules(t.db, t.catalog, request, plan);
  expect(new Set(planned.tasks.map((task) => task.scheduleId))).toEqual(new Set(ids.slice(2)));
  await other.query("rollback");
  const rest = await planSchedules(t.db, t.catalog, request, plan);
  expect(new Set(rest.tasks.map((task) => task.scheduleId))).toEqual(new Set(ids.slice(0, 2)));
});

test("a fire that has its row creates nothing again, even when the mark goes back", async () => {
  await using t = await setup();
  const [id] = await schedules(t, 1);
  const request = { before: NOON + 1, limit: 10, now: NOON };
  const first = await planSchedules(t.db, t.catalog, request, everyMinute(t, NOON + 3 * MINUTE));
  expect(first.tasks).toHaveLength(3);
  await t.sql("delete from task where fire_at > $1", [new Date(NOON + 2 * MINUTE)]); // as if it were final and forgotten
  await t.sql("update schedule set planned_until = $1", [new Date(NOON)]);
  const second = await planSchedules(t.db, t.catalog, request, everyMinute(t, NOON + 4 * MINUTE));
  expect(second).toMatchObject({ schedules: 1, tasks: [{ fireAt: NOON + 4 * MINUTE }] });
  expect(await t.sql("select fires from schedule where id = $1", [id])).toEqual([{ fires: 4n }]);
});

test("whoever is furthest behind is planned first, and no more than the limit", async () => {
  await using t = await setup();
  const ids = await schedules(t, 5);
  for (const [n, id] of ids.entries()) {
    await t.sql("update schedule set planned_until = $2 where id = $1", [id, new Date(NOON - n * MINUTE)]);
  }
  const asked: bigint[] = [];
  const answer = await planSchedules(t.db, t.catalog, { before: NOON + 1, limit: 3, now: NOON }, (schedule) => {
    asked.push(schedule.id);
    return { fires: [], plannedUntil: NOON + HOUR, nextFireAt: null };
  });
  expect(answer).toEqual({ schedules: 3, tasks: [] });
  expect(new Set(asked)).toEqual(new Set(ids.slice(2)));
  const summary = await getSchedule(t.db, "default", "s004", NOON);
  expect(summary).toMatchObject({ plannedUntil: NOON + HOUR, nextFireAt: null, fires: 0 });
});

test("a plan reaches into days that have no partition yet", async () => {
  await using t = await setup();
  const [id] = await schedules(t, 1);
  const days = [-400, -1, 0, 1, 2, 300];
  const answer = await planSchedules(t.db, t.catalog, { before: NOON + 1, limit: 1, now: NOON }, () => ({
    fires: days.map((day) => ({
      fireAt: NOON + day * DAY_MS,
      outcome: "missed" as const,
      reason: "no_node",
      caughtUp: false,
      task: null,
    })),
    plannedUntil: NOON + 300 * DAY_MS,
    nextFireAt: null,
  }));
  expect(answer).toEqual({ schedules: 1, tasks: [] });
  const range = { from: NOON - 1_000 * DAY_MS, to: NOON + 1_000 * DAY_MS };
  const { items } = await listFires(t.db, id!, { ...range, pageSize: 10, after: null });
  expect(items.map((fire) => (fire.fireAt - NOON) / DAY_MS)).toEqual(days);
});

test("a plan that throws leaves everything as it was", async () => {
  await using t = await setup();
  await schedules(t, 2);
  const planning = planSchedules(t.db, t.catalog, { before: NOON + 1, limit: 9, now: NOON }, () => {
    throw new Error("no such rule");
  });
  await expect(planning).rejects.toThrow("no such rule");
  expect(await t.sql("select count(*) from schedule where planned_until = $1", [new Date(NOON)])).toEqual([
    { count: 2n },
  ]);
});

test("what was planned for a downtime and never claimed is planned anew", async () => {
  await using t = await setup();
  const [id] = await schedules(t, 1);
  const request = { before: NOON + 1, limit: 1, now: NOON };
  const { tasks } = await planSchedules(t.db, t.catalog, request, everyMinute(t, NOON + 20 * MINUTE));
  await t.claim(tasks[6]!.id, await t.session()); // of minute 7
  const manual = t.newTask({ scheduleId: id!, trigger: "manual", fireAt: NOON + 8 * MINUTE });
  await t.insert(manual);
  // Nobody was alive from the fifth minute on until three seconds after the twelfth.
  const downtime = { from: NOON + 5 * MINUTE, until: NOON + 12 * MINUTE + 3_000 };
  await recordDowntime(t.db, downtime);
  const rows = await t.sql<{ fire_at: number; task_id: bigint; id: bigint }>(`${pairs.replace("full join", "join")}`);
  const left = rows.map((row) => (row.fire_at - NOON) / MINUTE);
  expect(left).toEqual([1, 2, 3, 4, 5, 7, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  expect(await t.sql("select count(*) from fire")).toEqual([{ count: 15n }]);
  expect(await t.sql("select id from task where id = $1", [manual.id])).toHaveLength(1);
  expect(await getSchedule(t.db, "default", "s000", NOON)).toMatchObject({ plannedUntil: downtime.from, fires: 15 });

  const again = await planSchedules(t.db, t.catalog, request, everyMinute(t, NOON + 20 * MINUTE));
  expect(again.schedules).toBe(0); // its mark is not behind noon
  const replanned = await planSchedules(
    t.db,
    t.catalog,
    { ...request, before: downtime.until },
    everyMinute(t, NOON + 20 * MINUTE),
  );
  expect(replanned.tasks.map((task) => (task.fireAt! - NOON) / MINUTE)).toEqual([6, 8, 9, 10, 11]);

  // Told again, by a node that started at the same moment: nothing more happens.
  await recordDowntime(t.db, { ...downtime, until: NOON + HOUR });
  expect(await t.sql("select count(*) from fire")).toEqual([{ count: 20n }]);
  expect(await downtimes(t.db, NOON)).toEqual([downtime]);
  expect(await downtimes(t.db, downtime.until)).toEqual([]);
});

test("a mark that is behind the downtime stays, and nodes that start together record it once", async () => {
  await using t = await setup();
  await schedules(t, 3);
  const downtime = { from: NOON + MINUTE, until: NOON + HOUR };
  await Promise.all([1, 2, 3].map((n) => recordDowntime(t.db, { ...downtime, until: downtime.until + n })));
  expect(await t.sql("select distinct planned_until = $1 as still from schedule", [new Date(NOON)])).toEqual([
    { still: true },
  ]);
  expect(await downtimes(t.db, 0)).toHaveLength(1);
});

test("a downtime waits for a planner at work and withdraws what that one plans", async () => {
  await using t = await setup();
  await schedules(t, 2);
  await planSchedules(t.db, t.catalog, { before: NOON + 1, limit: 1, now: NOON }, everyMinute(t, NOON + 9 * MINUTE));
  let recording: Promise<void> | undefined;
  const plan = everyMinute(t, NOON + 9 * MINUTE);
  await planSchedules(t.db, t.catalog, { before: NOON + 1, limit: 1, now: NOON }, (schedule) => {
    recording ??= recordDowntime(t.db, { from: NOON, until: NOON + HOUR });
    return plan(schedule);
  });
  await recording;
  expect(await t.sql("select id from task")).toEqual([]);
  expect(await t.sql("select task_id from fire")).toEqual([]);
  expect(await t.sql("select distinct fires from schedule")).toEqual([{ fires: 0n }]);
});

test("the latest declaration of a type counts, in its own namespace", async () => {
  await using t = await setup();
  const policy = { retry: null, timeoutMs: 5_000 };
  const declare = (namespace: string, queue: string | null, now: number, ...names: string[]) =>
    declareTypes(
      t.db,
      namespace,
      names.map((type) => ({ type, queue, policy })),
      now,
    );
  await declare("default", "billing", NOON, "send", "report");
  await declare("default", null, NOON + 1, "send");
  await declare("other", "x", NOON + 2, "send");
  await declare("other", "x", NOON + 2);
  expect(await types(t.db, "default")).toEqual([
    { type: "report", queue: "billing", policy, declaredAt: NOON },
    { type: "send", queue: null, policy, declaredAt: NOON + 1 },
  ]);
  const names = Array.from({ length: 20 }, (_, n) => `t${n}`);
  await Promise.all(
    [names, [...names].reverse(), names, [...names].reverse()].map((order, n) =>
      declare("busy", null, NOON + n, ...order),
    ),
  );
  expect(await types(t.db, "busy")).toHaveLength(20);
});
