import { expect, test } from "vitest";
import { nowhere, problem, serve } from "../test/http-server.ts";
import { Carillon } from "./client.ts";
import { TaskFailedError, WaitTimeoutError } from "./errors.ts";
import { type StandardSchema, task } from "./task.ts";

const ID = "task_0123456789abc";
const row = (over: object = {}) => ({ id: ID, state: "scheduled", result: null, error: null, reason: null, ...over });

// -------------------------------------------------------------------------------------------------------------- repeating

test("a create is repeated under one idempotency key until it is answered", async () => {
  const node = await serve((_asked, count) => {
    if (count === 1) return "reset";
    if (count === 2) return problem(503, "unavailable", {}, { "retry-after": "0" });
    if (count === 3) return problem(409, "idempotency_in_progress");
    return { status: 202, body: row() };
  });
  const carillon = new Carillon({ url: node.url });
  const handle = await carillon.tasks.create("send", { to: "x" }, { delay: "10m" });
  expect(handle).toMatchObject({ id: ID, created: true });
  expect(node.asked).toHaveLength(4);
  const keys = new Set(node.asked.map(({ headers }) => headers["idempotency-key"]));
  expect(keys.size).toBe(1);
  expect([...keys][0]).toMatch(/^[0-9a-f-]{36}$/);
  expect(node.asked[0]).toMatchObject({
    method: "POST",
    path: "/api/v1/tasks",
    body: { type: "send", payload: { to: "x" }, delay: "10m" },
    headers: { "content-type": "application/json" },
  });
  await carillon.tasks.create("send");
  expect(node.asked.at(-1)!.headers["idempotency-key"]).not.toBe([...keys][0]);
  await carillon.tasks.create("send", {}, { idempotencyKey: "mine" });
  expect(node.asked.at(-1)).toMatchObject({
    headers: { "idempotency-key": "mine" },
    body: { type: "send", payload: {} },
  });
  expect(node.asked.at(-1)!.body).not.toHaveProperty("idempotencyKey");
});

test("what would be refused again is not repeated", async () => {
  const refusals = [
    problem(400, "invalid_request"),
    problem(401, "unauthenticated"),
    problem(403, "permission_denied"),
    problem(404, "task_not_found"),
    problem(409, "task_final"),
    problem(409, "idempotency_key_reused"),
    problem(412, "version_mismatch"),
    problem(413, "too_large"),
    problem(500, "internal"),
  ];
  for (const refusal of refusals) {
    const node = await serve(() => refusal);
    const failure = new Carillon({ url: node.url }).tasks.get(ID);
    await expect(failure).rejects.toMatchObject({
      name: "CarillonError",
      code: (refusal as { body: { code: string } }).body.code,
    });
    expect(node.asked).toHaveLength(1);
  }
});

test("gives up after a few rounds and says who did not answer", async () => {
  const url = await nowhere();
  const startedAt = performance.now();
  const failure = new Carillon({ url }).tasks.get(ID);
  await expect(failure).rejects.toMatchObject({
    code: "unavailable",
    message: `no answer from ${url}`,
    cause: expect.anything(),
  });
  expect(performance.now() - startedAt).toBeGreaterThan(500);
});

test("waits as long as it is told to, but not for minutes", async () => {
  const waits: number[] = [];
  let last = 0;
  const node = await serve((_asked, count) => {
    const now = performance.now();
    if (count > 1) waits.push(now - last);
    last = now;
    return count === 1 ? problem(429, "backlog_full", {}, { "retry-after": "1" }) : { body: row() };
  });
  await new Carillon({ url: node.url }).tasks.get(ID);
  expect(waits[0]).toBeGreaterThan(950);

  const busy = await serve(() => problem(503, "unavailable", {}, { "retry-after": "120" }));
  await expect(new Carillon({ url: busy.url }).tasks.get(ID)).rejects.toMatchObject({ retryAfterMs: 120_000 });
  expect(busy.asked).toHaveLength(1);
  const at = new Date(Date.now() + 60_000).toUTCString();
  const dated = await serve(() => problem(503, "unavailable", {}, { "retry-after": at }));
  await expect(new Carillon({ url: dated.url }).tasks.get(ID)).rejects.toMatchObject({
    retryAfterMs: expect.closeTo(60_000, -4),
  });
});

