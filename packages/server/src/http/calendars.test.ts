import { createIdSource } from "@carillon/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, START, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";
import { createPlanner, type Planner } from "../loops/planner.ts";

const CALENDARS = "/api/v1/calendars";
const SCHEDULES = "/api/v1/schedules";
const holidays = { timeZone: "Europe/Paris", dates: ["2026-11-21", "2026-11-22"] };
const nightly = { cron: "0 2 * * *", timeZone: "Europe/Paris", task: { type: "send-invoice" }, excludes: ["holidays"] };
const HOUR = 3_600_000;

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  let planner: Planner;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
    const ids = createIdSource({ cell: 0, slot: 99 });
    planner = createPlanner({ store: t.store, clock, ids, log: t.deps.log, noticeCreated() {} });
  });
  afterEach(() => t.close());

  const put = (body: unknown = holidays, name = "holidays") => t.call("PUT", `${CALENDARS}/${name}`, body);
  const putSchedule = (body: unknown = nightly) => t.call("PUT", `${SCHEDULES}/nightly`, body);
  /** Plans as a node does, until nothing is behind. */
  async function plan(): Promise<void> {
    while ((await planner.round()) === 0);
  }
  /** What the ledger says from the start on, then what is expected: day and hour in Paris. */
  async function fires(count: number): Promise<string[]> {
    const { body } = await t.call(
      "GET",
      `${SCHEDULES}/nightly/fires?from=${new Date(START).toISOString()}&pageSize=${count}`,
    );
    return body.fires.map(
      ({ local, outcome, reason }: Record<string, string | null>) =>
        `${local!.slice(8, 13)} ${outcome}${reason ? ` ${reason}` : ""}`,
    );
  }

  test("a calendar has every field, with what was left out", async () => {
    const answer = await put({ ...holidays, weekly: [{ days: ["SAT", "SUN"] }] });
    expect(answer.status).toBe(201);
    expect(answer.headers.location).toBe(`${CALENDARS}/holidays`);
    expect(answer.body).toEqual({
      name: "holidays",
      namespace: "default",
      version: 1,
      timeZone: "Europe/Paris",
      weekly: [{ days: ["SAT", "SUN"], from: "00:00", to: "24:00" }],
      dates: ["2026-11-21", "2026-11-22"],
      ranges: [],
      ics: null,
      events: 0,
      createdAt: "2026-11-20T10:00:00.000Z",
      updatedAt: "2026-11-20T10:00:00.000Z",
    });
    expect((await t.call("GET", `${CALENDARS}/holidays`)).body).toEqual(answer.body);
  });

  test("an equal PUT changes nothing, another one is a new version, and what is left out is empty again", async () => {
    await put();
    t.clock.advance(1_000);
    expect(await put()).toMatchObject({ status: 200, body: { version: 1, updatedAt: "2026-11-20T10:00:00.000Z" } });
    expect(await put({ timeZone: "europe/paris", dates: holidays.dates })).toMatchObject({ body: { version: 1 } });
    expect(await put({ timeZone: "UTC", ranges: [{ from: "2026-12-24T14:00", to: "2027-01-02" }] })).toMatchObject({
      status: 200,
      body: { version: 2, dates: [], updatedAt: "2026-11-20T10:00:01.000Z" },
    });
  });

  test("a dry run answers with the calendar as it would be, and stores nothing", async () => {
    const dry = (body: unknown) => t.call("PUT", `${CALENDARS}/holidays?dryRun=1`, body);
    expect(await dry(holidays)).toMatchObject({ status: 200, body: { version: 1, dates: holidays.dates } });
    expect((await t.call("GET", `${CALENDARS}/holidays`)).status).toBe(404);
    const { body: stored } = await put();
    expect((await dry(holidays)).body).toEqual(stored);
    expect((await dry({ timeZone: "UTC" })).body).toMatchObject({ version: 2, timeZone: "UTC", dates: [] });
    expect((await dry({ timeZone: "CEST" })).status).toBe(400);
    expect((await t.call("GET", `${CALENDARS}/holidays`)).body).toEqual(stored);
  });

  test("a preview takes calendars as they would be, in place of those that are stored", async () => {
    await put();
    const { task: _, ...rule } = nightly;
    const preview = async (more: object) =>
      (await t.call("POST", `${SCHEDULES}:preview`, { ...rule, count: 1, ...more })).body;
    expect((await preview({})).fires[0].at).toBe("2026-11-23T01:00:00.000Z");
    const calendars = { holidays: { timeZone: "UTC", dates: ["2026-11-21"] } };
    expect((await preview({ calendars })).fires[0].at).toBe("2026-11-22T01:00:00.000Z");
    const both = { excludes: [], includes: ["new"], calendars: { new: { timeZone: "UTC", dates: ["2026-12-24"] } } };
    expect((await preview(both)).fires[0].at).toBe("2026-12-24T01:00:00.000Z");
    expect((await preview({ calendars: { holidays: { timeZone: "UTC", dates: ["x"] } } })).errors).toMatchObject([
      { pointer: "/calendars/holidays/dates/0", code: "invalid_date" },
    ]);
    const many = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`c${n}`, { timeZone: "UTC" }]));
    expect((await preview({ calendars: many })).errors).toMatchObject([{ pointer: "/calendars", code: "too_many" }]);
  });

  test("holidays come as iCalendar text, and go out as they came", async () => {
    const ics = [
      ...["BEGIN:VCALENDAR", "BEGIN:VEVENT", "SUMMARY:Labour day", "DTSTART;VALUE=DATE:20200501", "RRULE:FREQ=YEARLY"],
      ...["END:VEVENT", "END:VCALENDAR", ""],
    ].join("\r\n");
    expect(await put({ timeZone: "Europe/Paris", ics })).toMatchObject({ status: 201, body: { ics, events: 1 } });
    const preview = { cron: "0 9 * * *", timeZone: "Europe/Paris", excludes: ["holidays"] };
    const { body } = await t.call("POST", `${SCHEDULES}:preview`, {
      ...preview,
      from: "2027-04-30T00:00:00Z",
      count: 2,
    });
    expect(body.fires.map(({ local }: { local: string }) => local.slice(0, 10))).toEqual(["2027-04-30", "2027-05-02"]);
  });

  test("calendars are listed by name, page after page, without their texts", async () => {
    for (const name of ["b", "c", "a"]) await put(holidays, name);
    const first = (await t.call("GET", `${CALENDARS}?pageSize=2`)).body;
    expect(first.calendars.map(({ name }: { name: string }) => name)).toEqual(["a", "b"]);
    expect(first.calendars[0]).not.toHaveProperty("ics");
    const second = (await t.call("GET", `${CALENDARS}?pageSize=2&pageToken=${first.nextPageToken}`)).body;
    expect(second).toMatchObject({ calendars: [{ name: "c" }], nextPageToken: null });
    expect((await t.call("GET", `${SCHEDULES}?pageToken=${first.nextPageToken}`)).status).toBe(400);
  });

  test("what there is not is 404", async () => {
    for (const method of ["GET", "DELETE"]) {
      for (const name of ["holidays", "no name"]) {
        expect(await t.call(method, `${CALENDARS}/${encodeURIComponent(name)}`)).toMatchObject({
          status: 404,
          body: { code: "calendar_not_found" },
        });
      }
    }
    expect((await put(holidays, "no%20name")).status).toBe(400);
  });

  test("a schedule shows its calendars, and when it fires beside them", async () => {
    await put();
    const { status, body } = await putSchedule();
    expect([status, body.excludes, body.nextFireAt]).toEqual([201, ["holidays"], "2026-11-23T01:00:00.000Z"]);
    expect((await putSchedule()).body.version).toBe(1);
    const none = await t.call("PATCH", `${SCHEDULES}/nightly`, { excludes: null });
    expect(none.body).toMatchObject({ version: 2, excludes: [], nextFireAt: "2026-11-21T01:00:00.000Z" });
    expect((await t.call("PATCH", `${SCHEDULES}/nightly`, { excludes: ["holidays"] })).body).toMatchObject({
      version: 3,
      excludes: ["holidays"],
      nextFireAt: "2026-11-23T01:00:00.000Z",
    });
  });

  test("a calendar that there is not is named, wherever it is excluded", async () => {
    await put();
    const excludes = ["holidays", "nights"];
    const wrong = { status: 400, body: { errors: [{ pointer: "/excludes/1", code: "unknown_calendar" }] } };
    expect(await putSchedule({ ...nightly, excludes })).toMatchObject(wrong);
    expect(await t.call("POST", SCHEDULES, { name: "nightly", ...nightly, excludes })).toMatchObject(wrong);
    await putSchedule();
    expect(await t.call("PATCH", `${SCHEDULES}/nightly`, { excludes })).toMatchObject(wrong);
    const { task: _, ...rule } = nightly;
    expect(await t.call("POST", `${SCHEDULES}:preview`, { ...rule, excludes })).toMatchObject(wrong);
    const includes = ["holidays", "office"];
    const office = { status: 400, body: { errors: [{ pointer: "/includes/1", code: "unknown_calendar" }] } };
    expect(await putSchedule({ ...nightly, includes })).toMatchObject(office);
    expect(await t.call("POST", `${SCHEDULES}:preview`, { ...rule, includes })).toMatchObject(office);
  });

  test("a schedule that its calendars leave no fire is refused; its preview says so", async () => {
    await put({ timeZone: "UTC", weekly: [{ days: ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"] }] });
    const wrong = { status: 400, body: { errors: [{ pointer: "/excludes", code: "cron_never_fires" }] } };
    expect(await putSchedule()).toMatchObject(wrong);
    const { task: _, ...rule } = nightly;
    expect(await t.call("POST", `${SCHEDULES}:preview`, rule)).toMatchObject({
      status: 200,
      body: { fires: [], warnings: expect.arrayContaining([expect.objectContaining({ code: "never_fires" })]) },
    });
  });

  test("a fire on an excluded day is in the ledger as skipped, with the calendar's name", async () => {
    await put();
    await putSchedule();
    expect((await fires(4)).slice(0, 2)).toEqual(["23T02 expected", "24T02 expected"]);
    for (let day = 0; day < 3; day++) {
      await plan();
      t.clock.advance(24 * HOUR);
    }
    await plan();
    expect((await fires(5)).slice(0, 4)).toEqual([
      "21T02 skipped excluded:holidays",
      "22T02 skipped excluded:holidays",
      "23T02 task",
      "24T02 expected",
    ]);
    const { body } = await t.call("GET", `${SCHEDULES}/nightly/explain?at=2026-11-21T02:00[Europe/Paris]`);
    expect(body.summary).toBe(
      "The fire of 2026-11-21T02:00:00+01:00[Europe/Paris] was skipped: the calendar holidays, which the schedule excludes, covers it.",
    );
    const stats = await t.call("GET", `${SCHEDULES}/nightly/stats?window=7d`);
    expect(stats.body.outcomes).toMatchObject({ skipped: 2, task: 1 });
    expect((await t.call("GET", `${SCHEDULES}/nightly`)).body.nextFireAt).toBe("2026-11-24T01:00:00.000Z");
  });

  test("a fire outside the included calendars is skipped in the ledger, and told so", async () => {
    await put({ timeZone: "Europe/Paris", weekly: [{ days: ["SAT", "MON"], from: "00:00", to: "12:00" }] }, "mornings");
    const { body } = await putSchedule({ ...nightly, excludes: [], includes: ["mornings"] });
    expect(body).toMatchObject({ includes: ["mornings"], roll: "none", nextFireAt: "2026-11-21T01:00:00.000Z" });
    t.clock.advance(48 * HOUR);
    await plan();
    expect((await fires(3)).slice(0, 3)).toEqual(["21T02 task", "22T02 skipped not_included", "23T02 expected"]);
    const explained = await t.call("GET", `${SCHEDULES}/nightly/explain?at=2026-11-22T02:00[Europe/Paris]`);
    expect(explained.body.summary).toContain("none of the calendars that the schedule includes covers it");
    expect((await t.call("DELETE", `${CALENDARS}/mornings`)).body.code).toBe("calendar_in_use");
    await put({ timeZone: "Europe/Paris" }, "mornings");
    expect((await t.call("GET", `${SCHEDULES}/nightly`)).body).toMatchObject({ version: 2, nextFireAt: null });
  });

  test("a fire that is moved to another day has its row and its task there, and everything says from where", async () => {
    await put();
    const { body } = await putSchedule({ ...nightly, roll: "next" });
    expect(body).toMatchObject({
      words: "At 02:00; where calendars take it out, on the next day on which they do not",
      roll: "next",
      nextFireAt: "2026-11-23T01:00:00.000Z",
    });
    const weekly = { ...nightly, cron: "0 2 * * SUN", roll: "next" };
    await putSchedule(weekly);
    expect((await putSchedule(weekly)).body.version).toBe(2);
    expect((await fires(2))[0]).toBe("23T02 expected rolled:2026-11-22T01:00:00.000Z");
    t.clock.advance(63 * HOUR);
    await plan();
    const task = (await t.call("GET", "/api/v1/tasks")).body.tasks;
    expect(task).toMatchObject([{ fireAt: "2026-11-23T01:00:00.000Z", dueAt: "2026-11-23T01:00:00.000Z" }]);
    expect((await fires(2))[0]).toBe("23T02 task rolled:2026-11-22T01:00:00.000Z");
    const explain = async (at: string) =>
      (await t.call("GET", `${SCHEDULES}/nightly/explain?at=${at}[Europe/Paris]`)).body.reasons;
    expect(await explain("2026-11-22T02:00")).toMatchObject([
      { code: "rolled", until: "2026-11-23T01:00:00.000Z", refs: ["2026-11-23T01:00:00.000Z", "holidays"] },
    ]);
    expect((await explain("2026-11-23T02:00")).at(-1)).toMatchObject({ code: "rolled" });
  });

  test("a fire that is moved back is planned, counted and previewed before its own day", async () => {
    await put({ timeZone: "Europe/Paris", dates: ["2026-11-23", "2026-11-24"] });
    const back = { ...nightly, cron: "0 2 24 * *", roll: "previous" };
    await putSchedule(back);
    const { task: _, ...rule } = back;
    const preview = (await t.call("POST", `${SCHEDULES}:preview`, { ...rule, count: 1 })).body;
    expect(preview.fires).toMatchObject([{ at: "2026-11-22T01:00:00.000Z", rolledFrom: "2026-11-24T01:00:00.000Z" }]);
    const day = "from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z&step=1d";
    expect((await t.call("GET", `${SCHEDULES}:load?${day}`)).body.fires).toBe(1);
    t.clock.advance(39 * HOUR);
    await plan();
    expect((await fires(2))[0]).toBe("22T02 task rolled:2026-11-24T01:00:00.000Z");
    // What was moved before the calendar changes is not moved again.
    t.clock.advance(2 * HOUR);
    await put({ timeZone: "Europe/Paris" });
    await plan();
    expect((await fires(3)).slice(0, 2)).toEqual(["22T02 task rolled:2026-11-24T01:00:00.000Z", "24T02 expected"]);
  });

  test("what a calendar will skip is said beforehand, and is no load to come", async () => {
    await put();
    await putSchedule();
    const explain = async (at: string) =>
      (await t.call("GET", `${SCHEDULES}/nightly/explain${at && `?at=${at}`}`)).body.reasons;
    expect(await explain("2026-11-22T02:00[Europe/Paris]")).toMatchObject([
      { code: "excluded", refs: ["holidays"] },
      { code: "next_fire", until: "2026-11-23T01:00:00.000Z" },
    ]);
    expect(await explain("")).toMatchObject([{ code: "expected", until: "2026-11-23T01:00:00.000Z" }]);
    const week = "from=2026-11-20T10:00:00Z&to=2026-11-27T10:00:00Z&step=1d";
    expect((await t.call("GET", `${SCHEDULES}:load?${week}`)).body.fires).toBe(5);
  });

  test("an edit of a calendar withdraws and plans as an edit of the schedule does", async () => {
    await put({ timeZone: "Europe/Paris" });
    await putSchedule({ every: "30s", task: nightly.task, excludes: ["holidays"] });
    await plan();
    const tasks = async () => (await t.call("GET", "/api/v1/tasks")).body.tasks.length;
    expect(await tasks()).toBe(4);
    await put({ timeZone: "Europe/Paris", dates: ["2026-11-20"] });
    expect(await tasks()).toBe(0);
    expect((await t.call("GET", `${SCHEDULES}/nightly`)).body).toMatchObject({
      version: 2,
      nextFireAt: "2026-11-20T23:00:00.000Z",
    });
    await plan();
    expect((await fires(4)).map((fire) => fire.slice(6))).toEqual(Array(4).fill("skipped excluded:holidays"));
    await put({ timeZone: "Europe/Paris" });
    await plan();
    expect(await tasks()).toBe(4);
  });

  test("a calendar that schedules exclude stays, and the answer names them", async () => {
    await put();
    await putSchedule();
    expect(await t.call("DELETE", `${CALENDARS}/holidays`)).toMatchObject({
      status: 409,
      body: { code: "calendar_in_use", detail: expect.stringContaining("nightly") },
    });
    await t.call("DELETE", `${SCHEDULES}/nightly`);
    expect((await t.call("DELETE", `${CALENDARS}/holidays`)).status).toBe(204);
    expect((await t.call("GET", CALENDARS)).body.calendars).toEqual([]);
  });
});

describe("what is wrong with a calendar is named", () => {
  const utc = { timeZone: "UTC" };
  test.each<[what: string, body: unknown, status: number, pointer: string, code: string]>([
    ["no zone", {}, 400, "/timeZone", "required"],
    ["no such zone", { timeZone: "CEST" }, 400, "/timeZone", "unknown_time_zone"],
    ["another name", { ...utc, name: "other" }, 400, "/name", "name_mismatch"],
    ["an unknown field", { ...utc, holidays: [] }, 400, "/holidays", "unknown_field"],
    ["a day by number", { ...utc, weekly: [{ days: [1] }] }, 400, "/weekly/0/days/0", "invalid_choice"],
    ["a window of no day", { ...utc, weekly: [{ days: [] }] }, 400, "/weekly/0/days", "too_few"],
    ["a time in letters", { ...utc, weekly: [{ days: ["MON"], from: "noon" }] }, 400, "/weekly/0/from", "invalid_time"],
    ["too many windows", { ...utc, weekly: Array(51).fill({ days: ["MON"] }) }, 400, "/weekly", "too_many"],
    ["a date that is none", { ...utc, dates: ["2026-02-29"] }, 400, "/dates/0", "invalid_date"],
    ["too many dates", { ...utc, dates: Array(1_001).fill("2026-12-25") }, 400, "/dates", "too_many"],
    [
      "a range that ends first",
      { ...utc, ranges: [{ from: "2026-12-25", to: "2026-12-24" }] },
      400,
      "/ranges/0/to",
      "ends_before_start",
    ],
    ["text that is no iCalendar", { ...utc, ics: "hello" }, 400, "/ics", "invalid_ics"],
    ["text that is too long", { ...utc, ics: "x".repeat(256 * 1024 + 1) }, 413, "/ics", "too_large"],
  ])("%s", async (_, body, status, pointer, code) => {
    const t = await startApp();
    const answer = await t.call("PUT", `${CALENDARS}/holidays`, body);
    expect(answer).toMatchObject({ status, body: { errors: [{ pointer, code }] } });
    await t.close();
  });

  test("a rule that fires too often to be moved, and a direction that there is not", async () => {
    const t = await startApp();
    const put = (changes: object) => t.call("PUT", `${SCHEDULES}/nightly`, { ...nightly, excludes: [], ...changes });
    const wrong = (code: string) => ({ status: 400, body: { errors: [{ pointer: "/roll", code }] } });
    expect(await put({ cron: "* * * * *", roll: "next" })).toMatchObject(wrong("roll_too_frequent"));
    expect(await put({ roll: "forward" })).toMatchObject(wrong("invalid_choice"));
    expect(await put({ roll: "none" })).toMatchObject({ status: 201, body: { roll: "none" } });
    await t.close();
  });

  test("too many calendars in one schedule", async () => {
    const t = await startApp();
    const answer = await t.call("PUT", `${SCHEDULES}/nightly`, { ...nightly, excludes: Array(9).fill("a") });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: "/excludes", code: "too_many" }] } });
    await t.close();
  });
});
