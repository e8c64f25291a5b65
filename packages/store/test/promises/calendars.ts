import type { Calendar } from "@carillon/core";
import type { ScheduleToPlan } from "@carillon/store";
import { expect } from "vitest";
import { fires, plan, put, schedule } from "./schedules.ts";
import type { Promises, World } from "./world.ts";

export const calendars: Promises = {
  "a calendar is created, left alone when nothing changes, and versioned when something does": async (t) => {
    const first = await putCalendar(t);
    expect(first).toMatchObject({
      kind: "created",
      calendar: { namespace: t.namespace, name: "holidays", version: 1, calendar: { dates: ["2026-03-02"] } },
      schedules: [],
    });
    t.now += 1_000;
    expect(await putCalendar(t)).toMatchObject({ kind: "unchanged", calendar: first.calendar });
    const changed = await putCalendar(t, { dates: [], ics: "BEGIN:VCALENDAR" });
    expect(changed).toMatchObject({
      kind: "changed",
      calendar: { version: 2, calendar: { dates: [] }, createdAt: first.calendar.createdAt, updatedAt: t.now },
    });
    expect(await t.store.getCalendar(t.namespace, "holidays")).toEqual({ ...changed.calendar, ics: "BEGIN:VCALENDAR" });
    expect(await putCalendar(t, { dates: [] })).toMatchObject({ kind: "changed", calendar: { version: 3 } });
  },
  "calendars are listed by name, page after page, and each namespace has its own": async (t) => {
    for (const name of ["b", "C", "a"]) await putCalendar(t, { name });
    const page = await t.store.listCalendars(t.namespace, { pageSize: 2, after: null });
    expect(page.items.map(({ name }) => name)).toEqual(["C", "a"]);
    expect(page.items[0]).not.toHaveProperty("ics");
    const rest = await t.store.listCalendars(t.namespace, { pageSize: 2, after: page.next });
    expect([rest.items.map(({ name }) => name), rest.next]).toEqual([["b"], null]);
    expect((await t.store.calendars(t.namespace, ["a", "none", "C"])).map(({ name }) => name)).toEqual(["a", "C"]);
    const other = `${t.namespace}-other`;
    expect(await t.store.getCalendar(other, "a")).toBeNull();
    expect(await t.store.calendars(other, ["a"])).toEqual([]);
    expect((await t.store.listCalendars(other, { pageSize: 9, after: null })).items).toEqual([]);
    expect(await t.store.deleteCalendar(other, "a")).toEqual({ kind: "not_found" });
  },
  "a schedule excludes only calendars of its namespace that there are": async (t) => {
    expect(await put(t, { excludes: ["holidays"] })).toEqual({ kind: "unknown_calendar", name: "holidays" });
    await putCalendar(t, { namespace: `${t.namespace}-other` });
    expect(await put(t, { excludes: ["holidays"] })).toEqual({ kind: "unknown_calendar", name: "holidays" });
    await putCalendar(t);
    expect(await put(t, { excludes: ["holidays"] })).toMatchObject({ kind: "created" });
    expect(await schedule(t)).toMatchObject({ calendars: [{ name: "holidays", calendar: { timeZone: "UTC" } }] });
    expect((await t.store.listSchedules(t.namespace, { now: t.now, pageSize: 9, after: null })).items).toMatchObject([
      { calendars: [{ name: "holidays" }] },
    ]);
  },
  "who plans a schedule is given its calendars, in its order": async (t) => {
    for (const name of ["holidays", "nights"]) await putCalendar(t, { name });
    await put(t, { excludes: ["nights", "holidays"] });
    const asked: ScheduleToPlan[] = [];
    await plan(t, [], "task", (given) => asked.push(given));
    expect(asked[0]!.calendars.map(({ name }) => name)).toEqual(["nights", "holidays"]);
    await put(t);
    await plan(t, [], "task", (given) => asked.push(given));
    expect(asked[1]!.calendars).toEqual([]);
  },
  "a schedule that includes a calendar holds and follows it as one that excludes it does": async (t) => {
    expect(await put(t, { includes: ["office"] })).toEqual({ kind: "unknown_calendar", name: "office" });
    for (const name of ["holidays", "office"]) await putCalendar(t, { name });
    await put(t, { excludes: ["holidays"], includes: ["office"] });
    const named = [{ name: "holidays" }, { name: "office", included: true }];
    expect((await schedule(t))!.calendars).toMatchObject(named);
    expect((await t.store.scheduleTimings(t.namespace, { after: null, limit: 9 }))[0]!.calendars).toMatchObject(named);
    expect(await t.store.deleteCalendar(t.namespace, "office")).toEqual({ kind: "in_use", schedules: ["nightly"] });
    t.now += 10_000;
    const edit = await putCalendar(t, { name: "office", dates: ["2026-03-03"] });
    expect(edit).toMatchObject({ kind: "changed", schedules: [{ name: "nightly", version: 2 }] });
    const asked: ScheduleToPlan[] = [];
    for (let turn = 0; turn < 2; turn++) await plan(t, [], "task", (given) => asked.push(given));
    expect(asked.map(({ calendars }) => calendars.map(({ calendar, included }) => [calendar.dates, included]))).toEqual(
      [["2026-03-02"], ["2026-03-03"]].map((office) => [
        [["2026-03-02"], undefined],
        [office, true],
      ]),
    );
    await put(t, { excludes: ["holidays"] });
    expect(await t.store.deleteCalendar(t.namespace, "office")).toEqual({ kind: "deleted" });
  },
  "an edit of a calendar is one of the schedules that exclude it, and of no others": async (t) => {
    await putCalendar(t);
    await put(t, { excludes: ["holidays"] });
    await put(t, { name: "other" });
    await plan(t, [10, 20, 30], "task");
    const [held] = await t.claim({ until: t.now + 10_000, limit: 1 });
    const answer = await putCalendar(t, { dates: ["2026-03-01"], nextFireAt: t.now + 86_400_000 });
    expect(answer).toMatchObject({ kind: "changed", schedules: [{ name: "nightly", version: 2 }] });
    expect(await schedule(t)).toMatchObject({
      version: 2,
      plannedUntil: t.now,
      nextFireAt: t.now + 86_400_000,
      calendars: [{ calendar: { dates: ["2026-03-01"] } }],
    });
    expect(await t.store.getSchedule(t.namespace, "other", t.now)).toMatchObject({ version: 1, fires: 3 });
    const left = await fires(t);
    const mine = left.filter(({ task }) => task?.id === held!.id).length;
    expect(left.filter(({ outcome }) => outcome === "withdrawn")).toHaveLength(3 - mine);
    expect(left.filter(({ outcome }) => outcome === "task")).toHaveLength(mine);
    await plan(t, [20], "skipped");
    expect((await fires(t)).find(({ fireAt }) => fireAt === t.now + 20_000)).toMatchObject({
      outcome: "skipped",
      version: 2,
    });
  },
  "what a calendar skipped is planned anew after its edit": async (t) => {
    await putCalendar(t);
    await put(t, { excludes: ["holidays"] });
    await plan(t, [-10, 10], "skipped");
    await putCalendar(t, { dates: [] });
    expect(await fires(t)).toMatchObject([{ fireAt: t.now - 10_000, outcome: "skipped" }]);
    expect((await plan(t, [10])).tasks).toMatchObject([{ fireAt: t.now + 10_000 }]);
  },
  "what was due before an edit of a calendar is planned with the calendar as it was": async (t) => {
    const asked: unknown[] = [];
    const look = () =>
      plan(t, [], "task", ({ version, calendars, until }) =>
        asked.push([
          version,
          calendars.flatMap(({ calendar }) => calendar.dates),
          until === null ? null : until - t.now,
        ]),
      );
    await putCalendar(t);
    await put(t, { excludes: ["holidays"] });
    t.now += 10_000;
    await putCalendar(t, { dates: ["2026-03-03"] });
    t.now += 10_000;
    await t.store.setPaused(t.namespace, "nightly", { paused: true, reason: null, now: t.now });
    t.now += 10_000;
    await put(t);
    expect(await t.store.deleteCalendar(t.namespace, "holidays")).toEqual({ kind: "deleted" });
    for (let turn = 0; turn < 4; turn++) await look();
    expect(asked).toEqual([
      [1, ["2026-03-02"], -20_000],
      [2, ["2026-03-03"], -10_000],
      [2, ["2026-03-03"], 0],
      [3, [], null],
    ]);
  },
  "a calendar is deleted once no schedule excludes it": async (t) => {
    await putCalendar(t);
    await put(t, { excludes: ["holidays"] });
    await put(t, { name: "first", excludes: ["holidays"] });
    const remove = () => t.store.deleteCalendar(t.namespace, "holidays");
    expect(await remove()).toEqual({ kind: "in_use", schedules: ["first", "nightly"] });
    await put(t);
    expect(await remove()).toEqual({ kind: "in_use", schedules: ["first"] });
    await t.store.deleteSchedule(t.namespace, "first", t.now);
    expect(await remove()).toEqual({ kind: "deleted" });
    expect(await remove()).toEqual({ kind: "not_found" });
    expect(await t.store.getCalendar(t.namespace, "holidays")).toBeNull();
  },
  "who edits a calendar faster than its schedules are planned is asked to wait, and nothing has changed": async (t) => {
    await putCalendar(t);
    await put(t, { excludes: ["holidays"] });
    const edits = async () => {
      for (let edit = 0; edit < 1_000; edit++) {
        t.now += 1_000;
        await putCalendar(t, { dates: [edit % 2 === 0 ? "2026-04-01" : "2026-04-02"] });
      }
    };
    await expect(edits()).rejects.toMatchObject({ code: "unavailable", retryAfterMs: 1_000 });
    const before = [await schedule(t), await t.store.getCalendar(t.namespace, "holidays")];
    await expect(putCalendar(t, { dates: ["2026-04-03"] })).rejects.toMatchObject({ code: "unavailable" });
    expect([await schedule(t), await t.store.getCalendar(t.namespace, "holidays")]).toEqual(before);
    await plan(t, []);
    expect(await putCalendar(t, { dates: ["2026-04-03"] })).toMatchObject({ kind: "changed" });
  },
};

const calendarOf = (dates: string[]): Calendar => ({
  timeZone: "UTC",
  weekly: [{ days: ["SUN"], from: "00:00", to: "24:00" }],
  dates,
  ranges: [],
  events: [],
});

const putCalendar = (
  t: World,
  {
    dates = ["2026-03-02"],
    nextFireAt = null,
    ...more
  }: { dates?: string[]; name?: string; namespace?: string; ics?: string; nextFireAt?: number | null } = {},
) =>
  t.store.putCalendar(
    { namespace: t.namespace, name: "holidays", calendar: calendarOf(dates), ics: null, now: t.now, ...more },
    () => nextFireAt,
  );
