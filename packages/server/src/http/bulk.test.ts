import { CarillonError, createIdSource, formatId } from "@carillon/core";
import type { Outcome } from "@carillon/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";
import { bulkRound } from "../loops/bulk.ts";

const TASKS = "/api/v1/tasks";
const OPERATIONS = "/api/v1/operations";

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
  });
  afterEach(() => t.close());

  const bulk = (body: unknown, headers = {}) => t.call("POST", `${TASKS}:bulk`, body, headers);
  const create = async (body: object): Promise<string> => (await t.call("POST", TASKS, body)).body.id;
  const states = async (ids: string[]) =>
    Promise.all(ids.map(async (id) => (await t.call("GET", `${TASKS}/${id}`)).body.state));
  const read = async ({ id }: { id: string }) => (await t.call("GET", `${OPERATIONS}/${id}`)).body;
  /** As nodes do, until there is nothing left. */
  async function work(): Promise<void> {
    const round = bulkRound(t.deps, new AbortController().signal);
    while ((await round()) < 1_000);
  }

  /** They run once, and fail for good. */
  async function fail(ids: string[], message: (n: number) => string): Promise<void> {
    const { session, refs } = await t.claim();
    const at = t.clock.now();
    const outcomes = refs.map(({ id, token }) => {
      const error = {
        code: "handler_error",
        name: "Error",
        message: message(ids.indexOf(formatId("task", id))),
        stack: null,
      };
      const decision = { kind: "final", state: "failed", result: null, error, reason: null } as const;
      return { id, token, session, decision, startedAt: at, finishedAt: at, worker: "w", lost: false };
    });
    await t.store.recordOutcomes(outcomes as Outcome[]);
  }

  test("all tasks that match are cancelled, and no other; the operation counts them", async () => {
    const mails = [];
    for (let n = 0; n < 250; n++) mails.push(await create({ type: "mail", delay: "1h" }));
    const other = await create({ type: "report", delay: "1h" });
    const begun = await bulk({ filter: { type: "mail" }, action: "cancel", reason: "wrong list" });
    expect(begun).toMatchObject({ status: 202, headers: { location: `${OPERATIONS}/${begun.body.id}` } });
    expect(begun.body).toMatchObject({ kind: "bulk", action: "cancel", state: "running", matched: 250, done: 0 });
    const later = await create({ type: "mail", delay: "1h" });
    await work();
    expect(await read(begun.body)).toMatchObject({ state: "done", matched: 250, done: 250, skipped: 0, failed: 0 });
    expect(new Set(await states(mails))).toEqual(new Set(["cancelled"]));
    expect(await states([other, later])).toEqual(["scheduled", "scheduled"]);
    expect((await t.call("GET", `${TASKS}/${mails[0]}`)).body.reason).toBe("wrong list");
  });

  test("what failed and what was cancelled is retried; what succeeded or waits is not meant", async () => {
    const [waiting, cancelled] = [await create({ type: "a" }), await create({ type: "a" })];
    await t.call("POST", `${TASKS}/${cancelled}:cancel`, {});
    const count = await bulk({ filter: {}, action: "retry", dryRun: true });
    expect(count).toMatchObject({ status: 200, body: { matched: 1, capped: false } });
    const begun = await bulk({ filter: { state: ["failed", "cancelled", "queued"] }, action: "retry" });
    await work();
    expect(await read(begun.body)).toMatchObject({ state: "done", matched: 1, done: 1 });
    expect(await states([waiting, cancelled])).toEqual(["queued", "queued"]);
  });

  test("a new priority counts for the very next claim", async () => {
    const [first, second] = [await create({ type: "a", tags: ["slow"] }), await create({ type: "a", tags: ["vip"] })];
    await bulk({ filter: { tag: "vip" }, action: { priority: 1 } });
    await work();
    const lanes = await t.store.lanes();
    const { id: session } = await t.store.openSession({ node: "n", url: null, now: t.clock.now() });
    const urgent = lanes.map(({ id }) => ({ laneId: id, band: 1 as const, limit: 10 }));
    const claimed = await t.store.claim({
      session,
      targets: urgent,
      until: t.clock.now(),
      limit: 10,
      now: t.clock.now(),
    });
    expect(claimed).toHaveLength(1);
    expect((await t.call("GET", `${TASKS}/${second}`)).body).toMatchObject({ priority: 1 });
    expect((await t.call("GET", `${TASKS}/${first}`)).body).toMatchObject({ priority: 5, state: "queued" });
  });

  test("what is due later is due now, and what ended before its turn is skipped", async () => {
    const ids = [await create({ type: "a", delay: "1h" }), await create({ type: "a", delay: "2h" })];
    const begun = await bulk({ filter: { type: ["a", "b"], state: "scheduled" }, action: "run-now" });
    await t.call("POST", `${TASKS}/${ids[0]}:cancel`, {});
    await work();
    expect(await states(ids)).toEqual(["cancelled", "queued"]);
    expect(await read(begun.body)).toMatchObject({ matched: 2, done: 1, skipped: 1 });
  });

  test("a node that stops in the middle of a page counts what it did, and another goes on", async () => {
    for (let n = 0; n < 30; n++) await create({ type: "a", delay: "1h" });
    const begun = await bulk({ filter: {}, action: "cancel" });
    const stopping = new AbortController();
    let calls = 0;
    const cancelTask: typeof t.store.cancelTask = (...given) => {
      if (++calls === 7) stopping.abort();
      return t.store.cancelTask(...given);
    };
    const store = new Proxy(t.store, {
      get: (target, key) => (key === "cancelTask" ? cancelTask : Reflect.get(target, key)),
    });
    await bulkRound({ ...t.deps, store }, stopping.signal)();
    const { done, state } = await read(begun.body);
    expect(state).toBe("running");
    expect(done).toBe(calls);
    await work();
    expect(await read(begun.body)).toMatchObject({ state: "done", matched: 30, done: 30, skipped: 0 });
  });

  test("a page that the store refuses is said, and done once it can be", async () => {
    for (let n = 0; n < 5; n++) await create({ type: "a", delay: "1h" });
    const begun = await bulk({ filter: {}, action: "cancel" });
    const cancelTask = async () => {
      throw new CarillonError("unavailable", { detail: "not now" });
    };
    const store = new Proxy(t.store, {
      get: (target, key) => (key === "cancelTask" ? cancelTask : Reflect.get(target, key)),
    });
    const { signal } = new AbortController();
    await expect(bulkRound({ ...t.deps, store }, signal)()).rejects.toMatchObject({ code: "unavailable" });
    await work();
    expect(await read(begun.body)).toMatchObject({ state: "done", matched: 5, done: 5 });
  });

  test("a cancelled operation leaves the rest alone", async () => {
    for (let n = 0; n < 3; n++) await create({ type: "a" });
    const begun = await bulk({ filter: {}, action: "cancel" });
    await t.call("POST", `${OPERATIONS}/${begun.body.id}:cancel`, {});
    await work();
    expect(await read(begun.body)).toMatchObject({ state: "cancelled", done: 0 });
    expect((await t.call("GET", `${TASKS}?state=queued`)).body.tasks).toHaveLength(3);
  });

  test("sent again with its key, the request is the same operation", async () => {
    await create({ type: "a" });
    const headers = { "idempotency-key": "k" };
    const begun = await bulk({ filter: {}, action: "cancel" }, headers);
    const again = await bulk({ filter: {}, action: "cancel" }, headers);
    expect(again).toMatchObject({
      status: 202,
      headers: { "idempotent-replayed": "true" },
      body: { id: begun.body.id },
    });
    expect((await t.call("GET", OPERATIONS)).body.operations).toHaveLength(1);
  });

  test("failed tasks are grouped by what they failed of, and one group is retried", async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await create({ type: "mail", payload: { n }, tags: [n < 3 ? "a" : "b"] }));
    await fail(ids, (n) => (n < 3 ? `customer ${n} has no address` : "no route"));
    const { body } = await t.call("GET", "/api/v1/failures");
    expect(body).toMatchObject({
      failures: [
        { type: "mail", count: 3, error: { code: "handler_error", message: expect.stringMatching(/^customer/) } },
        { type: "mail", count: 2, error: { message: "no route" }, tasks: [ids[4], ids[3]] },
      ],
      read: 5,
      complete: true,
    });
    expect((await t.call("GET", "/api/v1/failures?tag=b")).body.failures).toHaveLength(1);
    expect((await t.call("GET", "/api/v1/failures?type=other")).body).toMatchObject({ failures: [], read: 0 });
    const [{ fingerprint }] = body.failures;
    const count = await bulk({ filter: { fingerprint }, action: "retry", dryRun: true });
    expect(count.body).toEqual({ matched: 3, capped: false });
    const begun = await bulk({ filter: { fingerprint }, action: "retry" });
    await work();
    expect(await read(begun.body)).toMatchObject({ state: "done", matched: 3, done: 3, skipped: 0 });
    expect(await states(ids)).toEqual(["queued", "queued", "queued", "failed", "failed"]);
  });

  test("a retry of which the unique key is taken by now has failed", async () => {
    const first = await create({ type: "a", uniqueKey: "k" });
    await t.call("POST", `${TASKS}/${first}:cancel`, {});
    await create({ type: "a", uniqueKey: "k" });
    const begun = await bulk({ filter: {}, action: "retry" });
    await work();
    expect(await read(begun.body)).toMatchObject({ state: "done", done: 0, failed: 1 });
  });

  test.each([
    [{ action: "cancel" }, "/filter", "required"],
    [{ filter: {} }, "/action", undefined],
    [{ filter: {}, action: "forget" }, "/action", undefined],
    [{ filter: { state: "asleep" }, action: "cancel" }, "/filter/state", undefined],
    [{ filter: { requires: "w" }, action: "cancel" }, "/filter/requires", "unknown_field"],
    [{ filter: { fingerprint: "x" }, action: "retry" }, "/filter/fingerprint", undefined],
    [{ filter: {}, action: { priority: 10 } }, "/action", undefined],
    [{ filter: {}, action: "retry", reason: "why" }, "/reason", "not_with_this"],
    [
      { filter: { from: "2026-11-20T00:00:00Z", to: "2026-11-19T00:00:00Z" }, action: "retry" },
      "/filter/to",
      "range_reversed",
    ],
  ])("%j is refused at %s", async (body, pointer, code) => {
    const answer = await bulk(body);
    expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect(answer.body.errors[0].pointer.startsWith(pointer)).toBe(true);
    if (code) expect(answer.body.errors[0].code).toBe(code);
  });
});

test("nodes that work on one operation together do each task once", async () => {
  const clock = manualClock();
  const t = await startApp({ clock });
  const other = await startApp({ clock, store: t.store, slot: 17, ids: createIdSource({ cell: 0, slot: 17 }) });
  for (let n = 0; n < 450; n++) await t.call("POST", TASKS, { type: "a", delay: "1h" });
  const { body } = await t.call("POST", `${TASKS}:bulk`, { filter: {}, action: "cancel" });
  const { signal } = new AbortController();
  const rounds = [bulkRound(t.deps, signal), bulkRound(other.deps, signal)];
  const read = async () => (await t.call("GET", `${OPERATIONS}/${body.id}`)).body;
  while ((await read()).state === "running") await Promise.all(rounds.map((round) => round()));
  expect(await read()).toMatchObject({ done: 450, skipped: 0, failed: 0 });
  await t.close();
  await other.close();
});