test("goes to another address at once, and stays with the one that answers", async () => {
  const [dead, alive] = [await nowhere(), await serve(() => ({ body: row() }))];
  const leaving = await serve(() => problem(503, "unavailable", {}, { "retry-after": "5" }));
  const carillon = new Carillon({ url: [dead, leaving.url, alive.url] });
  const startedAt = performance.now();
  await carillon.tasks.get(ID);
  await carillon.tasks.get(ID);
  await carillon.schedules.get("s");
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  expect(alive.asked).toHaveLength(3);
  expect(leaving.asked).toHaveLength(1);
});

test("an answer that breaks off is asked for again", async () => {
  const node = await serve((asked, count) => {
    if (count > 1) return { body: row({ state: "running" }) };
    asked.response.writeHead(200, { "content-length": "1000" });
    asked.response.write('{"id":');
    setImmediate(() => asked.response.socket?.resetAndDestroy());
    return "handled";
  });
  expect(await new Carillon({ url: node.url }).tasks.get(ID)).toMatchObject({ state: "running" });
});

test("a delete whose answer was lost has been done", async () => {
  const node = await serve((_asked, count) => (count === 1 ? "reset" : problem(404, "task_not_found")));
  await new Carillon({ url: node.url }).tasks.delete(ID);
  const second = await serve(() => problem(404, "schedule_not_found"));
  await expect(new Carillon({ url: second.url }).schedules.delete("s")).rejects.toMatchObject({
    code: "schedule_not_found",
  });
});

test("a signal ends the request, and the pause between two, with its own reason", async () => {
  const hanging = await serve(() => "hang");
  const stop = new AbortController();
  const waiting = new Carillon({ url: hanging.url }).tasks.wait(ID, { signal: stop.signal });
  const reason = new Error("enough");
  setImmediate(() => stop.abort(reason));
  await expect(waiting).rejects.toBe(reason);

  const stopPause = new AbortController();
  const busy = await serve(() => {
    setImmediate(() => stopPause.abort(reason));
    return problem(503, "unavailable", {}, { "retry-after": "9" });
  });
  const startedAt = performance.now();
  const paused = new Carillon({ url: busy.url }).tasks.wait(ID, { signal: stopPause.signal });
  await expect(paused).rejects.toBe(reason);
  expect(performance.now() - startedAt).toBeLessThan(3_000);
  expect(busy.asked).toHaveLength(1);

  await expect(new Carillon({ url: busy.url }).tasks.wait(ID, { signal: AbortSignal.abort(reason) })).rejects.toBe(
    reason,
  );
  expect(busy.asked).toHaveLength(1);
});

// ----------------------------------------------------------------------------------------------------------------- errors

test("a problem document becomes an error with its fields", async () => {
  const errors = [{ pointer: "/dueAt", code: "invalid_instant", message: "An instant such as …" }];
  const node = await serve(() => problem(400, "invalid_request", { detail: "dueAt is no instant", errors }));
  const failure = new Carillon({ url: node.url }).tasks.create("t", {}, { dueAt: "soon" });
  await expect(failure).rejects.toMatchObject({ code: "invalid_request", message: "dueAt is no instant", errors });
});

test("what a proxy or a stranger answers becomes an error, too", async () => {
  const cases: [number, string, string][] = [
    [404, "<html>not here</html>", "not_found"],
    [401, "", "unauthenticated"],
    [413, "Request Entity Too Large", "too_large"],
    [418, "null", "internal"],
    [500, '{"code":"constructor"}', "internal"],
    [200, "<html>login</html>", "internal"],
  ];
  for (const [status, body, code] of cases) {
    const node = await serve(() => ({ status, body, headers: { "content-type": "text/html" } }));
    await expect(new Carillon({ url: node.url }).tasks.get(ID), body).rejects.toMatchObject({ code });
    expect(node.asked).toHaveLength(1);
  }
  const gateway = await serve((_asked, count) =>
    count === 1 ? { status: 502, body: "bad gateway" } : { body: row() },
  );
  expect(await new Carillon({ url: gateway.url }).tasks.get(ID)).toMatchObject({ id: ID });
});

