import type { Calendar } from "@carillon/core";
import { expect, test } from "vitest";
import type { SchedulePlan, ScheduleToPlan } from "../store.ts";
import { deleteCalendar, putCalendar } from "./calendar-edits.ts";
import { planSchedules } from "./plan.ts";
import { getSchedule, putSchedule } from "./schedules.ts";
import { definition, MINUTE, NOON, type Setup, setup } from "./test-setup.ts";

const calendar = (dates: string[] = []): Calendar => ({ timeZone: "UTC", weekly: [], dates, ranges: [], events: [] });

const edit = (t: Setup, dates: string[] = [], name = "holidays") =>
  putCalendar(
    t.db,
    { namespace: "default", name, calendar: calendar(dates), ics: null, now: NOON },
    (_, calendars) => NOON + calendars.length * MINUTE,
  );

const put = (t: Setup, name: string, excludes = ["holidays"], now = NOON) =>
  putSchedule(t.db, {
    id: t.nextId(),
    namespace: "default",
    name,
    definition: { ...definition(), ...(excludes.length > 0 ? { excludes } : {}) },
    now,
    nextFireAt: NOON + MINUTE,
  });

/** The fire of the next minute as a task, while no calendar has a date. */
function decide(t: Setup): (schedule: ScheduleToPlan) => SchedulePlan {
  return ({ id, calendars }) => {
    const fireAt = NOON + MINUTE;
    const open = calendars.every((one) => one.calendar.dates.length === 0);
    const task = open ? t.newTask({ scheduleId: id, trigger: "schedule", fireAt, dueAt: fireAt }) : null;
    const outcome = open ? ("task" as const) : ("skipped" as const);
    return {
      fires: [{ fireAt, outcome, reason: null, caughtUp: false, task }],
      plannedUntil: NOON + 2 * MINUTE,
      nextFireAt: null,
    };
  };
}

const plan = (t: Setup, before?: () => void) =>
  planSchedules(t.db, t.catalog, { before: NOON + MINUTE, limit: 1_000, now: NOON }, (schedule) => {
    before?.();
    return decide(t)(schedule);
  });

const outcomes = async (t: Setup) =>
  (await t.sql<{ outcome: string }>("select outcome from fire order by schedule_id")).map(({ outcome }) => outcome);

test("an edit reaches every schedule that excludes the calendar, however many there are", {
  timeout: 60_000,
}, async () => {
  await using t = await setup();
  await edit(t);
  await Promise.all(Array.from({ length: 240 }, (_, n) => put(t, `s${n}`, n % 8 === 0 ? [] : ["holidays"])));
  await plan(t);
  const { schedules } = await edit(t, ["2026-07-15"]);
  expect(schedules).toHaveLength(210);
  expect(new Set(schedules.map(({ version }) => version))).toEqual(new Set([2]));
  const counts = await t.sql("select outcome, count(*)::int from fire group by 1 order by 1");
  expect(counts).toEqual([
    { outcome: "task", count: 30 },
    { outcome: "withdrawn", count: 210 },
  ]);
  expect((await getSchedule(t.db, "default", "s1", NOON))!.nextFireAt).toBe(NOON + MINUTE);
});

test("an edit that meets a planner at work withdraws what that one plans by the calendar of before", async () => {
  await using t = await setup();
  await edit(t);
  await put(t, "b", []);
  await plan(t); // The day has its partition: the planner's transaction does not begin anew.
  await put(t, "a");
  let editing: ReturnType<typeof edit> | undefined;
  await plan(t, () => (editing ??= edit(t, ["2026-07-15"])));
  expect(await editing).toMatchObject({ schedules: [{ name: "a", plannedUntil: NOON }] });
  expect(await outcomes(t)).toEqual(["task", "withdrawn"]);
  await plan(t);
  expect(await outcomes(t)).toEqual(["task", "skipped"]);
});

test("a calendar cannot go while somebody begins to exclude it", async () => {
  await using t = await setup();
  await edit(t);
  const writer = await t.connect();
  await writer.query("begin; set search_path = carillon");
  await writer.query("select from calendar where name = 'holidays' for share");
  await writer.query("insert into calendar_use values ('default', 'holidays', 1)");
  await writer.query(
    `insert into schedule (id, namespace, name, definition, planned_until, created_at, updated_at)
     values (1, 'default', 'new', '{}', now(), now(), now())`,
  );
  const removing = deleteCalendar(t.db, "default", "holidays");
  await t.untilBlocked();
  await writer.query("commit");
  expect(await removing).toEqual({ kind: "in_use", schedules: ["new"] });
});

test("who begins to exclude a calendar that is about to go hears that there is none", async () => {
  await using t = await setup();
  await edit(t);
  const remover = await t.connect();
  await remover.query("begin; set search_path = carillon");
  await remover.query("delete from calendar where name = 'holidays'");
  const putting = put(t, "a");
  await t.untilBlocked();
  await remover.query("commit");
  expect(await putting).toEqual({ kind: "unknown_calendar", name: "holidays" });
});

test("edits of calendars and of schedules at the same time all succeed", { timeout: 60_000 }, async () => {
  await using t = await setup();
  const names = ["a", "b", "c"];
  for (const name of names) await edit(t, [], name);
  for (let n = 0; n < 10; n++) await put(t, `s${n}`, names);
  for (let round = 0; round < 5; round++) {
    await Promise.all([
      ...names.map((name) => edit(t, [`2026-08-1${round}`], name)),
      ...Array.from({ length: 10 }, (_, n) =>
        put(t, `s${n}`, n % 2 === 0 ? names : names.toReversed().slice(round % 3)),
      ),
      plan(t),
    ]);
  }
  const used = await t.sql<{ name: string; uses: string[] }>(`
    select schedule.name, array(select calendar::text from calendar_use where schedule_id = schedule.id order by 1) as uses
      from schedule order by name`);
  for (const { name, uses } of used) {
    const { excludes } = (await getSchedule(t.db, "default", name, NOON))!.definition;
    expect([name, uses]).toEqual([name, excludes!.toSorted()]);
  }
});
