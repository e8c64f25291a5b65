import { formatId } from "@carillon/core";
import { createMemoryDatabase, createMemoryStore } from "@carillon/store";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { manualClock, START, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";

const QUEUES = "/api/v1/queues";
const TASKS = "/api/v1/tasks";
const at = new Date(START).toISOString();

/** One that nobody has set anything on. */
const unset = {
  name: "billing",
  namespace: "default",
  version: 0,
  concurrency: null,
  concurrencyPerKey: null,
  concurrencyPerType: null,
  rateLimit: null,
  rateLimitPerKey: null,
  maxBacklog: null,
  breaker: null,
  fairWeights: {},
  paused: false,
  pause: null,
  createdAt: null,
  updatedAt: null,
};

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
  });
  afterEach(() => t.close());

  const get = (name = "billing") => t.call("GET", `${QUEUES}/${name}`);
  const put = (body: object, headers = {}, name = "billing") => t.call("PUT", `${QUEUES}/${name}`, body, headers);
  const patch = (body: object, headers = {}) => t.call("PATCH", `${QUEUES}/billing`, body, headers);
  const create = (body: object = {}, headers = {}) =>
    t.call("POST", TASKS, { type: "mail", queue: "billing", ...body }, headers);

  test("a queue reads as one without limits until something is set; an equal PUT changes nothing", async () => {
    expect(await get()).toMatchObject({ status: 200, headers: { etag: '"0"' }, body: unset });
    const limits = { concurrency: 5, rateLimit: { limit: 100, per: "60s" }, maxBacklog: 1_000 };
    const first = await put(limits, { "if-match": '"0"' });
    expect(first).toMatchObject({ status: 200, headers: { etag: '"1"' } });
    const shown = { ...unset, version: 1, concurrency: 5, maxBacklog: 1_000, createdAt: at, updatedAt: at };
    expect(first.body).toEqual({ ...shown, rateLimit: { limit: 100, per: "1m", burst: 100 } });
    t.clock.advance(1_000);
    expect((await put({ ...limits, rateLimit: { limit: 100, per: "1m", burst: 100 } })).body).toEqual(first.body);
    expect((await get()).body).toEqual(first.body);
    const changed = await put({ concurrencyPerKey: 1, rateLimitPerKey: { limit: 1, per: "1s", burst: 3 } });
    expect(changed.body).toEqual({
      ...unset,
      version: 2,
      concurrencyPerKey: 1,
      rateLimitPerKey: { limit: 1, per: "1s", burst: 3 },
      createdAt: at,
      updatedAt: new Date(START + 1_000).toISOString(),
    });
  });

  test("slots by type are kept by name; none of them is no limit", async () => {
    const types = (await put({ concurrencyPerType: { render: 2, mail: 5 } })).body.concurrencyPerType;
    expect(types).toEqual({ mail: 5, render: 2 });
    expect((await patch({ concurrencyPerType: { mail: null } })).body.concurrencyPerType).toEqual({ render: 2 });
    expect((await patch({ concurrencyPerType: { render: null } })).body.concurrencyPerType).toBeNull();
  });

  test("a breaker has defaults, and a patch changes a part of it", async () => {
    expect((await put({ breaker: {} })).body.breaker).toEqual({ failures: 5, openFor: "5s", adaptive: false });
    expect((await patch({ breaker: { openFor: "30s" } })).body.breaker).toMatchObject({ failures: 5, openFor: "30s" });
    expect((await patch({ breaker: null })).body.breaker).toBeNull();
  });

  test("a patch changes what it names; null takes a limit away; another version is refused", async () => {
    expect((await patch({ concurrency: 5, rateLimit: { limit: 10, per: "1s" } })).body).toMatchObject({ version: 1 });
    const { body } = await patch({ concurrency: null, rateLimit: { limit: 20 }, paused: true });
    expect(body).toMatchObject({ version: 2, concurrency: null, rateLimit: { limit: 20, per: "1s" }, paused: true });
    for (const call of [put, patch]) {
      const stale = await call({ concurrency: 1 }, { "if-match": '"1"' });
      expect(stale).toMatchObject({ status: 412, body: { code: "version_mismatch" } });
    }
    expect((await patch({ paused: null }, { "if-match": '"2"' })).body).toMatchObject({ version: 3, paused: false });
    expect((await put({ concurrency: 1 }, { "if-match": '"0"' }, "other")).status).toBe(200);
    expect((await put({ concurrency: 2 }, { "if-match": '"0"' }, "other")).status).toBe(412);
  });

  test("a pause is told with its reason, stays through PUT, and counts in the figures", async () => {
    const pause = (body?: object) => t.call("POST", `${QUEUES}/billing:pause`, body);
    const paused = (await pause({ reason: "the bank is down" })).body;
    expect(paused).toEqual({
      ...unset,
      version: 1,
      paused: true,
      pause: { reason: "the bank is down", at, by: null },
      createdAt: at,
      updatedAt: at,
    });
    expect((await pause()).body).toEqual(paused);
    expect((await put({ concurrency: 3 })).body).toMatchObject({ paused: true, pause: paused.pause });
    const figures = await t.call("GET", `${QUEUES}/billing/stats`);
    expect(figures.body).toMatchObject({ name: "billing", paused: true, pause: paused.pause });
    expect((await t.call("POST", `${QUEUES}/billing:resume`)).body).toMatchObject({ paused: false, pause: null });
    expect((await t.call("GET", `${QUEUES}/mail/stats`)).body).toMatchObject({ paused: false, pause: null });
  });

  test("the list has queues by name, those that are used and those that are set, page by page", async () => {
    for (const queue of ["b", "d", "a", "d"]) await create({ queue });
    for (const name of ["c", "e", "d"]) await put({ concurrency: 1 }, {}, name);
    const { body } = await t.call("GET", QUEUES);
    expect(body.queues.map((queue: typeof unset) => `${queue.name} ${queue.version}`)).toEqual([
      "a 0",
      "b 0",
      "c 1",
      "d 1",
      "e 1",
    ]);
    expect(body.nextPageToken).toBeNull();
    const names: string[] = [];
    let pages = 0;
    for (let token: string | null = ""; token !== null; pages++) {
      const page = await t.call("GET", `${QUEUES}?pageSize=2${token && `&pageToken=${token}`}`);
      names.push(...page.body.queues.map(({ name }: typeof unset) => name));
      token = page.body.nextPageToken;
    }
    expect([names.join(""), pages]).toEqual(["abcde", 3]);
  });

  test("a concurrency key is kept with the task, by a batch and by a schedule too", async () => {
    const { body: task } = await create({ concurrencyKey: "ada" });
    expect(task.concurrencyKey).toBe("ada");
    expect((await t.call("GET", `${TASKS}/${task.id}`)).body.concurrencyKey).toBe("ada");
    await t.call("POST", `${TASKS}:batch`, { tasks: [{ type: "mail", concurrencyKey: "bob" }, { type: "mail" }] });
    const schedule = { cron: "@daily", task: { type: "mail", concurrencyKey: "all" } };
    expect((await t.call("PUT", "/api/v1/schedules/s", schedule)).body.task.concurrencyKey).toBe("all");
    expect((await t.call("PATCH", "/api/v1/schedules/s", { task: { queue: "q" } })).body.task).toMatchObject({
      concurrencyKey: "all",
    });
    await t.call("POST", "/api/v1/schedules/s:trigger");
    const { body } = await t.call("GET", TASKS);
    const keys = body.tasks.map(({ concurrencyKey }: { concurrencyKey: string | null }) => concurrencyKey);
    expect(keys.sort()).toEqual(["ada", "all", "bob", null]);
  });

  test("a fair key is kept with the task, by a batch, a workflow, a replay and a schedule too, and in another queue", async () => {
    const { body: task } = await create({ fairKey: "ada" });
    expect(task).toMatchObject({ fairKey: "ada", concurrencyKey: null });
    const moved = await t.call("PATCH", `${TASKS}/${task.id}`, { queue: "slow" });
    expect(moved.body).toMatchObject({ queue: "slow", fairKey: "ada" });
    expect((await t.call("GET", `${TASKS}/${task.id}`)).body.fairKey).toBe("ada");
    expect(await t.call("PATCH", `${TASKS}/${task.id}`, { fairKey: "bob" })).toMatchObject({ status: 400 });
    const replay = (body: object) => t.call("POST", `${TASKS}/${task.id}:replay`, body);
    expect([(await replay({})).body.fairKey, (await replay({ fairKey: "dan" })).body.fairKey]).toEqual(["ada", "dan"]);
    await t.call("POST", `${TASKS}:batch`, { tasks: [{ type: "mail", fairKey: "bob" }, { type: "mail" }] });
    const flow = { name: "flow", tasks: [{ key: "a", type: "mail", fairKey: "cyd" }] };
    expect((await t.call("POST", "/api/v1/workflows", flow)).status).toBe(202);
    const schedule = { cron: "@daily", task: { type: "mail", fairKey: "all" } };
    expect((await t.call("PUT", "/api/v1/schedules/s", schedule)).body.task.fairKey).toBe("all");
    expect((await t.call("PATCH", "/api/v1/schedules/s", { task: { queue: "q" } })).body.task.fairKey).toBe("all");
    expect((await t.call("POST", "/api/v1/schedules/s:trigger")).body.fairKey).toBe("all");
    const { body } = await t.call("GET", TASKS);
    const keys = body.tasks.map(({ fairKey }: { fairKey: string | null }) => fairKey);
    expect(keys.sort()).toEqual(["ada", "ada", "all", "bob", "cyd", "dan", null]);
  });

  test("weights of fair keys are set, changed one by one, and taken away", async () => {
    const weights = async (call: Promise<{ body: typeof unset }>) => (await call).body.fairWeights;
    expect(await weights(put({ fairWeights: { bob: 2, ada: 100 } }))).toEqual({ ada: 100, bob: 2 });
    expect((await put({ fairWeights: { ada: 100, bob: 2 } })).body.version).toBe(1);
    expect(await weights(patch({ fairWeights: { bob: null, "a key, with = signs": 7 } }))).toEqual({
      ada: 100,
      "a key, with = signs": 7,
    });
    expect(await weights(patch({ concurrency: 3 }))).toEqual({ ada: 100, "a key, with = signs": 7 });
    expect(await weights(patch({ fairWeights: null }))).toEqual({});
    expect(await weights(get())).toEqual({});
  });

  test("a full queue refuses creates and says when to come back; others, and what was created before, are not concerned", async () => {
    await create({}, { "idempotency-key": "first" });
    await put({ maxBacklog: 3 });
    expect((await create({ delay: "1h" })).status).toBe(202);
    const batch = (count: number) =>
      t.call("POST", `${TASKS}:batch`, { tasks: Array(count).fill({ type: "mail", queue: "billing" }) });
    const full = { status: 429, headers: { "retry-after": "15" }, body: { code: "backlog_full", retryable: true } };
    expect(await batch(2)).toMatchObject(full);
    expect((await batch(1)).status).toBe(202);
    expect(await create()).toMatchObject(full);
    expect((await create()).body.detail).toMatch(/queue billing is full: 3 of its tasks/);
    expect((await create({}, { "idempotency-key": "first" })).headers["idempotent-replayed"]).toBe("true");
    const reused = await create({ type: "other" }, { "idempotency-key": "first" });
    expect(reused).toMatchObject({ status: 409, body: { code: "idempotency_key_reused" } });
    const flow = { name: "flow", tasks: [{ key: "a", type: "mail", queue: "billing" }] };
    expect(await t.call("POST", "/api/v1/workflows", flow)).toMatchObject(full);
    expect(await batch(4)).toMatchObject({ status: 400, body: { errors: [{ pointer: "/tasks", code: "too_many" }] } });
    expect((await create({ queue: "mail" })).status).toBe(202);

    const { session, refs } = await t.claim();
    const done = { kind: "final", state: "succeeded", result: null, error: null, reason: null } as const;
    const now = t.clock.now();
    const outcome = { session, decision: done, startedAt: now, finishedAt: now, worker: "w", lost: false };
    await t.store.recordOutcomes(refs.map((ref) => ({ ...ref, ...outcome })));
    await t.deps.backlog.look();
    expect((await create()).status).toBe(202);
    expect((await put({})).body.maxBacklog).toBeNull();
    for (let n = 0; n < 5; n++) expect((await create()).status).toBe(202);
  });

  test("a full queue takes in no tasks that join a workflow, but those that joined before are answered as before", async () => {
    const flow = { name: "flow", tasks: [{ key: "a", type: "mail" }] };
    const { id } = (await t.call("POST", "/api/v1/workflows", flow)).body;
    const add = (...keys: string[]) =>
      t.call("POST", `/api/v1/workflows/${id}:add`, {
        tasks: keys.map((key) => ({ key, type: "mail", queue: "billing" })),
      });
    await put({ maxBacklog: 2 });
    expect((await add("b", "c")).status).toBe(202);
    expect(await add("d")).toMatchObject({ status: 429, body: { code: "backlog_full", retryable: true } });
    expect(await add("b", "c")).toMatchObject({ status: 202, body: { counts: { total: 3 } } });
    expect(await add("a")).toMatchObject({ status: 202, body: { counts: { total: 3 } } });
    await put({ maxBacklog: 4 });
    expect((await add("d", "a")).status).toBe(202);
    expect((await add("e")).status).toBe(202);
    expect((await add("f")).status).toBe(429);
  });

  test("tasks that come after others are among those that a full queue counts", async () => {
    const { body: first } = await create({ queue: "mail" });
    await put({ maxBacklog: 2 });
    for (let n = 0; n < 2; n++) expect((await create({ after: [first.id] })).status).toBe(202);
    await t.deps.backlog.look();
    expect(await create()).toMatchObject({ status: 429, body: { code: "backlog_full" } });
  });

  test("a task that waits in a paused queue says so", async () => {
    const { body } = await create();
    await t.call("POST", `${QUEUES}/billing:pause`, { reason: "holidays" });
    const explained = await t.call("GET", `${TASKS}/${body.id}/explain`);
    const codes = explained.body.reasons.map(({ code }: { code: string }) => code);
    expect(codes).toEqual(["task_queued", "queue_paused", "no_worker"]);
    expect(explained.body.summary).toContain("is paused since 2026-11-20T10:00:00.000Z (holidays)");
  });

  test("a task that a limit keeps back names who holds the slots, or when the next one may start", async () => {
    await put({ concurrencyPerKey: 1, rateLimit: { limit: 1, per: "1m", burst: 1 } });
    const [first, second] = await Promise.all([create({ concurrencyKey: "ada" }), create({ concurrencyKey: "ada" })]);
    const { id: session } = await t.store.openSession({ node: "n", url: null, now: t.clock.now() });
    const lanes = (await t.store.lanes()).map(({ id }) => id);
    const claim = { namespace: "default", queue: "billing", limit: 10, now: t.clock.now(), keys: [] };
    const { claimed } = await t.store.claimLimited({ ...claim, session, lanes });
    const held = formatId("task", claimed[0]!.id);
    const other = [first, second].map(({ body }) => body.id).find((id) => id !== held);
    const { body } = await t.call("GET", `${TASKS}/${other}/explain`);
    expect(body.reasons).toMatchObject([
      { code: "task_queued" },
      { code: "key_limit", refs: [held], message: `The one slot of the concurrency key ada is taken by ${held}.` },
      { code: "rate_limit", until: new Date(START + 60_000).toISOString() },
      { code: "no_worker" },
    ]);
  });
});

