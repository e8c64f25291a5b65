import { createIdSource, type Id, planFires } from "@carillon/core";
import type { NewTask, Store } from "@carillon/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";

const SCHEDULES = "/api/v1/schedules";
const nightly = { cron: "0 2 * * *", timeZone: "Europe/Paris", task: { type: "send-invoice" } };

/** Plans as a node's planner would. */
async function plan(store: Store, now: number): Promise<void> {
  const ids = createIdSource({ cell: 0, slot: 99 });
  await store.planSchedules({ before: now + 60_000, limit: 100, now }, (schedule) => {
    const { rule, catchUp, task } = schedule.definition;
    const { fires, plannedUntil, nextFireAt } = planFires(
      {
        id: schedule.id,
        rule,
        catchUp,
        plannedUntil: schedule.plannedUntil,
        firesSoFar: schedule.fires,
        tasksAhead: schedule.tasksAhead,
        paused: schedule.paused,
        pausedUntil: schedule.pausedUntil,
        until: schedule.until,
      },
      { now, horizonMs: 60_000, aliveSince: 0, limit: 1_000 },
    );
    const taskFor = (id: Id, fireAt: number): NewTask => ({
      id,
      namespace: schedule.namespace,
      type: task.type,
      queue: task.queue ?? "default",
      priority: task.priority,
      dueAt: fireAt,
      policy: { retry: task.retry!, timeoutMs: 1_000 },
      payload: task.payload,
      trigger: "schedule",
      scheduleId: schedule.id,
      fireAt,
      uniqueKey: null,
      tags: task.tags,
      replayOf: null,
    });
    return {
      plannedUntil,
      nextFireAt,
      fires: fires.map(({ fireAt, outcome, reason, caughtUp }) => ({
        fireAt,
        outcome,
        reason,
        caughtUp,
        task: outcome === "task" ? taskFor(ids.next(now), fireAt) : null,
      })),
    };
  });
}

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
  });
  afterEach(() => t.close());

  test("a schedule has every field, with the defaults and its words", async () => {
    const answer = await t.call("POST", SCHEDULES, { name: "nightly", ...nightly });
    expect(answer.status).toBe(201);
    expect(answer.headers.location).toBe(`${SCHEDULES}/nightly`);
    expect(answer.headers.etag).toBe('"1"');
    expect(answer.body).toEqual({
      name: "nightly",
      namespace: "default",
      version: 1,
      words: "At 02:00",
      cron: "0 2 * * *",
      every: null,
      rrule: null,
      rules: null,
      timeZone: "Europe/Paris",
      task: {
        type: "send-invoice",
        payload: null,
        queue: null,
        priority: 5,
        retry: null,
        timeout: null,
        startWithin: null,
        finishWithin: null,
        concurrencyKey: null,
        fairKey: null,
        tags: [],
        requires: {},
      },
      overlap: "allow",
      pauseAfterFailures: null,
      catchUp: { policy: "last", window: "24h", limit: 100 },
      dst: { gap: "next", overlap: "first" },
      dialect: "ocps",
      jitter: null,
      startAt: null,
      endAt: null,
      maxFires: null,
      excludes: [],
      includes: [],
      roll: "none",
      paused: false,
      pause: null,
      nextFireAt: "2026-11-21T01:00:00.000Z",
      lastFireAt: null,
      lastTask: null,
      createdAt: "2026-11-20T10:00:00.000Z",
      updatedAt: "2026-11-20T10:00:00.000Z",
    });
    expect((await t.call("GET", `${SCHEDULES}/nightly`)).body).toEqual(answer.body);
    const again = await t.call("POST", SCHEDULES, { name: "nightly", ...nightly });
    expect(again.status).toBe(409);
    expect(again.body.code).toBe("schedule_exists");
  });

  test("a schedule's startWithin and finishWithin are those of its tasks, and an equal PUT and a patch keep it", async () => {
    const body = { ...nightly, task: { type: "send-invoice", startWithin: "10m", finishWithin: "1h" } };
    const put = await t.call("PUT", `${SCHEDULES}/nightly`, body);
    expect(put.body.task).toMatchObject({ startWithin: "10m", finishWithin: "1h" });
    expect((await t.call("PUT", `${SCHEDULES}/nightly`, body)).body.version).toBe(1);
    const patched = await t.call("PATCH", `${SCHEDULES}/nightly`, { cron: "0 3 * * *" });
    expect(patched.body).toMatchObject({ version: 2, task: { startWithin: "10m", finishWithin: "1h" } });
    const triggered = await t.call("POST", `${SCHEDULES}/nightly:trigger`);
    expect(triggered.body).toMatchObject({ startWithin: "10m", finishWithin: "1h" });
    const none = await t.call("PATCH", `${SCHEDULES}/nightly`, { task: { startWithin: null } });
    expect(none.body.task).toMatchObject({ startWithin: null, finishWithin: "1h" });
  });

  test("an equal PUT changes nothing, another one is a new version, and what is left out is the default again", async () => {
    const put = (body: unknown, headers = {}) => t.call("PUT", `${SCHEDULES}/nightly`, body, headers);
    const first = await put({ ...nightly, jitter: "60s", startAt: "2026-11-20T12:00:00+01:00" });
    expect(first.status).toBe(201);
    const equal = await put({ ...nightly, jitter: "1m", startAt: "2026-11-20T11:00:00Z", dialect: "ocps" });
    expect(equal.status).toBe(200);
    expect(equal.body.version).toBe(1);
    const other = await put(nightly);
    expect(other.body).toMatchObject({ version: 2, jitter: null, startAt: null });
    expect(other.headers.etag).toBe('"2"');
  });

  test("a fixed delay, an overlap policy and a pause after failures are shown as they were put", async () => {
    const every = { interval: "90s", after: "end" };
    const given = { every, overlap: "queue-one", pauseAfterFailures: 3, task: { type: "poll" } };
    const put = await t.call("PUT", `${SCHEDULES}/poll`, given);
    const shown = { every: { interval: "1m30s", after: "end" }, overlap: "queue-one", pauseAfterFailures: 3 };
    expect(put).toMatchObject({
      status: 201,
      body: { ...shown, words: "1 minute and 30 seconds after the task before has ended", nextFireAt: null },
    });
    expect((await t.call("PUT", `${SCHEDULES}/poll`, given)).body.version).toBe(1);
    const patched = await t.call("PATCH", `${SCHEDULES}/poll`, { every: { interval: "2m" }, pauseAfterFailures: null });
    expect(patched.body).toMatchObject({
      every: { interval: "2m", after: "end" },
      pauseAfterFailures: null,
      version: 2,
    });
    const preview = await t.call("POST", `${SCHEDULES}:preview`, { every, from: "2026-11-20T10:00:00Z", count: 5 });
    expect(preview.body).toMatchObject({ fires: [{ at: "2026-11-20T10:01:30.000Z" }], warnings: [] });
    const explained = await t.call("GET", `${SCHEDULES}/poll/explain`);
    expect(explained.body.summary).toBe(
      "When it fires next is not known yet: it fires 2m after the task of its last fire has become final.",
    );
    const over = await t.call("PUT", `${SCHEDULES}/over`, { ...given, endAt: "2020-01-01T00:00:00Z" });
    expect(over.body.errors).toMatchObject([{ pointer: "/endAt", code: "cron_never_fires" }]);
  });

  test("an edit can insist on the version it was made for", async () => {
    await t.call("PUT", `${SCHEDULES}/s`, nightly);
    const put = (headers: Record<string, string>) =>
      t.call("PUT", `${SCHEDULES}/s`, { ...nightly, jitter: "1m" }, headers);
    expect((await put({ "if-match": '"7"' })).body.code).toBe("version_mismatch");
    expect((await put({ "if-none-match": "*" })).status).toBe(412);
    expect((await put({ "if-match": '"1"' })).body.version).toBe(2);
    const patch = (headers: Record<string, string>) => t.call("PATCH", `${SCHEDULES}/s`, { jitter: "2m" }, headers);
    expect((await patch({ "if-match": '"1"' })).status).toBe(412);
    expect((await patch({ "if-match": '"2"' })).body).toMatchObject({ version: 3, jitter: "2m" });
    expect((await t.call("DELETE", `${SCHEDULES}/s`, undefined, { "if-match": '"1"' })).status).toBe(412);
    expect((await t.call("DELETE", `${SCHEDULES}/s`, undefined, { "if-match": '"3"' })).status).toBe(204);
    expect((await t.call("GET", `${SCHEDULES}/s`)).body.code).toBe("schedule_not_found");
  });

  test("a dry run tells what a PUT would answer, and stores nothing", async () => {
    const put = (query: string, body: unknown, headers = {}) => t.call("PUT", `${SCHEDULES}/s${query}`, body, headers);
    const created = await put("?dryRun=1", nightly);
    expect(created).toMatchObject({ status: 200, body: { version: 1, nextFireAt: "2026-11-21T01:00:00.000Z" } });
    expect((await t.call("GET", `${SCHEDULES}/s`)).status).toBe(404);
    const stored = await put("?dryRun=0", nightly);
    expect(stored).toMatchObject({ status: 201, body: created.body });
    t.clock.advance(1_000);
    expect((await put("?dryRun=1", { ...nightly, dialect: "ocps" })).body).toEqual(stored.body);
    const changed = await put("?dryRun=1", { ...nightly, cron: "0 3 * * *", paused: true });
    expect(changed.body).toMatchObject({
      version: 2,
      words: "At 03:00",
      paused: true,
      nextFireAt: null,
      updatedAt: "2026-11-20T10:00:01.000Z",
    });
    const paused = await put("?dryRun=1", { ...nightly, paused: true });
    expect(paused.body).toMatchObject({ version: 1, paused: true });
    expect((await t.call("GET", `${SCHEDULES}/s`)).body).toEqual(stored.body);
    expect((await put("?dryRun=1", { ...nightly, timeZone: "Mars/Olympus" })).body.errors).toMatchObject([
      { pointer: "/timeZone", code: "unknown_time_zone" },
    ]);
    expect((await put("?dryRun=1", nightly, { "if-match": '"7"' })).status).toBe(412);
    expect((await put("?dryRun=1", nightly, { "if-none-match": "*" })).status).toBe(412);
  });

  test("a patch merges, and null is the default", async () => {
    const task = { type: "a", payload: { keep: 1, drop: 2 }, retry: { maxAttempts: 3 }, tags: ["x"] };
    await t.call("PUT", `${SCHEDULES}/s`, { ...nightly, task, jitter: "1m", catchUp: { policy: "all" }, paused: true });
    const answer = await t.call(
      "PATCH",
      `${SCHEDULES}/s`,
      {
        cron: null,
        every: "90s",
        jitter: null,
        task: { payload: { drop: null, new: [3] }, retry: null },
        catchUp: { limit: 5 },
      },
      { "content-type": "application/merge-patch+json" },
    );
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      version: 2,
      cron: null,
      every: "1m30s",
      words: "Every 1 minute and 30 seconds",
      jitter: null,
      paused: true,
      timeZone: "Europe/Paris",
      catchUp: { policy: "all", window: "24h", limit: 5 },
    });
    expect(answer.body.task).toMatchObject({ payload: { keep: 1, new: [3] }, retry: null, tags: ["x"] });
  });

  test("patches that meet are both applied", async () => {
    await t.call("PUT", `${SCHEDULES}/s`, nightly);
    const answers = await Promise.all([
      t.call("PATCH", `${SCHEDULES}/s`, { jitter: "1m" }),
      t.call("PATCH", `${SCHEDULES}/s`, { maxFires: 7 }),
      t.call("PATCH", `${SCHEDULES}/s`, { task: { priority: 1 } }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const { body } = await t.call("GET", `${SCHEDULES}/s`);
    expect(body).toMatchObject({ version: 4, jitter: "1m", maxFires: 7 });
    expect(body.task.priority).toBe(1);
  });

  test("a schedule whose last fire has passed can be put again unchanged, but not anew", async () => {
    const ending = { ...nightly, cron: "@hourly", endAt: "2026-11-20T12:00:00Z" };
    expect((await t.call("PUT", `${SCHEDULES}/s`, ending)).status).toBe(201);
    t.clock.advance(24 * 3_600_000);
    expect((await t.call("PUT", `${SCHEDULES}/s`, ending)).status).toBe(200);
    const other = await t.call("PUT", `${SCHEDULES}/other`, ending);
    expect(other.body.errors).toEqual([expect.objectContaining({ pointer: "/endAt", code: "cron_never_fires" })]);
  });

  test("a created schedule is answered again under its idempotency key", async () => {
    const headers = { "idempotency-key": "k" };
    const first = await t.call("POST", SCHEDULES, { name: "s", ...nightly }, headers);
    const again = await t.call("POST", SCHEDULES, { name: "s", ...nightly }, headers);
    expect(again.status).toBe(201);
    expect(again.headers["idempotent-replayed"]).toBe("true");
    expect(again.body).toEqual(first.body);
    const other = await t.call("POST", SCHEDULES, { name: "other", ...nightly }, headers);
    expect(other.body.code).toBe("idempotency_key_reused");
    const taken = await t.call("POST", SCHEDULES, { name: "s", ...nightly }, { "idempotency-key": "mine" });
    expect(taken.body.code).toBe("schedule_exists");
    const takenAgain = await t.call("POST", SCHEDULES, { name: "s", ...nightly }, { "idempotency-key": "mine" });
    expect(takenAgain.body.code).toBe("schedule_exists");
    await t.call("DELETE", `${SCHEDULES}/s`);
    const afterDeletion = await t.call("POST", SCHEDULES, { name: "s", ...nightly }, headers);
    expect(afterDeletion).toMatchObject({ status: 404, body: { code: "schedule_not_found" } });
    expect((await t.call("GET", `${SCHEDULES}/s`)).status).toBe(404);
  });

  test("pause, resume and trigger", async () => {
    await t.call("PUT", `${SCHEDULES}/s`, {
      ...nightly,
      task: { type: "a", payload: { all: true }, tags: ["t"], priority: 2 },
    });
    const paused = await t.call("POST", `${SCHEDULES}/s:pause`, { reason: "moving house" });
    expect(paused.body).toMatchObject({
      paused: true,
      pause: { reason: "moving house", at: "2026-11-20T10:00:00.000Z", until: null, by: null },
      nextFireAt: null,
    });
    expect((await t.call("POST", `${SCHEDULES}/s:pause`)).body.pause.reason).toBe("moving house");
    const headers = { "idempotency-key": "press" };
    const triggered = await t.call("POST", `${SCHEDULES}/s:trigger`, undefined, headers);
    expect(triggered.status).toBe(202);
    expect(triggered.body).toMatchObject({
      type: "a",
      schedule: "s",
      trigger: "manual",
      fireAt: null,
      payload: { all: true },
      tags: ["t"],
      priority: 2,
    });
    expect((await t.call("POST", `${SCHEDULES}/s:trigger`, undefined, headers)).body.id).toBe(triggered.body.id);
    const other = await t.call("POST", `${SCHEDULES}/s:trigger`, { payload: null });
    expect(other.body.payload).toBeNull();
    const listed = await t.call("GET", "/api/v1/tasks?schedule=s");
    expect(listed.body.tasks).toHaveLength(2);
    const resumed = await t.call("POST", `${SCHEDULES}/s:resume`);
    expect(resumed.body).toMatchObject({ paused: false, pause: null, nextFireAt: "2026-11-21T01:00:00.000Z" });
  });

  test("a pause with an end is over at that instant, with the fire at it expected all along", async () => {
    await t.call("PUT", `${SCHEDULES}/s`, nightly);
    const until = "2026-11-22T02:00[Europe/Paris]";
    const paused = await t.call("POST", `${SCHEDULES}/s:pause`, { reason: "moving house", until });
    const end = "2026-11-22T01:00:00.000Z";
    expect(paused.body).toMatchObject({ paused: true, pause: { reason: "moving house", until: end }, nextFireAt: end });
    const sooner = await t.call("POST", `${SCHEDULES}/s:pause`, { until: "2026-11-21T12:00:00Z" });
    expect(sooner.body).toMatchObject({ pause: { reason: null, at: "2026-11-20T10:00:00.000Z" }, nextFireAt: end });
    await plan(t.store, t.clock.now());
    const fires = await t.call("GET", `${SCHEDULES}/s/fires`);
    expect(fires.body.fires[0]).toMatchObject({ at: end, outcome: "expected" });
    expect(fires.body.fires).toHaveLength(10);
    const load = await t.call("GET", `${SCHEDULES}:load?from=2026-11-20T10:00:00Z&to=2026-11-22T10:00:00Z&step=1h`);
    expect(load.body).toMatchObject({ schedules: 1, fires: 1 });
    const asleep = await t.call("GET", `${SCHEDULES}/s/explain?at=2026-11-21T01:00:00Z`);
    expect(asleep.body.summary).toContain("paused since 2026-11-20T10:00:00.000Z until 2026-11-21T12:00:00.000Z");
    t.clock.advance(26 * 3_600_000);
    expect((await t.call("GET", `${SCHEDULES}/s`)).body).toMatchObject({ paused: false, pause: null, nextFireAt: end });
    await plan(t.store, t.clock.now());
    const past = await t.call("GET", `${SCHEDULES}/s/fires?outcome=skipped`);
    expect(past.body.fires).toMatchObject([{ at: "2026-11-21T01:00:00.000Z", reason: "paused" }]);
    const late = await t.call("POST", `${SCHEDULES}/s:pause`, { until: "2026-11-21T12:00:00Z" });
    expect(late).toMatchObject({ status: 400, body: { errors: [{ pointer: "/until", code: "not_future" }] } });
  });

  test("a payload for a trigger is checked as the built-in type asks", async () => {
    await t.call("PUT", `${SCHEDULES}/s`, { ...nightly, task: { type: "sleep", payload: { for: "1s" } } });
    const answer = await t.call("POST", `${SCHEDULES}/s:trigger`, { payload: { for: "long" } });
    expect(answer.body.errors).toEqual([
      expect.objectContaining({ pointer: "/payload/for", code: "invalid_duration" }),
    ]);
  });

  test("schedules are listed by name, in pages, and found by a part of name or type", async () => {
    for (const name of ["delta", "alpha", "charlie", "bravo"]) {
      await t.call("PUT", `${SCHEDULES}/${name}`, {
        ...nightly,
        task: { type: name === "bravo" ? "special" : "plain" },
      });
    }
    const names: string[] = [];
    let token: string | null = "";
    while (token !== null) {
      const { body } = await t.call("GET", `${SCHEDULES}?pageSize=3${token && `&pageToken=${token}`}`);
      names.push(...body.schedules.map(({ name }: { name: string }) => name));
      token = body.nextPageToken;
    }
    expect(names).toEqual(["alpha", "bravo", "charlie", "delta"]);
    const found = await t.call("GET", `${SCHEDULES}?q=SPECIAL`);
    expect(found.body.schedules.map(({ name }: { name: string }) => name)).toEqual(["bravo"]);
  });

  test("one-time instants are rules among others, on the clock of the schedule's zone", async () => {
    const rules = [{ at: "2026-12-24T18:00" }, { at: "2027-03-28T02:30" }, { cron: "0 9 1 1 *" }];
    const body = { rules, timeZone: "Europe/Paris", task: { type: "send-invoice" }, dst: { gap: "shift" } };
    const put = (changes: object = {}) => t.call("PUT", `${SCHEDULES}/nightly`, { ...body, ...changes });
    expect(await put()).toMatchObject({
      status: 201,
      body: {
        rules,
        words:
          "Once on 2026-12-24 at 18:00; and once on 2027-03-28 at 02:30; and at 09:00, on day 1 of the month, only in January",
        nextFireAt: "2026-12-24T17:00:00.000Z",
      },
    });
    expect((await put()).body.version).toBe(1);
    const expected = (await t.call("GET", `${SCHEDULES}/nightly/fires?outcome=expected&to=2027-04-01T00:00:00Z`)).body;
    expect(expected.fires.map(({ local }: { local: string }) => local.slice(0, 22))).toEqual([
      "2026-12-24T18:00:00+01",
      "2027-01-01T09:00:00+01",
      "2027-03-28T03:30:00+02",
    ]);
    const wrong = (pointer: string, code: string) => ({ status: 400, body: { errors: [{ pointer, code }] } });
    expect(await put({ rules: [{ at: "noon" }] })).toMatchObject(wrong("/rules/0/at", "invalid_instant"));
    expect(await put({ rules: [{ at: "2020-01-01T00:00" }] })).toMatchObject(wrong("/rules", "cron_never_fires"));
    expect(await put({ rules: undefined, at: "2026-12-24T18:00" })).toMatchObject(wrong("/at", "unknown_field"));
  });

  test("a preview tells words, fires in their zone and what may surprise", async () => {
    const answer = await t.call("POST", `${SCHEDULES}:preview`, {
      cron: "30 2 * * *",
      timeZone: "Europe/Paris",
      from: "2027-03-27T12:00:00Z",
      count: 2,
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      words: "At 02:30",
      fires: [
        {
          at: "2027-03-28T01:00:00.000Z",
          local: "2027-03-28T03:00:00+02:00[Europe/Paris]",
          offset: "+02:00",
          rolledFrom: null,
        },
        {
          at: "2027-03-29T00:30:00.000Z",
          local: "2027-03-29T02:30:00+02:00[Europe/Paris]",
          offset: "+02:00",
          rolledFrom: null,
        },
      ],
      warnings: expect.arrayContaining([expect.objectContaining({ code: "dst_gap" })]),
      clockChanges: [
        { at: "2027-03-28T01:00:00.000Z", offsetBefore: "+01:00", offsetAfter: "+02:00" },
        { at: "2027-10-31T01:00:00.000Z", offsetBefore: "+02:00", offsetAfter: "+01:00" },
      ],
    });
    const never = await t.call("POST", `${SCHEDULES}:preview`, { cron: "0 0 30 2 *" });
    expect(never.status).toBe(200);
    expect(never.body).toMatchObject({ fires: [], warnings: [{ code: "never_fires" }] });
    const first = await t.call("POST", `${SCHEDULES}:preview`, { every: "1h" });
    expect(first.body.fires).toHaveLength(10);
    expect(first.body.fires[0].at).toBe("2026-11-20T10:00:00.000Z");
  });

  test("an RRULE is kept as it was sent, leaves out what a gap does, and can be changed into another rule", async () => {
    const rrule = "DTSTART:20261101T023000\nRRULE:FREQ=WEEKLY;BYDAY=SU";
    const put = { rrule, timeZone: "Europe/Paris", task: { type: "a" } };
    const { status, body } = await t.call("PUT", `${SCHEDULES}/sundays`, put);
    expect(status).toBe(201);
    expect(body).toMatchObject({
      words: "Every week on Sunday at 02:30",
      cron: null,
      every: null,
      rrule,
      rules: null,
      dst: { gap: "skip", overlap: "first" },
      nextFireAt: "2026-11-22T01:30:00.000Z",
    });
    expect((await t.call("PUT", `${SCHEDULES}/sundays`, put)).body.version).toBe(1);
    const patch = { rrule: null, rules: [{ rrule: "FREQ=DAILY" }, { every: "90m" }] };
    const patched = await t.call("PATCH", `${SCHEDULES}/sundays`, patch);
    expect(patched.body).toMatchObject({
      version: 2,
      rrule: null,
      rules: [{ rrule: "FREQ=DAILY" }, { every: "1h30m" }],
    });
    const preview = await t.call("POST", `${SCHEDULES}:preview`, {
      ...put,
      task: undefined,
      from: "2027-03-21T12:00:00Z",
    });
    expect(preview.body.fires[0].local).toBe("2027-04-04T02:30:00+02:00[Europe/Paris]");
  });

  test("several rules fire together, and where they meet once", async () => {
    const rules = [{ cron: "0 12 * * *" }, { cron: "0 */6 * * *" }, { rrule: "FREQ=DAILY;BYHOUR=12,13" }];
    const { body } = await t.call("PUT", `${SCHEDULES}/three`, { rules, task: { type: "a" } });
    expect(body.words).toBe("At 12:00; and on the hour, every 6 hours; and every day at 12:00 and 13:00");
    const preview = await t.call("POST", `${SCHEDULES}:preview`, { rules, count: 5 });
    expect(preview.body.fires.map(({ at }: { at: string }) => at.slice(8, 16))).toEqual([
      "20T12:00",
      "20T13:00",
      "20T18:00",
      "21T00:00",
      "21T06:00",
    ]);
  });

  test("H is spread by the schedule's name, as the preview with that name says", async () => {
    const fires = new Set<string>();
    for (const name of ["alpha", "bravo", "charlie", "delta"]) {
      const put = await t.call("PUT", `${SCHEDULES}/${name}`, { cron: "H H * * *", task: { type: "a" } });
      const again = await t.call("PATCH", `${SCHEDULES}/${name}`, { timeZone: "UTC" });
      expect(again.body).toEqual(put.body);
      const preview = await t.call("POST", `${SCHEDULES}:preview`, { cron: "H H * * *", name, count: 1 });
      expect(preview.body.fires[0].at).toBe(put.body.nextFireAt);
      expect(preview.body.words).toBe(put.body.words);
      fires.add(put.body.nextFireAt);
    }
    expect(fires.size).toBe(4);
  });

  test("the ledger shows what became of past fires and which are expected, in one order", async () => {
    await t.call("PUT", `${SCHEDULES}/s`, { every: "30s", task: { type: "a", retry: { maxAttempts: 1 } } });
    await plan(t.store, t.clock.now());
    t.clock.advance(45_000);
    const { body } = await t.call("GET", `${SCHEDULES}/s/fires`);
    const seen = body.fires.map(({ at, outcome }: { at: string; outcome: string }) => `${at.slice(11, 19)} ${outcome}`);
    expect(seen).toEqual([
      "10:00:30 task",
      "10:01:00 task",
      ...[
        "10:01:30",
        "10:02:00",
        "10:02:30",
        "10:03:00",
        "10:03:30",
        "10:04:00",
        "10:04:30",
        "10:05:00",
        "10:05:30",
      ].map((at) => `${at} expected`),
    ]);
    expect(body.fires[0]).toMatchObject({
      local: "2026-11-20T10:00:30+00:00[UTC]",
      reason: null,
      task: { id: expect.stringMatching(/^task_/), state: "queued", latenessMs: null },
      caughtUp: false,
      backfilled: false,
      version: 1,
    });
    const pages: string[] = [];
    let token: string | null = "";
    while (token !== null) {
      const page = await t.call("GET", `${SCHEDULES}/s/fires?pageSize=2${token && `&pageToken=${token}`}`);
      pages.push(...page.body.fires.map(({ at }: { at: string }) => at));
      token = page.body.nextPageToken;
      t.clock.advance(1_000);
    }
    expect(pages).toEqual(body.fires.map(({ at }: { at: string }) => at));
    const expected = await t.call(
      "GET",
      `${SCHEDULES}/s/fires?outcome=expected&from=2026-11-20T10:02:00Z&to=2026-11-20T10:03:00Z`,
    );
    expect(expected.body.fires.map(({ at }: { at: string }) => at)).toEqual([
      "2026-11-20T10:02:00.000Z",
      "2026-11-20T10:02:30.000Z",
    ]);
    const tasks = await t.call("GET", `${SCHEDULES}/s/fires?outcome=task`);
    expect(tasks.body.fires).toHaveLength(2);
    const listed = await t.call("GET", `${SCHEDULES}/s`);
    expect(listed.body).toMatchObject({ lastFireAt: "2026-11-20T10:00:30.000Z", lastTask: { state: "queued" } });
  });

  test("a schedule that ends after so many fires expects no more than those", async () => {
    await t.call("PUT", `${SCHEDULES}/s`, {
      every: "30s",
      maxFires: 5,
      task: { type: "a", retry: { maxAttempts: 1 } },
    });
    await plan(t.store, t.clock.now());
    const { body } = await t.call("GET", `${SCHEDULES}/s/fires?pageSize=3`);
    const rest = await t.call("GET", `${SCHEDULES}/s/fires?pageSize=3&pageToken=${body.nextPageToken}`);
    expect([...body.fires, ...rest.body.fires].map(({ outcome }) => outcome)).toEqual([
      "task",
      "task",
      "expected",
      "expected",
      "expected",
    ]);
    expect(rest.body.nextPageToken).toBeNull();
  });
});
