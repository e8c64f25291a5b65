import { planFires } from "@carillon/core";
import { expect, test } from "vitest";
import type { NewTask, SchedulePlan, ScheduleRecord, ScheduleToPlan } from "../store.ts";
import { listFires } from "./fires.ts";
import { planSchedules } from "./plan.ts";
import { getTask } from "./records.ts";
import { deleteSchedule, getSchedule, listSchedules, putSchedule, setPaused } from "./schedules.ts";
import { claimText, definition, HOUR, MINUTE, NOON, type Setup, setup } from "./test-setup.ts";

const HORIZON = 5 * MINUTE;

/** As a node plans, with the planner's own decisions. */
function planner(t: Setup, now: number) {
  return (schedule: ScheduleToPlan): SchedulePlan => {
    const plan = planFires(
      {
        id: schedule.id,
        rule: schedule.definition.rule,
        catchUp: schedule.definition.catchUp,
        plannedUntil: schedule.plannedUntil,
        firesSoFar: schedule.fires,
        tasksAhead: schedule.tasksAhead,
        paused: schedule.paused,
        until: schedule.until,
      },
      { now, horizonMs: HORIZON, limit: 1_000 },
    );
    const fires = plan.fires.map(({ fireAt, dueAt, outcome, reason, caughtUp }) => ({
      fireAt,
      outcome,
      reason,
      caughtUp,
      task: outcome === "task" ? scheduledTask(t, schedule, fireAt, dueAt, now) : null,
    }));
    return { fires, plannedUntil: plan.plannedUntil, nextFireAt: plan.nextFireAt };
  };
}

function scheduledTask(t: Setup, schedule: ScheduleRecord, fireAt: number, dueAt: number, now: number): NewTask {
  const { type, payload, priority } = schedule.definition.task;
  return t.newTask({
    id: t.nextId(now),
    namespace: schedule.namespace,
    type,
    payload,
    priority,
    dueAt,
    fireAt,
    scheduleId: schedule.id,
    trigger: "schedule",
  });
}

/** Plans whatever is behind. */
async function plan(t: Setup, now: number) {
  return planSchedules(t.db, t.catalog, { before: now + HORIZON, limit: 100, now }, planner(t, now));
}

async function put(t: Setup, name: string, more: Partial<Parameters<typeof putSchedule>[1]> = {}) {
  return putSchedule(t.db, {
    id: t.nextId(),
    namespace: "default",
    name,
    definition: definition(),
    now: NOON,
    nextFireAt: NOON + MINUTE,
    ...more,
  });
}

async function scheduleOf(t: Setup, name: string) {
  return (await getSchedule(t.db, "default", name, NOON))!;
}

/** The whole ledger of a schedule: minutes after noon and outcome. */
async function ledger(t: Setup, schedule: bigint): Promise<string[]> {
  const page = await listFires(t.db, schedule, {
    from: NOON - 24 * HOUR,
    to: NOON + 24 * HOUR,
    pageSize: 1_000,
    after: null,
  });
  return page.items.map(
    (fire) => `${(fire.fireAt - NOON) / MINUTE} ${fire.outcome}${fire.reason ? ` ${fire.reason}` : ""}`,
  );
}

/** Minutes after noon of the tasks that are not final. */
async function taskMinutes(t: Setup, schedule: bigint): Promise<number[]> {
  const rows = await t.sql<{ ms: number }>(
    "select (extract(epoch from fire_at) * 1000)::float8 as ms from task where schedule_id = $1 order by fire_at",
    [schedule],
  );
  return rows.map((row) => (row.ms - NOON) / MINUTE);
}

const minutes = (...numbers: number[]) => numbers;

test("an equal put changes nothing, in whatever order its fields come", async () => {
  await using t = await setup();
  const first = await put(t, "nightly");
  expect(first).toMatchObject({
    kind: "created",
    schedule: { version: 1, paused: false, plannedUntil: NOON, fires: 0 },
  });
  await plan(t, NOON);
  const before = [
    await scheduleOf(t, "nightly"),
    await t.sql("select xmin, * from schedule"),
    await t.sql("select xmin, id from task"),
  ];
  const { task, rule, ...rest } = definition();
  const shuffled = { ...rest, task: Object.fromEntries(Object.entries(task).reverse()), rule };
  const second = await put(t, "nightly", { definition: shuffled as ReturnType<typeof definition>, now: NOON + MINUTE });
  expect(second).toMatchObject({ kind: "unchanged", schedule: { version: 1, updatedAt: NOON } });
  expect([
    await scheduleOf(t, "nightly"),
    await t.sql("select xmin, * from schedule"),
    await t.sql("select xmin, id from task"),
  ]).toEqual(before);
});

