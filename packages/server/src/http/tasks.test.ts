import { CarillonError, formatId } from "@carillon/core";
import { type ClaimedTask, createMemoryDatabase, createMemoryStore, type LaneName } from "@carillon/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, START, startApp, storeKinds, type TestApp, until, useStore } from "../../test/http/setup.ts";

const TASKS = "/api/v1/tasks";

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
  });
  afterEach(() => t.close());

  async function whileTimePasses<Answer>(answer: Promise<Answer>): Promise<Answer> {
    let answered = false;
    void answer.finally(() => {
      answered = true;
    });
    await until(() => {
      t.clock.advance(50);
      return answered;
    });
    return answer;
  }

  test("a task made with nothing but a type has every field, with the defaults", async () => {
    const answer = await t.call("POST", TASKS, { type: "send-invoice" });
    expect(answer.status).toBe(202);
    expect(answer.headers.location).toBe(`${TASKS}/${answer.body.id}`);
    expect(answer.body).toEqual({
      id: expect.stringMatching(/^task_[0-9a-z]{13}$/),
      namespace: "default",
      type: "send-invoice",
      queue: "default",
      state: "queued",
      reason: null,
      priority: 5,
      createdAt: "2026-11-20T10:00:00.000Z",
      dueAt: "2026-11-20T10:00:00.000Z",
      startedAt: null,
      finishedAt: null,
      latenessMs: null,
      attempt: 0,
      maxAttempts: 5,
      lost: 0,
      payload: null,
      result: null,
      error: null,
      progress: null,
      retry: {
        maxAttempts: 5,
        backoff: { kind: "exponential", initial: "1s", factor: 2, max: "10m", jitter: "full" },
      },
      timeout: "1h",
      startWithin: null,
      finishWithin: null,
      trigger: "api",
      schedule: null,
      fireAt: null,
      workflow: null,
      workflowKey: null,
      after: [],
      when: null,
      replayOf: null,
      uniqueKey: null,
      concurrencyKey: null,
      fairKey: null,
      tags: [],
      requires: {},
      worker: null,
      cancelRequestedAt: null,
    });
    expect((await t.call("GET", `${TASKS}/${answer.body.id}`)).body).toEqual(answer.body);
  });

  test("what a request leaves out comes from what a worker declared for the type, then stays", async () => {
    const retry = {
      maxAttempts: 8,
      backoff: { kind: "fixed", initialMs: 250, factor: 2, maxMs: 600_000, jitter: "none" },
    } as const;
    await t.deps.types.declare("default", [
      { type: "send-invoice", queue: "billing", policy: { retry, timeoutMs: 300_000 } },
    ]);
    const declared = await t.call("POST", TASKS, { type: "send-invoice" });
    expect(declared.body).toMatchObject({ queue: "billing", maxAttempts: 8, timeout: "5m" });
    expect(declared.body.retry.backoff).toMatchObject({ kind: "fixed", initial: "250ms", jitter: "none" });
    const own = await t.call("POST", TASKS, {
      type: "send-invoice",
      queue: "slow",
      retry: { maxAttempts: 2 },
      timeout: "PT90S",
    });
    expect(own.body).toMatchObject({ queue: "slow", maxAttempts: 2, timeout: "1m30s" });
    expect(own.body.retry.backoff.kind).toBe("fixed");
    const types = await t.call("GET", "/api/v1/types");
    expect(types.body.types).toEqual([
      {
        type: "send-invoice",
        queue: "billing",
        retry: {
          maxAttempts: 8,
          backoff: { kind: "fixed", initial: "250ms", factor: 2, max: "10m", jitter: "none" },
        },
        timeout: "5m",
        declaredAt: "2026-11-20T10:00:00.000Z",
      },
    ]);
  });

  test("a task that has not started within its startWithin is skipped, and says why", async () => {
    const created = await t.call("POST", TASKS, { type: "send-invoice", delay: "1m", startWithin: "PT5M" });
    expect(created.body).toMatchObject({ state: "scheduled", startWithin: "5m" });
    t.clock.advance(6 * 60_000 + 1);
    await t.store.skipUnstarted({ now: t.clock.now(), limit: 10 });
    const { body } = await t.call("GET", `${TASKS}/${created.body.id}`);
    expect(body).toMatchObject({ state: "skipped", reason: "start_within", startWithin: "5m", startedAt: null });
    const again = await t.call("POST", `${TASKS}/${created.body.id}:retry`);
    expect(again.body).toMatchObject({ state: "queued", reason: null, startWithin: "5m" });
  });

  test("a task shows how far it has come", async () => {
    const created = await t.call("POST", TASKS, { type: "send-invoice" });
    const { refs } = await t.claim();
    const reports = refs.map((ref) => ({ ...ref, fraction: 0.4, message: "page 2" }));
    await t.store.recordProgress(reports, t.clock.now());
    const { body } = await t.call("GET", `${TASKS}/${created.body.id}`);
    expect(body.progress).toEqual({ fraction: 0.4, message: "page 2" });
  });

  test("a task that is not final within its finishWithin fails, more urgent until then, and says why", async () => {
    const created = await t.call("POST", TASKS, { type: "send-invoice", delay: "1m", finishWithin: "PT1H" });
    expect(created.body).toMatchObject({ state: "scheduled", finishWithin: "1h", priority: 5 });
    const get = async () => (await t.call("GET", `${TASKS}/${created.body.id}`)).body;
    t.clock.advance(60_000 + 54 * 60_000);
    await t.store.watchDeadlines({ now: t.clock.now(), limit: 10 });
    expect(await get()).toMatchObject({ state: "queued", priority: 1 });
    t.clock.advance(6 * 60_000);
    await t.store.watchDeadlines({ now: t.clock.now(), limit: 10 });
    expect(await get()).toMatchObject({ state: "failed", attempt: 0, error: { code: "finish_within" } });
    const again = await t.call("POST", `${TASKS}/${created.body.id}:retry`);
    expect(again.body).toMatchObject({ state: "queued", finishWithin: "1h" });
  });

  test("a declaration of another node's worker counts within a second", async () => {
    await t.call("POST", TASKS, { type: "late" });
    await t.store.declareTypes(
      "default",
      [{ type: "late", queue: "elsewhere", policy: { retry: null, timeoutMs: null } }],
      t.clock.now(),
    );
    t.clock.advance(1_000);
    expect((await t.call("POST", TASKS, { type: "late" })).body.queue).toBe("elsewhere");
  });

  test("the built-in types have defaults of their own and check their payload at creation", async () => {
    const http = await t.call("POST", TASKS, { type: "http", payload: { url: "https://example.com/hook" } });
    expect(http.body).toMatchObject({ timeout: "30s", maxAttempts: 5 });
    const command = await t.call("POST", TASKS, { type: "command", payload: { argv: ["/bin/true"] } });
    expect(command.body).toMatchObject({ maxAttempts: 1, timeout: "1h" });
    expect((await t.call("POST", TASKS, { type: "sleep", payload: { for: "1s" } })).status).toBe(202);
    expect((await t.call("POST", TASKS, { type: "noop" })).status).toBe(202);
  });

  test("delay and dueAt say when; a past instant is kept and due at once", async () => {
    const delayed = await t.call("POST", TASKS, { type: "a", delay: "1h30m" });
    expect(delayed.body).toMatchObject({ state: "scheduled", dueAt: "2026-11-20T11:30:00.000Z" });
    const zoned = await t.call("POST", TASKS, { type: "a", dueAt: "2027-03-28T02:30[Europe/Paris]" });
    expect(zoned.body.dueAt).toBe("2027-03-28T01:00:00.000Z");
    const past = await t.call("POST", TASKS, { type: "a", dueAt: "2020-01-01T01:00:00+01:00" });
    expect(past.body).toMatchObject({ state: "queued", dueAt: "2020-01-01T00:00:00.000Z" });
  });

  test("a payload comes back as it was sent", async () => {
    const payload = { text: "naïve \u{1F514}", nested: [{ deep: [null, true, 1.5, -0.001] }], empty: {}, "a/b~c": "" };
    const { body } = await t.call("POST", TASKS, { type: "a", payload });
    expect((await t.call("GET", `${TASKS}/${body.id}`)).body.payload).toEqual(payload);
  });

  test("a unique key finds the task that is not final; its policy says what then", async () => {
    const first = await t.call("POST", TASKS, { type: "a", uniqueKey: "k", delay: "1h", payload: 1 });
    const kept = await t.call("POST", TASKS, { type: "a", uniqueKey: "k", payload: 2 });
    expect(kept.status).toBe(200);
    expect(kept.body).toEqual(first.body);
    const replaced = await t.call("POST", TASKS, { type: "a", uniqueKey: "k", uniquePolicy: "replace", payload: 3 });
    expect(replaced.status).toBe(200);
    expect(replaced.body).toMatchObject({ id: first.body.id, payload: 3, dueAt: "2026-11-20T10:00:00.000Z" });
    const rejected = await t.call("POST", TASKS, { type: "a", uniqueKey: "k", uniquePolicy: "reject" });
    expect(rejected.status).toBe(409);
    expect(rejected.body.code).toBe("unique_conflict");
    await t.call("POST", `${TASKS}/${first.body.id}:cancel`);
    const fresh = await t.call("POST", TASKS, { type: "a", uniqueKey: "k" });
    expect(fresh.status).toBe(202);
    expect(fresh.body.id).not.toBe(first.body.id);
  });

  test("throttled by uniqueFor, a key makes one task an hour, whatever became of it", async () => {
    const throttled = { type: "a", uniqueKey: "digest", uniqueFor: "1h" };
    const first = await t.call("POST", TASKS, throttled);
    expect(first.status).toBe(202);
    await t.call("POST", `${TASKS}/${first.body.id}:cancel`);
    t.clock.advance(3_599_999);
    const kept = await t.call("POST", TASKS, throttled);
    expect([kept.status, kept.body.id, kept.body.state]).toEqual([200, first.body.id, "cancelled"]);
    const rejected = await t.call("POST", TASKS, { ...throttled, uniquePolicy: "reject" });
    expect([rejected.status, rejected.body.code]).toEqual([409, "unique_conflict"]);
    t.clock.advance(1);
    expect((await t.call("POST", TASKS, throttled)).status).toBe(202);
  });

  test("debounced by replace, a key makes one task when the calls have paused, with the last payload", async () => {
    const debounced = (payload: number) => ({
      type: "a",
      uniqueKey: "index",
      uniquePolicy: "replace",
      delay: "5s",
      payload,
    });
    const first = await t.call("POST", TASKS, debounced(1));
    t.clock.advance(4_000);
    const second = await t.call("POST", TASKS, debounced(2));
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id, payload: 2, state: "scheduled" } });
    expect(second.body.dueAt).toBe(new Date(t.clock.now() + 5_000).toISOString());
  });

  test("each task of a batch says for itself what a taken unique key means", async () => {
    const held = await t.call("POST", TASKS, { type: "a", uniqueKey: "held", delay: "1h" });
    const replace = { type: "a", uniqueKey: "held", uniquePolicy: "replace", payload: 2, delay: "2h" };
    const fresh = { type: "a", uniqueKey: "free", uniquePolicy: "reject", delay: "1h" };
    const batch = await t.call("POST", `${TASKS}:batch`, { tasks: [replace, fresh, { type: "a", uniqueKey: "free" }] });
    expect(batch.status).toBe(202);
    const [first, second, third] = batch.body.tasks;
    expect(first).toEqual({ id: held.body.id, created: false });
    expect(second.created).toBe(true);
    expect(third).toEqual({ id: second.id, created: false });
    expect((await t.call("GET", `${TASKS}/${held.body.id}`)).body.payload).toBe(2);
    const refused = { tasks: [{ type: "a", uniqueKey: "new" }, fresh] };
    expect((await t.call("POST", `${TASKS}:batch`, refused)).body.code).toBe("unique_conflict");
    expect((await t.call("GET", `${TASKS}?pageSize=200`)).body.tasks).toHaveLength(2);
  });

  test("a task cannot be replaced by one of another type", async () => {
    const held = await t.call("POST", TASKS, { type: "sleep", uniqueKey: "k", payload: { for: "1s" }, delay: "1h" });
    const other = await t.call("POST", TASKS, { type: "noop", uniqueKey: "k", uniquePolicy: "replace" });
    expect([other.status, other.body.code]).toEqual([409, "unique_conflict"]);
    expect(other.body.detail).toContain("another type");
    expect((await t.call("GET", `${TASKS}/${held.body.id}`)).body.payload).toEqual({ for: "1s" });
  });

  test("an idempotency key gives the same answer again, and another request with it is refused", async () => {
    const headers = { "idempotency-key": "order-17" };
    const first = await t.call("POST", TASKS, { type: "a", payload: { x: 1, y: 2 } }, headers);
    expect(first.headers["idempotent-replayed"]).toBeUndefined();
    t.clock.advance(60_000);
    const again = await t.call("POST", TASKS, { payload: { y: 2, x: 1 }, type: "a" }, headers);
    expect(again.status).toBe(202);
    expect(again.headers["idempotent-replayed"]).toBe("true");
    expect(again.headers.location).toBe(first.headers.location);
    expect(again.body).toEqual(first.body);
    const other = await t.call("POST", TASKS, { type: "b" }, headers);
    expect(other.status).toBe(409);
    expect(other.body.code).toBe("idempotency_key_reused");
    const list = await t.call("GET", TASKS);
    expect(list.body.tasks).toHaveLength(1);
    t.clock.advance(24 * 3_600_000);
    const nextDay = await t.call("POST", TASKS, { type: "b" }, headers);
    expect(nextDay.status).toBe(202);
  });

  test("a repeated request whose unique key found a task is answered with that task", async () => {
    const first = await t.call("POST", TASKS, { type: "a", uniqueKey: "k", delay: "1h" });
    const headers = { "idempotency-key": "once" };
    const found = await t.call("POST", TASKS, { type: "a", uniqueKey: "k" }, headers);
    const again = await t.call("POST", TASKS, { type: "a", uniqueKey: "k" }, headers);
    expect([found.status, again.status]).toEqual([200, 200]);
    expect([found.body.id, again.body.id]).toEqual([first.body.id, first.body.id]);
    expect(again.headers["idempotent-replayed"]).toBe("true");
  });

  test("a batch is stored whole, answered in the order sent, and repeated under its key", async () => {
    const tasks = [
      { type: "a", delay: "1h" },
      { type: "b", uniqueKey: "k" },
      { type: "b", uniqueKey: "k" },
      { type: "c", priority: 1 },
    ];
    const headers = { "idempotency-key": "batch" };
    const first = await t.call("POST", `${TASKS}:batch`, { tasks }, headers);
    expect(first.status).toBe(202);
    const { tasks: made } = first.body;
    expect(made.map(({ created }: { created: boolean }) => created)).toEqual([true, true, false, true]);
    expect(made[2].id).toBe(made[1].id);
    const types = await Promise.all(
      made.map(async ({ id }: { id: string }) => (await t.call("GET", `${TASKS}/${id}`)).body.type),
    );
    expect(types).toEqual(["a", "b", "b", "c"]);
    const again = await t.call("POST", `${TASKS}:batch`, { tasks }, headers);
    expect(again.body).toEqual(first.body);
    expect(again.headers["idempotent-replayed"]).toBe("true");
  });

  test("one invalid task of a batch stores nothing, and the pointer names it", async () => {
    const tasks = Array.from({ length: 20 }, (_, index) => ({ type: "a", dueAt: index === 17 ? "soon" : undefined }));
    const answer = await t.call("POST", `${TASKS}:batch`, { tasks });
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toEqual([
      { pointer: "/tasks/17/dueAt", code: "invalid_instant", message: expect.any(String) },
    ]);
    expect((await t.call("GET", TASKS)).body.tasks).toEqual([]);
  });

  test("pages show each task once, newest first, while others are created", async () => {
    const ids = [];
    for (let index = 0; index < 25; index++) {
      t.clock.advance(1);
      ids.push((await t.call("POST", TASKS, { type: index % 2 ? "odd" : "even" })).body.id);
    }
    const seen: string[] = [];
    let token: string | null = "";
    while (token !== null) {
      const { body } = await t.call("GET", `${TASKS}?pageSize=4${token && `&pageToken=${token}`}`);
      seen.push(...body.tasks.map(({ id }: { id: string }) => id));
      token = body.nextPageToken;
      t.clock.advance(1);
      await t.call("POST", TASKS, { type: "meanwhile" });
    }
    expect(seen).toEqual(ids.reverse());
  });

  test("lists can be narrowed, and leave out what is large", async () => {
    await t.call("POST", TASKS, { type: "mail", queue: "q1", tags: ["red"], payload: { to: "ada@example.com" } });
    t.clock.advance(10);
    await t.call("POST", TASKS, { type: "print", queue: "q2", delay: "1h", tags: ["blue"] });
    t.clock.advance(10);
    const cancelled = (await t.call("POST", TASKS, { type: "mail", queue: "q2" })).body.id;
    await t.call("POST", `${TASKS}/${cancelled}:cancel`);
    const listed = async (query: string) =>
      (await t.call("GET", `${TASKS}?${query}`)).body.tasks.map(
        ({ type, state }: { type: string; state: string }) => `${type} ${state}`,
      );
    expect(await listed("")).toEqual(["mail cancelled", "print scheduled", "mail queued"]);
    expect(await listed("state=queued")).toEqual(["mail queued"]);
    expect(await listed("state=cancelled,scheduled")).toEqual(["mail cancelled", "print scheduled"]);
    expect(await listed("state=queued&state=cancelled")).toEqual(["mail cancelled", "mail queued"]);
    expect(await listed("type=print")).toEqual(["print scheduled"]);
    expect(await listed("queue=q2")).toEqual(["mail cancelled", "print scheduled"]);
    expect(await listed("tag=blue")).toEqual(["print scheduled"]);
    expect(await listed("q=ada%40example")).toEqual(["mail queued"]);
    expect(await listed(`q=${cancelled}`)).toEqual(["mail cancelled"]);
    expect(await listed("from=2026-11-20T10:00:00.005Z&to=2026-11-20T10:00:00.015Z")).toEqual(["print scheduled"]);
    const [task] = (await t.call("GET", `${TASKS}?type=mail`)).body.tasks;
    expect(task).not.toHaveProperty("payload");
    expect(task).not.toHaveProperty("result");
  });

  test("lateness is the difference of the instants that are shown", async () => {
    t.clock.advance(0.9);
    const { id } = (await t.call("POST", TASKS, { type: "a", delay: "1ms" })).body;
    t.clock.advance(2.3);
    const { session, refs } = await t.claim();
    const at = { startedAt: t.clock.now(), finishedAt: t.clock.now(), worker: "w", lost: false };
    const decision = { kind: "final", state: "succeeded", result: null, error: null, reason: null } as const;
    await t.store.recordOutcomes(refs.map((ref) => ({ ...ref, session, decision, ...at })));
    const { body } = await t.call("GET", `${TASKS}/${id}`);
    const shown = Date.parse(body.startedAt) - Math.max(Date.parse(body.dueAt), Date.parse(body.createdAt));
    expect([body.latenessMs, shown]).toEqual([2, 2]);
    const [attempt] = (await t.call("GET", `${TASKS}/${id}/attempts`)).body.attempts;
    expect(attempt.latenessMs).toBe(2);
  });

  test("a task can be changed until it is final; while a worker has it that is a conflict", async () => {
    const { id } = (await t.call("POST", TASKS, { type: "a", delay: "1h" })).body;
    const changed = await t.call("PATCH", `${TASKS}/${id}`, {
      priority: 1,
      queue: "fast",
      payload: [1],
      dueAt: "2026-11-20T10:00:00Z",
    });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({
      priority: 1,
      queue: "fast",
      payload: [1],
      state: "queued",
      dueAt: "2026-11-20T10:00:00.000Z",
    });
    const { session, refs } = await t.claim();
    const refused = await whileTimePasses(t.call("PATCH", `${TASKS}/${id}`, { priority: 2 }));
    expect([refused.status, refused.body.code]).toEqual([409, "task_running"]);
    expect(refused.body.detail).toMatch(/^A worker has the task/);
    const unfinished = await t.call("DELETE", `${TASKS}/${id}`);
    expect([unfinished.status, unfinished.body.code]).toEqual([409, "task_running"]);
    expect(unfinished.body.detail).toMatch(/^The task is not final/);
    const before = t.clock.waiting();
    const accepted = t.call("PATCH", `${TASKS}/${id}`, { priority: 3 });
    await until(() => t.clock.waiting() > before);
    await t.store.giveBack(session, refs);
    expect((await whileTimePasses(accepted)).body).toMatchObject({ priority: 3, attempt: 0 });
    await t.call("POST", `${TASKS}/${id}:cancel`);
    const final = await t.call("PATCH", `${TASKS}/${id}`, { priority: 4 });
    expect(final.status).toBe(409);
    expect(final.body.code).toBe("task_final");
  });

  test("a changed payload must be one that the type can have", async () => {
    const nap = (await t.call("POST", TASKS, { type: "sleep", delay: "1h", payload: { for: "1s" } })).body;
    for (const payload of [{}, null]) {
      const refused = await t.call("PATCH", `${TASKS}/${nap.id}`, { payload });
      expect([refused.status, refused.body.code]).toEqual([400, "invalid_request"]);
      expect(refused.body.errors[0].pointer).toMatch(/^\/payload/);
    }
    expect((await t.call("PATCH", `${TASKS}/${nap.id}`, { payload: { for: "2s" } })).status).toBe(200);
    const url = "http://10.1.2.3/allowed";
    const hook = (await t.call("POST", TASKS, { type: "http", delay: "1h", payload: { url } })).body;
    const inside = await t.call("PATCH", `${TASKS}/${hook.id}`, { payload: { url: "http://192.168.1.1/" } });
    expect(inside.body.errors).toMatchObject([{ pointer: "/payload/url", code: "address_not_allowed" }]);
    expect(inside.body.detail).toContain("CARILLON_HTTP_ALLOW");
    const named = { payload: { url: "http://localhost/checked-when-called" } };
    expect((await t.call("PATCH", `${TASKS}/${hook.id}`, named)).status).toBe(200);
  });

  test("cancel, retry, run-now and delete do what they say, and are no error when already so", async () => {
    const { id } = (await t.call("POST", TASKS, { type: "a", delay: "1h" })).body;
    const cancelled = await t.call("POST", `${TASKS}/${id}:cancel`, { reason: "changed my mind" });
    expect(cancelled.status).toBe(200);
    expect(cancelled.body).toMatchObject({ state: "cancelled", reason: "changed my mind" });
    expect((await t.call("POST", `${TASKS}/${id}:cancel`)).status).toBe(200);
    expect((await t.call("POST", `${TASKS}/${id}:run-now`)).body.code).toBe("task_final");
    const retried = await t.call("POST", `${TASKS}/${id}:retry`);
    expect(retried.body).toMatchObject({ state: "queued", finishedAt: null });
    expect((await t.call("POST", `${TASKS}/${id}:retry`, {})).status).toBe(200);
    expect((await t.call("DELETE", `${TASKS}/${id}`)).body.code).toBe("task_running");
    await t.call("PATCH", `${TASKS}/${id}`, { dueAt: "2026-11-21T10:00:00Z" });
    const now = await t.call("POST", `${TASKS}/${id}:run-now`);
    expect(now.body).toMatchObject({ state: "queued", dueAt: new Date(START).toISOString() });
    await t.call("POST", `${TASKS}/${id}:cancel`);
    expect((await t.call("DELETE", `${TASKS}/${id}`)).status).toBe(204);
    expect((await t.call("GET", `${TASKS}/${id}`)).body.code).toBe("task_not_found");
  });

  test("a replay is a new task like the other one, which stays as it is", async () => {
    const body = {
      type: "a",
      payload: { order: 1 },
      queue: "billing",
      priority: 2,
      retry: { maxAttempts: 2 },
      startWithin: "5m",
      uniqueKey: "order-1",
      concurrencyKey: "acme",
      fairKey: "globex",
      tags: ["invoices"],
      requires: { region: "eu" },
      delay: "1h",
    };
    const original = (await t.call("POST", TASKS, body)).body;
    const replayed = await t.call("POST", `${TASKS}/${original.id}:replay`);
    expect(replayed.status).toBe(202);
    expect(replayed.headers.location).toBe(`${TASKS}/${replayed.body.id}`);
    expect(replayed.body).toEqual({
      ...original,
      id: expect.not.stringContaining(original.id),
      state: "queued",
      createdAt: expect.any(String),
      dueAt: new Date(START).toISOString(),
      uniqueKey: null,
      replayOf: original.id,
    });
    expect((await t.call("GET", `${TASKS}/${replayed.body.id}`)).body).toEqual(replayed.body);
    expect((await t.call("GET", `${TASKS}/${original.id}`)).body).toEqual(original);

    const changes = { payload: null, queue: "slow", delay: "1m", retry: { backoff: { initial: "3s" } }, tags: [] };
    const changed = await t.call("POST", `${TASKS}/${replayed.body.id}:replay`, changes);
    expect(changed.body).toMatchObject({
      replayOf: replayed.body.id,
      payload: null,
      queue: "slow",
      state: "scheduled",
      maxAttempts: 2,
      tags: [],
      priority: 2,
    });
    expect(changed.body.retry.backoff.initial).toBe("3s");
  });

  test("a replay is checked as a create is, and made once for its key", async () => {
    const nap = (await t.call("POST", TASKS, { type: "sleep", delay: "1h", payload: { for: "1s" } })).body;
    const refused = await t.call("POST", `${TASKS}/${nap.id}:replay`, { payload: { for: "soon" } });
    expect([refused.status, refused.body.code]).toEqual([400, "invalid_request"]);
    expect(refused.body.errors[0].pointer).toBe("/payload/for");
    const both = await t.call("POST", `${TASKS}/${nap.id}:replay`, { delay: "1s", dueAt: nap.dueAt });
    expect(both.body.errors).toMatchObject([{ pointer: "/delay", code: "exclusive" }]);
    const headers = { "idempotency-key": "again" };
    const first = await t.call("POST", `${TASKS}/${nap.id}:replay`, {}, headers);
    const second = await t.call("POST", `${TASKS}/${nap.id}:replay`, {}, headers);
    expect(second.body.id).toBe(first.body.id);
    expect(second.headers["idempotent-replayed"]).toBe("true");
  });

  test("cancelling a task that a worker has is accepted, and its holder is told", async () => {
    const { id } = (await t.call("POST", TASKS, { type: "a" })).body;
    const { session } = await t.claim();
    const told: unknown[] = [];
    const dispatcher = {
      session,
      reserve: () => 0,
      release: () => {},
      handOut: () => {},
      noticeCreated: () => {},
      workers: () => [],
      queuesChanged: () => {},
      recall: (...given: unknown[]) => void told.push(given),
    };
    const holder = await startApp({ clock: t.clock, store: t.store, dispatcher });
    const answer = await holder.call("POST", `${TASKS}/${id}:cancel`, { reason: "enough" });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ state: "running", cancelRequestedAt: expect.any(String) });
    expect(told).toEqual([[{ id: expect.any(BigInt) }, "cancel", "enough"]]);
    await holder.close();
  });

  test("what is due now starts here without another round trip, as far as there are free slots", async () => {
    const { session } = await t.claim();
    const slots = new Map([["default/fast", 2]]);
    const handed: string[] = [];
    const noticed: string[] = [];
    const dispatcher = {
      session,
      reserve({ queue, type }: LaneName, count: number) {
        const got = Math.min(count, slots.get(`${queue}/${type}`) ?? 0);
        slots.set(`${queue}/${type}`, (slots.get(`${queue}/${type}`) ?? 0) - got);
        return got;
      },
      release: ({ queue, type }: LaneName, count: number) => {
        slots.set(`${queue}/${type}`, slots.get(`${queue}/${type}`)! + count);
      },
      handOut: (claimed: ClaimedTask[]) => void handed.push(...claimed.map(({ id }) => formatId("task", id))),
      noticeCreated: (tasks: readonly (LaneName & { dueAt: number })[]) =>
        void noticed.push(...tasks.map(({ type }) => type)),
      workers: () => [],
      queuesChanged: () => {},
      recall: () => {},
    };
    const node = await startApp({ clock: t.clock, store: t.store, dispatcher, slot: 20 });
    const single = await node.call("POST", TASKS, { type: "fast" }, { "idempotency-key": "k" });
    expect(handed).toEqual([single.body.id]);
    expect((await node.call("POST", TASKS, { type: "fast" }, { "idempotency-key": "k" })).body.id).toBe(single.body.id);
    const tasks = [
      { type: "slow" },
      { type: "fast", delay: "1h" },
      { type: "fast", uniqueKey: "k" },
      { type: "fast" },
      { type: "fast", payload: "no slot left" },
    ];
    const { body } = await node.call("POST", `${TASKS}:batch`, { tasks }, { "idempotency-key": "b" });
    expect((await node.call("POST", `${TASKS}:batch`, { tasks }, { "idempotency-key": "b" })).body).toEqual(body);
    expect(handed).toEqual([single.body.id, body.tasks[3].id]);
    expect(noticed.sort()).toEqual(["fast", "fast", "fast", "slow"]);
    expect(slots.get("default/fast")).toBe(0);
    const rejected = { type: "fast", uniqueKey: "k", uniquePolicy: "reject" };
    slots.set("default/fast", 1);
    expect((await node.call("POST", TASKS, rejected)).status).toBe(409);
    expect(slots.get("default/fast")).toBe(1);
    await node.close();
  });
});

test("a create that the store has no room for is answered with when to try again", async () => {
  const clock = manualClock();
  const store = createMemoryStore(createMemoryDatabase({ now: clock.now }));
  const createTasks = async () => {
    throw new CarillonError("backlog_full", { detail: "Too many wait.", retryAfterMs: 2_000 });
  };
  const t = await startApp({ clock, store: { ...store, createTasks } });
  for (const [path, body] of [
    [TASKS, { type: "send" }],
    [`${TASKS}:batch`, { tasks: [{ type: "send" }, { type: "send" }] }],
  ] as const) {
    const answer = await t.call("POST", path, body);
    expect(answer).toMatchObject({
      status: 429,
      headers: { "retry-after": "2" },
      body: { code: "backlog_full", retryable: true, detail: "Too many wait." },
    });
  }
  await t.close();
});