test("an address that is none is refused at once, and a key goes into the header only", async () => {
  for (const url of ["localhost:7070", "", "ftp://x", "http://"])
    expect(() => new Carillon({ url }), url).toThrow(/URL/);
  expect(() => new Carillon({ url: [] })).toThrow(/address/);
  const node = await serve(() => ({ body: row() }));
  await new Carillon({ url: node.url, apiKey: "secret" }).tasks.get(ID);
  expect(node.asked[0]!.headers.authorization).toBe("Bearer secret");
  expect(JSON.stringify([node.asked[0]!.path, node.asked[0]!.query])).not.toContain("secret");
});

// ------------------------------------------------------------------------------------------------------------------ tasks

const positive: StandardSchema<{ n: number }> = {
  "~standard": {
    version: 1,
    validate: (value) =>
      typeof (value as { n?: unknown })?.n === "number"
        ? { value: value as { n: number } }
        : { issues: [{ message: "a number", path: ["n"] }] },
  },
};

test("a definition's queue, retry and timeout go along with each create; the call's own options win", async () => {
  const node = await serve(() => ({ status: 200, body: row() }));
  const carillon = new Carillon({ url: node.url });
  const definition = task("bill", {
    schema: positive,
    queue: "billing",
    timeout: "5m",
    retry: { maxAttempts: 8 },
    run: ({ n }) => n,
  });
  const handle = await carillon.tasks.create(definition, { n: 1 }, { timeout: "1m", dueAt: new Date(0), tags: ["a"] });
  expect(handle.created).toBe(false);
  expect(node.asked[0]!.body).toEqual({
    type: "bill",
    payload: { n: 1 },
    queue: "billing",
    retry: { maxAttempts: 8 },
    timeout: "1m",
    dueAt: "1970-01-01T00:00:00.000Z",
    tags: ["a"],
  });
  const refused = carillon.tasks.create(definition, { n: "1" } as never);
  await expect(refused).rejects.toMatchObject({
    code: "invalid_request",
    errors: [{ pointer: "/payload/n", code: "invalid_payload", message: "a number" }],
  });
  expect(node.asked).toHaveLength(1);
});

test("many tasks are created in one request, in order, under one key", async () => {
  const node = await serve((asked, count) =>
    count === 1
      ? "reset"
      : {
          status: 202,
          body: { tasks: asked.body.tasks.map((_: unknown, i: number) => ({ id: `task_${i}`, created: true })) },
        },
  );
  const carillon = new Carillon({ url: node.url });
  const answer = await carillon.tasks.createMany("t", [{ payload: 1 }, { payload: 2, dueAt: new Date(0) }, {}]);
  expect(answer.map(({ id }) => id)).toEqual(["task_0", "task_1", "task_2"]);
  expect(node.asked[1]!.body.tasks).toEqual([
    { type: "t", payload: 1 },
    { type: "t", payload: 2, dueAt: "1970-01-01T00:00:00.000Z" },
    { type: "t" },
  ]);
  expect(node.asked[0]!.headers["idempotency-key"]).toBe(node.asked[1]!.headers["idempotency-key"]);
});