test("a put may insist that there is none, or that it is this version", async () => {
  await using t = await setup();
  expect(await put(t, "a", { expect: 1 })).toEqual({ kind: "version_mismatch" });
  expect(await put(t, "a", { expect: "create" })).toMatchObject({ kind: "created" });
  expect(await put(t, "a", { expect: "create" })).toEqual({ kind: "exists" });
  const changed = definition({ cron: "0 * * * *" });
  expect(await put(t, "a", { expect: 1, definition: changed })).toMatchObject({
    kind: "changed",
    schedule: { version: 2 },
  });
  expect(await put(t, "a", { expect: 1, definition: definition() })).toEqual({ kind: "version_mismatch" });
});

test("of many who create at once one does; of many who edit one version one does", async () => {
  await using t = await setup();
  for (let round = 0; round < 5; round++) {
    const name = `s${round}`;
    const creations = await Promise.all([1, 2, 3, 4].map(() => put(t, name, { expect: "create" })));
    expect(creations.map((answer) => answer.kind).sort()).toEqual(["created", "exists", "exists", "exists"]);
    const edits = await Promise.all(
      [1, 2, 3, 4].map((n) => put(t, name, { expect: 1, definition: definition({ cron: `${n} * * * *` }) })),
    );
    expect(edits.map((answer) => answer.kind).sort()).toEqual(["changed", ...Array(3).fill("version_mismatch")]);
  }
  const plain = await Promise.all([1, 2, 3, 4].map(() => put(t, "plain")));
  expect(plain.map((answer) => answer.kind).sort()).toEqual(["created", "unchanged", "unchanged", "unchanged"]);
});

test("an edit withdraws what was planned and never claimed, and the new version is planned from now on", async () => {
  await using t = await setup();
  await put(t, "a");
  expect((await plan(t, NOON)).tasks).toHaveLength(5);
  const { id, fires } = await scheduleOf(t, "a");
  expect(fires).toBe(5);
  const session = await t.session();
  const [, , third, fourth] = await t.sql<{ id: bigint }>("select id from task order by fire_at");
  await t.claim(third!.id, session);
  // Failed once, and waits for its next attempt.
  await t.sql("update task set attempt = 1, failures = 1 where id = $1", [fourth!.id]);
  const now = NOON + MINUTE;
  const answer = await put(t, "a", { definition: definition({ cron: "*/2 * * * *" }), now, nextFireAt: now + MINUTE });
  expect(answer).toMatchObject({
    kind: "changed",
    schedule: { version: 2, plannedUntil: now, fires: 3, nextFireAt: now + MINUTE, updatedAt: now },
  });
  expect(await taskMinutes(t, id)).toEqual(minutes(1, 3, 4));
  expect(await ledger(t, id)).toEqual(["1 task", "2 withdrawn edited", "3 task", "4 task", "5 withdrawn edited"]);

  await plan(t, now);
  expect(await taskMinutes(t, id)).toEqual(minutes(1, 2, 3, 4, 6));
  expect(await ledger(t, id)).toEqual(["1 task", "2 task", "3 task", "4 task", "5 withdrawn edited", "6 task"]);
  expect((await scheduleOf(t, "a")).fires).toBe(5);
  const page = await listFires(t.db, id, { from: NOON, to: NOON + HOUR, pageSize: 10, after: null });
  expect(page.items.map((fire) => fire.version)).toEqual([1, 2, 1, 1, 1, 2]);
});

test("an edit that meets a planner at work withdraws what that one plans", async () => {
  await using t = await setup();
  await put(t, "b");
  await plan(t, NOON); // The day has its partition: the planner's transaction does not begin anew.
  await put(t, "a");
  let editing: ReturnType<typeof put> | undefined;
  const decide = planner(t, NOON);
  await planSchedules(t.db, t.catalog, { before: NOON + 1, limit: 10, now: NOON }, (schedule) => {
    editing ??= put(t, "a", { definition: definition({ cron: "30 * * * *" }), nextFireAt: NOON + 30 * MINUTE });
    return decide(schedule);
  });
  expect(await editing).toMatchObject({ kind: "changed", schedule: { version: 2, plannedUntil: NOON, fires: 0 } });
  const { id } = await scheduleOf(t, "a");
  expect(await taskMinutes(t, id)).toEqual([]);
  expect(await ledger(t, id)).toEqual([1, 2, 3, 4, 5].map((minute) => `${minute} withdrawn edited`));
});

