import { createIdSource } from "@carillon/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, START, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";
import { backfillPage } from "../operations/backfill.ts";

const SCHEDULES = "/api/v1/schedules";
const OPERATIONS = "/api/v1/operations";
const HOUR = 3_600_000;
const at = (hours: number) => new Date(START + hours * HOUR).toISOString();
const hourly = { cron: "0 * * * *", task: { type: "report", payload: { of: "hour" }, queue: "slow" } };

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
    await t.call("PUT", `${SCHEDULES}/hourly`, hourly);
  });
  afterEach(() => t.close());

  const backfill = (body: unknown, headers = {}) => t.call("POST", `${SCHEDULES}/hourly:backfill`, body, headers);
  const ids = createIdSource({ cell: 0, slot: 99 });
  /** As a node's loop does, with room for so many. */
  const step = (room: number) => {
    const now = t.clock.now();
    return t.store.stepBackfills({ now, limit: 10, most: 100 }, (operation) => {
      return { ...backfillPage(operation, { now, room, ids }), nextAt: now };
    });
  };

  test("past fires get their tasks, marked as backfilled, and the operation counts them", async () => {
    const begun = await backfill({ from: at(-3), to: at(0) });
    expect(begun.status).toBe(202);
    expect(begun.headers.location).toBe(`${OPERATIONS}/${begun.body.id}`);
    expect(begun.body).toEqual({
      id: expect.stringMatching(/^op_[0-9a-z]{13}$/),
      kind: "backfill",
      action: null,
      state: "running",
      schedule: "hourly",
      matched: 3,
      done: 0,
      skipped: 0,
      failed: 0,
      createdAt: at(0),
      finishedAt: null,
    });
    await step(2);
    const read = () => t.call("GET", `${OPERATIONS}/${begun.body.id}`);
    expect((await read()).body).toMatchObject({ state: "running", done: 2, finishedAt: null });
    // What the schedule becomes meanwhile changes nothing.
    await t.call("PUT", `${SCHEDULES}/hourly`, { cron: "30 * * * *", task: { type: "other" } });
    await step(2);
    expect((await read()).body).toMatchObject({ state: "done", done: 3, skipped: 0, finishedAt: at(0) });
    const fires = await t.call("GET", `${SCHEDULES}/hourly/fires?from=${at(-4)}&to=${at(0)}`);
    expect(fires.body.fires.map((fire: { at: string }) => fire.at)).toEqual([at(-3), at(-2), at(-1)]);
    for (const fire of fires.body.fires) {
      expect(fire).toMatchObject({ outcome: "task", backfilled: true, caughtUp: false, version: 1 });
      const task = await t.call("GET", `/api/v1/tasks/${fire.task.id}`);
      expect(task.body).toMatchObject({
        type: "report",
        payload: { of: "hour" },
        queue: "slow",
        trigger: "backfill",
        schedule: "hourly",
        fireAt: fire.at,
        dueAt: at(0),
      });
    }
    const explained = await t.call("GET", `${SCHEDULES}/hourly/explain?at=${at(-2)}`);
    expect(explained.body.reasons.map(({ code }: { code: string }) => code)).toContain("backfilled");
    const again = await backfill({ from: at(-0.4), to: at(0) });
    expect(again.body).toMatchObject({ state: "running", matched: 0 });
    await step(1);
    expect((await t.call("GET", `${OPERATIONS}/${again.body.id}`)).body).toMatchObject({ state: "done", done: 0 });
  });

  test("a fire that has a task gets no other, whatever became of that", async () => {
    await backfill({ from: at(-3), to: at(0) });
    await step(10);
    t.clock.advance(1);
    const again = await backfill({ from: at(-4), to: at(0) });
    await step(10);
    expect((await t.call("GET", `${OPERATIONS}/${again.body.id}`)).body).toMatchObject({
      state: "done",
      matched: 4,
      done: 1,
      skipped: 3,
    });
  });

  test("operations are listed newest first; one is cancelled where it is, and once it is done it is too late", async () => {
    const first = await backfill({ from: at(-9), to: at(0) });
    await step(2);
    const cancel = (id: string) => t.call("POST", `${OPERATIONS}/${id}:cancel`);
    for (let times = 0; times < 2; times++)
      expect(await cancel(first.body.id)).toMatchObject({ status: 200, body: { state: "cancelled", done: 2 } });
    t.clock.advance(1);
    const second = await backfill({ from: at(-1), to: at(0) });
    await step(10);
    expect(await cancel(second.body.id)).toMatchObject({ status: 409, body: { code: "operation_final" } });
    const page = await t.call("GET", `${OPERATIONS}?pageSize=1`);
    expect(page.body.operations).toMatchObject([{ id: second.body.id, state: "done" }]);
    const rest = await t.call("GET", `${OPERATIONS}?pageSize=1&pageToken=${page.body.nextPageToken}`);
    expect(rest.body).toMatchObject({ operations: [{ id: first.body.id }], nextPageToken: null });
  });

  test("a backfill that is sent again under its key is the same one", async () => {
    const key = { "idempotency-key": "once" };
    const first = await backfill({ from: at(-2), to: at(0) }, key);
    const again = await backfill({ from: at(-2), to: at(0) }, key);
    expect(again.headers["idempotent-replayed"]).toBe("true");
    expect(again.body).toEqual(first.body);
    expect((await backfill({ from: at(-1), to: at(0) }, key)).status).toBe(409);
  });

  test.each([
    ["the end is missing", { from: at(-1) }, "/to", "required"],
    ["the end is to come", { from: at(-1), to: at(1) }, "/to", "not_past"],
    ["it ends before it begins", { from: at(-1), to: at(-2) }, "/to", "range_reversed"],
    ["it is longer than a year", { from: at(-367 * 24), to: at(0) }, "/from", "out_of_range"],
    ["its overlap is another one", { from: at(-1), to: at(0), overlap: "skip" }, "/overlap", "invalid_choice"],
  ])("a backfill is refused when %s", async (_, body, pointer, code) => {
    const refused = await backfill(body);
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer, code }] } });
  });

  test("a backfill of more fires than are allowed is refused, and so are unknown schedules and operations", async () => {
    await t.call("PUT", `${SCHEDULES}/hourly`, { every: "1s", task: { type: "report" } });
    const refused = await backfill({ from: at(-24), to: at(0) });
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer: "/from", code: "too_many_fires" }] } });
    const range = { from: at(-1), to: at(0) };
    expect(await t.call("POST", `${SCHEDULES}/none:backfill`, range)).toMatchObject({ status: 404 });
    for (const id of ["op_0000000000000", "task_01jd3v8q7x2m4", "nonsense"]) {
      const get = await t.call("GET", `${OPERATIONS}/${id}`);
      expect(get).toMatchObject({ status: 404, body: { code: "operation_not_found" } });
      expect((await t.call("POST", `${OPERATIONS}/${id}:cancel`)).body.code).toBe("operation_not_found");
    }
  });
});