test("payloads of many tasks that do not fit are named by their place, a hundred at most, and nothing is sent", async () => {
  const node = await serve(() => ({ status: 202, body: { tasks: [] } }));
  const carillon = new Carillon({ url: node.url });
  const definition = task("bill", { schema: positive, run: ({ n }) => n });
  const wrong = { payload: { n: "1" } as never };
  await expect(carillon.tasks.createMany(definition, [{ payload: { n: 1 } }, wrong])).rejects.toMatchObject({
    code: "invalid_request",
    message: "/tasks/1/payload/n: a number",
    errors: [{ pointer: "/tasks/1/payload/n", code: "invalid_payload", message: "a number" }],
  });
  const failure = await carillon.tasks.createMany(definition, Array(150).fill(wrong)).catch((error: unknown) => error);
  const { errors } = failure as { errors: { pointer: string }[] };
  expect(errors).toHaveLength(100);
  expect(errors.at(-1)!.pointer).toBe("/tasks/99/payload/n");
  expect(node.asked).toEqual([]);
});

test("a result is waited for over several requests", async () => {
  const node = await serve((asked, count) =>
    count < 3
      ? { body: row({ state: "running" }) }
      : { body: row({ state: "succeeded", result: { total: Number.parseInt(asked.query.wait!, 10) } }) },
  );
  const carillon = new Carillon({ url: node.url });
  const handle = await new Carillon({ url: (await serve(() => ({ status: 202, body: row() }))).url }).tasks.create("t");
  expect(handle.id).toBe(ID);
  const done = await carillon.tasks.wait(ID, { timeout: "1h" });
  expect(done.result).toEqual({ total: 30_000 });
  expect(node.asked[0]!.path).toBe(`/api/v1/tasks/${ID}`);
});

test("a node that answers a waiting request at once is not asked in a hot loop", async () => {
  const node = await serve(() => ({ body: row({ state: "running" }) }));
  const failure = new Carillon({ url: node.url }).tasks.wait(ID, { timeout: "700ms" });
  await expect(failure).rejects.toBeInstanceOf(WaitTimeoutError);
  expect(node.asked.length).toBeLessThan(7);
  expect(Number.parseInt(node.asked[0]!.query.wait!, 10)).toBeLessThanOrEqual(700);
  await expect(new Carillon({ url: node.url }).tasks.wait(ID, { timeout: "soon" })).rejects.toMatchObject({
    code: "invalid_request",
  });
});