test("an edit waits for a claim about to commit, and leaves it its task", async () => {
  await using t = await setup();
  await put(t, "a");
  const { tasks } = await plan(t, NOON);
  const claimer = await t.connect();
  await claimer.query("begin");
  await claimer.query(claimText, [tasks[1]!.id, await t.session()]);
  const editing = put(t, "a", { definition: definition({ cron: "30 * * * *" }) });
  await t.untilBlocked();
  await claimer.query("commit");
  expect(await editing).toMatchObject({ kind: "changed", schedule: { fires: 1 } });
  const { id } = await scheduleOf(t, "a");
  expect(await taskMinutes(t, id)).toEqual([2]);
  expect((await ledger(t, id))[1]).toBe("2 task");
});

test("while a schedule is paused its fires are skipped; resumed, it goes on from that moment", async () => {
  await using t = await setup();
  await put(t, "a");
  await plan(t, NOON);
  const manual = t.newTask({ scheduleId: (await scheduleOf(t, "a")).id, trigger: "manual" });
  await t.insert(manual);
  const pausedAt = NOON + 1.5 * MINUTE;
  expect(await setPaused(t.db, "default", "a", { paused: true, reason: "holiday", now: pausedAt })).toMatchObject({
    paused: true,
    pause: { reason: "holiday", at: pausedAt },
    plannedUntil: pausedAt,
    version: 1,
    fires: 1,
  });
  const again = await setPaused(t.db, "default", "a", { paused: true, reason: null, now: pausedAt + 1 });
  expect(again).toMatchObject({ pause: { reason: "holiday" }, updatedAt: pausedAt });
  const { id } = await scheduleOf(t, "a");
  expect(await ledger(t, id)).toEqual(["1 task"]);
  expect((await getTask(t.db, "default", manual.id))?.state).toBe("pending");

  expect((await plan(t, NOON + 2 * MINUTE)).tasks).toEqual([]);
  expect((await ledger(t, id)).slice(1)).toEqual([2, 3, 4, 5, 6, 7].map((minute) => `${minute} skipped paused`));

  const resumedAt = NOON + 3.5 * MINUTE;
  expect(await setPaused(t.db, "default", "a", { paused: false, reason: null, now: resumedAt })).toMatchObject({
    paused: false,
    pause: null,
    plannedUntil: resumedAt,
  });
  await plan(t, resumedAt);
  expect(await ledger(t, id)).toEqual([
    "1 task",
    "2 skipped paused",
    "3 skipped paused",
    "4 task",
    "5 task",
    "6 task",
    "7 task",
    "8 task",
  ]);
  expect(await setPaused(t.db, "default", "nobody", { paused: true, reason: null, now: NOON })).toBeNull();
  expect(await setPaused(t.db, "other", "a", { paused: true, reason: null, now: NOON })).toBeNull();
});

test("a pause loses no fire that the planner has not come to yet", async () => {
  await using t = await setup();
  await put(t, "a");
  const now = NOON + 3.5 * MINUTE;
  await setPaused(t.db, "default", "a", { paused: true, reason: null, now: NOON + 2.5 * MINUTE });
  await setPaused(t.db, "default", "a", { paused: false, reason: null, now });
  const { id, plannedUntil } = await scheduleOf(t, "a");
  expect(plannedUntil).toBe(NOON);
  while ((await plan(t, now)).schedules > 0);
  expect(await ledger(t, id)).toEqual([
    ...["1 missed no_node", "2 task", "3 skipped paused"],
    ...[4, 5, 6, 7, 8].map((minute) => `${minute} task`),
  ]);
});

test("a put can pause and edit in one, and an edit while paused forgets what it would have skipped", async () => {
  await using t = await setup();
  await put(t, "a");
  await plan(t, NOON);
  const edited = await put(t, "a", { paused: true, definition: definition({ cron: "*/2 * * * *" }) });
  expect(edited).toMatchObject({ kind: "changed", schedule: { version: 2, paused: true, fires: 0 } });
  await plan(t, NOON);
  const { id } = await scheduleOf(t, "a");
  expect(await ledger(t, id)).toEqual(["2 skipped paused", "4 skipped paused"]);
  await put(t, "a", { definition: definition({ cron: "*/3 * * * *" }) });
  await plan(t, NOON);
  expect(await ledger(t, id)).toEqual(["3 skipped paused"]);
  expect(await put(t, "a", { paused: false, definition: definition({ cron: "*/3 * * * *" }) })).toMatchObject({
    kind: "changed",
    schedule: { version: 3, paused: false },
  });
});