describe("what is wrong with a queue is named", () => {
  let t: TestApp;
  beforeAll(async () => {
    t = await startApp();
  });
  afterAll(() => t.close());

  const rate = { limit: 1, per: "1s" };
  const manyWeights = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`k-${index}`, 2]));
  test.each<[what: string, body: unknown, pointer: string, code: string]>([
    ["nothing at once", { concurrency: 0 }, "/concurrency", "out_of_range"],
    ["a number as text", { concurrency: "5" }, "/concurrency", "invalid_type"],
    ["too many for each key", { concurrencyPerKey: 1_000_001 }, "/concurrencyPerKey", "out_of_range"],
    ["none of a type at once", { concurrencyPerType: { mail: 0 } }, "/concurrencyPerType/mail", "out_of_range"],
    ["a type that is none", { concurrencyPerType: { "a b": 1 } }, "/concurrencyPerType/a b", "invalid_name"],
    ["a rate without a time", { rateLimit: { limit: 1 } }, "/rateLimit/per", "required"],
    ["a time without a unit", { rateLimit: { ...rate, per: "60" } }, "/rateLimit/per", "invalid_duration"],
    ["a time too long", { rateLimitPerKey: { ...rate, per: "32d" } }, "/rateLimitPerKey/per", "out_of_range"],
    ["no burst at all", { rateLimit: { ...rate, burst: 0 } }, "/rateLimit/burst", "out_of_range"],
    ["a backlog of nothing", { maxBacklog: 0 }, "/maxBacklog", "out_of_range"],
    ["a key that weighs nothing", { fairWeights: { ada: 0 } }, "/fairWeights/ada", "out_of_range"],
    ["a key too heavy", { fairWeights: { ada: 101 } }, "/fairWeights/ada", "out_of_range"],
    ["half a weight", { fairWeights: { ada: 1.5 } }, "/fairWeights/ada", "invalid_type"],
    ["a weight for no key", { fairWeights: { "": 2 } }, "/fairWeights/", "invalid_key"],
    ["too many weights", { fairWeights: manyWeights }, "/fairWeights", "too_many"],
    ["a breaker that never opens", { breaker: { failures: 21 } }, "/breaker/failures", "out_of_range"],
    ["a breaker without a pause", { breaker: { openFor: "0s" } }, "/breaker/openFor", "out_of_range"],
    ["what is not built", { weight: 3 }, "/weight", "unknown_field"],
  ])("%s", async (_, body, pointer, code) => {
    for (const method of ["PUT", "PATCH"])
      expect(await t.call(method, `${QUEUES}/billing`, body)).toMatchObject({
        status: 400,
        body: { errors: [{ pointer, code }] },
      });
  });

  test("a name that is none", async () => {
    for (const [method, url] of [
      ["GET", `${QUEUES}/%20`],
      ["POST", `${QUEUES}/%20:pause`],
      ["PATCH", `${QUEUES}/%20`],
    ] as const)
      expect((await t.call(method, url, method === "GET" ? undefined : {})).status).toBe(404);
    const put = await t.call("PUT", `${QUEUES}/%20`, {});
    expect(put).toMatchObject({ status: 400, body: { errors: [{ parameter: "name", code: "invalid_name" }] } });
  });
});

test("a changed queue is told to screens, also on another node", async () => {
  const clock = manualClock();
  const database = createMemoryDatabase({ now: clock.now });
  const [here, there] = await Promise.all(
    [17, 18].map((slot) => startApp({ clock, slot, store: createMemoryStore(database) })),
  );
  const told: unknown[] = [];
  here!.deps.feed.subscribe("default", ["queues"], (change) => told.push(change));
  await here!.call("PUT", `${QUEUES}/billing`, { concurrency: 1 });
  expect(told).toMatchObject([{ topic: "queues", id: "billing", state: "active" }]);
  await there!.call("POST", `${QUEUES}/billing:pause`);
  clock.advance(250);
  await expect.poll(() => told.length).toBe(2);
  expect(told[1]).toMatchObject({ topic: "queues", id: "billing", state: "paused" });
  await here!.close();
  await there!.close();
});