test("a result is typed; every other end is a TaskFailedError that says why", async () => {
  let state: object = row({ state: "succeeded", result: { sent: true } });
  const node = await serve(({ method }) => ({ status: method === "POST" ? 202 : 200, body: state }));
  const carillon = new Carillon({ url: node.url });
  const definition = task("send", { run: async (_payload: { to: string }) => ({ sent: true }) });
  const handle = await carillon.tasks.create(definition, { to: "x" });
  const result: { sent: boolean } = await handle.result();
  expect(result.sent).toBe(true);
  state = row({ state: "failed", error: { code: "handler_error", message: "no card" } });
  const failure = await handle.result({ timeout: "1s" }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(TaskFailedError);
  expect(failure).toMatchObject({
    taskId: ID,
    state: "failed",
    code: "handler_error",
    message: `${ID} failed: no card`,
  });
  state = row({ state: "cancelled", reason: "customer left" });
  await expect(handle.result()).rejects.toMatchObject({
    state: "cancelled",
    code: null,
    message: `${ID} cancelled: customer left`,
  });
});

test("the verbs ask what they say", async () => {
  const node = await serve(({ method }) => ({ status: method === "DELETE" ? 204 : 200, body: row() }));
  const { tasks, schedules, calendars } = new Carillon({ url: node.url });
  await tasks.cancel(ID, { reason: "no" });
  await tasks.retry(ID);
  await tasks.runNow(ID);
  await tasks.replay(ID, { payload: 2, delay: "1m" });
  await tasks.patch(ID, { priority: 1, dueAt: new Date(0) });
  await tasks.delete(ID);
  await tasks.get("../../etc?x");
  await schedules.pause("nightly", { reason: "r" });
  await schedules.resume("nightly");
  await schedules.trigger("nightly", { payload: 1 });
  await schedules.patch("nightly", { jitter: null });
  await schedules.delete("nightly");
  await schedules.preview({ cron: "0 2 * * *", from: new Date(0), count: 3 });
  await calendars.put("holidays", { timeZone: "Europe/Paris", dates: ["2026-12-25"] });
  await calendars.get("holidays");
  await calendars.delete("a/b");
  expect(node.asked.map(({ method, path, body }) => [method, path, body])).toEqual([
    ["POST", `/api/v1/tasks/${ID}:cancel`, { reason: "no" }],
    ["POST", `/api/v1/tasks/${ID}:retry`, undefined],
    ["POST", `/api/v1/tasks/${ID}:run-now`, undefined],
    ["POST", `/api/v1/tasks/${ID}:replay`, { payload: 2, delay: "1m" }],
    ["PATCH", `/api/v1/tasks/${ID}`, { priority: 1, dueAt: "1970-01-01T00:00:00.000Z" }],
    ["DELETE", `/api/v1/tasks/${ID}`, undefined],
    ["GET", "/api/v1/tasks/..%2F..%2Fetc%3Fx", undefined],
    ["POST", "/api/v1/schedules/nightly:pause", { reason: "r" }],
    ["POST", "/api/v1/schedules/nightly:resume", undefined],
    ["POST", "/api/v1/schedules/nightly:trigger", { payload: 1 }],
    ["PATCH", "/api/v1/schedules/nightly", { jitter: null }],
    ["DELETE", "/api/v1/schedules/nightly", undefined],
    ["POST", "/api/v1/schedules:preview", { cron: "0 2 * * *", from: "1970-01-01T00:00:00.000Z", count: 3 }],
    ["PUT", "/api/v1/calendars/holidays", { timeZone: "Europe/Paris", dates: ["2026-12-25"] }],
    ["GET", "/api/v1/calendars/holidays", undefined],
    ["DELETE", "/api/v1/calendars/a%2Fb", undefined],
  ]);
  expect(node.asked[9]!.headers["idempotency-key"]).toMatch(/^[0-9a-f-]{36}$/);
});

test("a queue is asked what it says, and changed only at the version that was read", async () => {
  const node = await serve(({ path }) => ({
    body: path.endsWith("/queues") ? { queues: [{ name: "a" }], nextPageToken: null } : {},
  }));
  const { queues } = new Carillon({ url: node.url });
  const rateLimit = { limit: 100, per: "1m" };
  await queues.get("a/b");
  await queues.put("billing", { concurrency: 5, rateLimit }, { version: 3 });
  await queues.put("billing", {});
  await queues.patch("billing", { rateLimit: null }, { version: 4 });
  await queues.pause("billing", { reason: "r" });
  await queues.resume("billing");
  await queues.stats("billing");
  for await (const { name } of queues.listAll()) expect(name).toBe("a");
  expect(node.asked.map(({ method, path, body, headers }) => [method, path, body, headers["if-match"]])).toEqual([
    ["GET", "/api/v1/queues/a%2Fb", undefined, undefined],
    ["PUT", "/api/v1/queues/billing", { concurrency: 5, rateLimit }, '"3"'],
    ["PUT", "/api/v1/queues/billing", {}, undefined],
    ["PATCH", "/api/v1/queues/billing", { rateLimit: null }, '"4"'],
    ["POST", "/api/v1/queues/billing:pause", { reason: "r" }, undefined],
    ["POST", "/api/v1/queues/billing:resume", undefined, undefined],
    ["GET", "/api/v1/queues/billing/stats", undefined, undefined],
    ["GET", "/api/v1/queues", undefined, undefined],
  ]);
});

test("calendars are listed page after page", async () => {
  const node = await serve(({ query }) => ({
    body: query.pageToken
      ? { calendars: [{ name: "b" }], nextPageToken: null }
      : { calendars: [{ name: "a" }], nextPageToken: "next" },
  }));
  const names: string[] = [];
  for await (const { name } of new Carillon({ url: node.url }).calendars.listAll({ pageSize: 1 })) names.push(name);
  expect(names).toEqual(["a", "b"]);
  expect(node.asked.map(({ path, query }) => [path, query])).toEqual([
    ["/api/v1/calendars", { pageSize: "1" }],
    ["/api/v1/calendars", { pageSize: "1", pageToken: "next" }],
  ]);
});

test("a schedule takes a definition with its payload, or a whole template", async () => {
  const node = await serve(() => ({ body: {} }));
  const { schedules } = new Carillon({ url: node.url });
  const definition = task("bill", { schema: positive, queue: "billing", run: () => null });
  await schedules.put("nightly", { cron: "0 2 * * *", timeZone: "Europe/Paris", task: definition, payload: { n: 1 } });
  await schedules.create("hourly", { every: "1h", task: { type: "t", payload: 2, priority: 1 }, endAt: new Date(0) });
  expect(node.asked[0]).toMatchObject({ method: "PUT", path: "/api/v1/schedules/nightly" });
  expect(node.asked[0]!.body).toEqual({
    cron: "0 2 * * *",
    timeZone: "Europe/Paris",
    task: { type: "bill", payload: { n: 1 }, queue: "billing" },
  });
  expect(node.asked[1]).toMatchObject({ method: "POST", path: "/api/v1/schedules" });
  expect(node.asked[1]!.body).toEqual({
    name: "hourly",
    every: "1h",
    endAt: "1970-01-01T00:00:00.000Z",
    task: { type: "t", payload: 2, priority: 1 },
  });
  const wrong = schedules.put("nightly", { cron: "0 2 * * *", task: definition, payload: {} as never });
  await expect(wrong).rejects.toMatchObject({ code: "invalid_request" });
});

// ------------------------------------------------------------------------------------------------------------------ lists

test("a list is one page with its filters, or every item when it is walked", async () => {
  const node = await serve(({ query, path }) => {
    const page = Number(query.pageToken ?? 0);
    const noun = path.endsWith("fires") ? "fires" : path.endsWith("schedules") ? "schedules" : "tasks";
    return {
      body: { [noun]: [{ id: `${page}a` }, { id: `${page}b` }], nextPageToken: page === 2 ? null : String(page + 1) },
    };
  });
  const { tasks, schedules } = new Carillon({ url: node.url });
  const page = await tasks.list({ state: ["failed", "cancelled"], type: "t", from: new Date(0), pageSize: 2 });
  expect(page).toEqual({ items: [{ id: "0a" }, { id: "0b" }], nextPageToken: "1" });
  expect(node.asked[0]!.query).toEqual({
    state: "failed,cancelled",
    type: "t",
    from: "1970-01-01T00:00:00.000Z",
    pageSize: "2",
  });

  const seen: string[] = [];
  for await (const { id } of tasks.listAll({ tag: "x" })) seen.push(id);
  expect(seen).toEqual(["0a", "0b", "1a", "1b", "2a", "2b"]);
  expect(node.asked.slice(1).map(({ query }) => query)).toEqual([
    { tag: "x" },
    { tag: "x", pageToken: "1" },
    { tag: "x", pageToken: "2" },
  ]);

  const before = node.asked.length;
  for await (const _ of schedules.listAll({ q: "night" })) break;
  expect(node.asked).toHaveLength(before + 1);
  await schedules.fires("nightly", { from: new Date(0), outcome: "missed" });
  expect(node.asked.at(-1)!.query).toEqual({ from: "1970-01-01T00:00:00.000Z", outcome: "missed" });
  await schedules.stats("nightly", { to: new Date(0) });
  expect(node.asked.at(-1)).toMatchObject({
    path: "/api/v1/schedules/nightly/stats",
    query: { to: "1970-01-01T00:00:00.000Z" },
  });
});

// ---------------------------------------------------------------------------------------------------------------- streams

const line = (n: number) => ({ at: "2026-01-01T00:00:00.000Z", level: "info", message: `line ${n} ä`, attempt: 1 });

test("a log is followed line by line, across a cut, until the task is final", async () => {
  const node = await serve((asked, count) => {
    asked.response.writeHead(200, { "content-type": "text/event-stream" });
    const event = (n: number) => `id: ${n}\ndata: ${JSON.stringify(line(n))}\n\n`;
    if (count === 1) {
      asked.response.write("retry: 1000\n\n:\n\n");
      // Cut in the middle of a character, and of an event.
      const bytes = Buffer.from(event(1) + event(2));
      asked.response.write(bytes.subarray(0, bytes.indexOf(0xc3) + 1));
      asked.response.write(bytes.subarray(bytes.indexOf(0xc3) + 1, bytes.length - 3));
      setTimeout(() => asked.response.socket?.resetAndDestroy(), 20);
    } else {
      asked.response.end(`${event(2).replaceAll("\n", "\r\n")}${event(3)}event: end\ndata: {"state":"succeeded"}\n\n`);
    }
    return "handled";
  });
  const lines: string[] = [];
  for await (const { message } of new Carillon({ url: node.url }).tasks.followLogs(ID)) lines.push(message);
  expect(lines).toEqual(["line 1 ä", "line 2 ä", "line 3 ä"]);
  expect(node.asked[0]).toMatchObject({ path: `/api/v1/tasks/${ID}/logs`, query: { follow: "1" } });
  expect(node.asked[0]!.headers.accept).toBe("text/event-stream");
  expect(node.asked[1]!.headers["last-event-id"]).toBe("1");
});

test("following what is not there is an error, not a wait", async () => {
  const node = await serve(() => problem(404, "task_not_found"));
  const following = new Carillon({ url: node.url }).tasks.followLogs(ID).next();
  await expect(following).rejects.toMatchObject({ code: "task_not_found" });
  const refused = await serve(() => problem(400, "invalid_request"));
  await expect(new Carillon({ url: refused.url }).events({ topics: ["nothing"] }).next()).rejects.toMatchObject({
    code: "invalid_request",
  });
});

test("following a node that cannot be reached from the start is an error, as for every other call", async () => {
  const away = new Carillon({ url: await nowhere() });
  await expect(away.events().next()).rejects.toMatchObject({ code: "unavailable" });
  await expect(away.tasks.followLogs(ID).next()).rejects.toMatchObject({ code: "unavailable" });
});

test("leaving a stream ends its connection", async () => {
  let gone: () => void = () => {};
  const left = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const node = await serve((asked) => {
    asked.response.writeHead(200, { "content-type": "text/event-stream" });
    asked.response.write(`data: ${JSON.stringify(line(1))}\n\n`);
    asked.response.on("close", gone);
    return "handled";
  });
  for await (const _ of new Carillon({ url: node.url }).tasks.followLogs(ID)) break;
  await left;
});

test("changes come as events; a node that goes away is followed by another", async () => {
  const stop = new AbortController();
  const change = { topic: "tasks", id: ID, state: "running", at: "2026-01-01T00:00:00.000Z" };
  const first = await serve((asked) => {
    asked.response.writeHead(200, { "content-type": "text/event-stream" });
    asked.response.end(
      `event: reset\ndata: {}\n\nevent: change\ndata: ${JSON.stringify(change)}\n\nevent: newer\ndata: {}\n\n`,
    );
    return "handled";
  });
  const carillon = new Carillon({ url: [await nowhere(), first.url] });
  const seen: unknown[] = [];
  for await (const event of carillon.events({ topics: ["tasks"], signal: stop.signal })) {
    seen.push(event);
    if (seen.length === 4) stop.abort();
  }
  expect(seen).toEqual([
    { kind: "reset" },
    { kind: "change", ...change },
    { kind: "reset" },
    { kind: "change", ...change },
  ]);
  expect(first.asked[0]!.query).toEqual({ topics: "tasks" });
});

test("readiness is a yes or a no", async () => {
  const yes = await serve(() => ({ body: { status: "ready" } }));
  expect(await new Carillon({ url: yes.url }).ready()).toBe(true);
  const no = await serve(() => ({ status: 503, body: { status: "draining" } }));
  expect(await new Carillon({ url: no.url }).ready()).toBe(false);
  expect(no.asked).toHaveLength(1);
});