test("a deleted schedule withdraws its plans, keeps its ledger, and gives its name away", async () => {
  await using t = await setup();
  await put(t, "a");
  const { tasks } = await plan(t, NOON);
  await t.claim(tasks[0]!.id, await t.session());
  const { id } = await scheduleOf(t, "a");
  expect(await deleteSchedule(t.db, "other", "a", NOON)).toBe(false);
  expect(await deleteSchedule(t.db, "default", "a", NOON)).toBe(true);
  expect(await deleteSchedule(t.db, "default", "a", NOON)).toBe(false);
  expect(await getSchedule(t.db, "default", "a", NOON)).toBeNull();
  expect(await taskMinutes(t, id)).toEqual([1]);
  expect(await ledger(t, id)).toEqual(["1 task", ...[2, 3, 4, 5].map((minute) => `${minute} withdrawn deleted`)]);
  expect(await plan(t, NOON + HOUR)).toEqual({ schedules: 0, tasks: [] });
  expect((await getTask(t.db, "default", tasks[0]!.id))?.scheduleName).toBe("a");
  expect(await put(t, "a")).toMatchObject({ kind: "created", schedule: { version: 1 } });
  expect((await scheduleOf(t, "a")).id).not.toBe(id);
});

test("schedules are listed by name, with their last fire and what became of it", async () => {
  await using t = await setup();
  for (const name of ["b", "C", "a-report", "d"]) await put(t, name);
  await put(t, "foreign", { namespace: "other" });
  const { tasks } = await plan(t, NOON);
  const a = await scheduleOf(t, "a-report");
  expect(a).toMatchObject({ lastFireAt: null, lastTask: null });
  const first = tasks.filter((task) => task.scheduleId === a.id).sort((x, y) => x.fireAt! - y.fireAt!)[0]!;
  await t.claim(first.id, await t.session());
  await t.finish(first.id, "succeeded");

  const query = { now: NOON + 1.5 * MINUTE, pageSize: 3 };
  const page = await listSchedules(t.db, "default", { ...query, after: null });
  expect(page.items.map((schedule) => schedule.name)).toEqual(["C", "a-report", "b"]);
  expect(page.items[1]).toEqual(await getSchedule(t.db, "default", "a-report", query.now));
  expect(page.items[1]).toMatchObject({
    lastFireAt: NOON + MINUTE,
    lastTask: { id: first.id, state: "succeeded", dueAt: NOON + MINUTE, failures: 0 },
    definition: definition(),
    nextFireAt: NOON + MINUTE,
  });
  expect(page.items[2]).toMatchObject({ lastFireAt: NOON + MINUTE, lastTask: { state: "pending" } });
  const rest = await listSchedules(t.db, "default", { ...query, after: page.next });
  expect([rest.items.map((schedule) => schedule.name), rest.next]).toEqual([["d"], null]);

  const found = async (text: string) =>
    (await listSchedules(t.db, "default", { ...query, pageSize: 50, after: null, text })).items.map(
      (schedule) => schedule.name,
    );
  expect(await found("REPORT")).toEqual(["C", "a-report", "b", "d"]); // all run the type "report"
  expect(await found("a-")).toEqual(["a-report"]);
  expect(await found("%")).toEqual([]);
});

test("the ledger is read page by page, by range and by outcome", async () => {
  await using t = await setup();
  await put(t, "a");
  await plan(t, NOON);
  await setPaused(t.db, "default", "a", { paused: true, reason: null, now: NOON + 2 * MINUTE });
  await plan(t, NOON + 2 * MINUTE);
  const { id } = await scheduleOf(t, "a");
  const range = { from: NOON + 2 * MINUTE, to: NOON + 6 * MINUTE };
  const seen: number[] = [];
  for (let after: string | null = null, first = true; first || after !== null; first = false) {
    const page = await listFires(t.db, id, { ...range, pageSize: 3, after });
    seen.push(...page.items.map((fire) => (fire.fireAt - NOON) / MINUTE));
    after = page.next;
  }
  expect(seen).toEqual([2, 3, 4, 5]);
  const skipped = await listFires(t.db, id, { ...range, outcome: "skipped", pageSize: 9, after: null });
  expect(skipped.items.map((fire) => (fire.fireAt - NOON) / MINUTE)).toEqual([3, 4, 5]);
  await expect(listFires(t.db, id, { ...range, pageSize: 3, after: "x" })).rejects.toMatchObject({
    code: "invalid_request",
  });
});
