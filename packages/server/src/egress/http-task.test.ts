import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TaskContext } from "@carillon/client";
import { expect, onTestFinished, test } from "vitest";
import type { Resolve } from "./address-guard.ts";
import { type HttpPayload, type HttpResult, httpTask } from "./http-task.ts";

const LOOPBACK = ["127.0.0.0/8"];
const here: Resolve = async () => [{ address: "127.0.0.1", family: 4 }];

interface Asked {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  rawHeaders: string[];
  body: string;
}

/** A target that answers as the test says. */
async function target(answer: (response: ServerResponse, asked: Asked) => void = (response) => response.end("ok")) {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const { method = "", url = "", headers, rawHeaders } = request;
    asked.push({ method, url, headers, rawHeaders, body });
    answer(response, asked.at(-1)!);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { asked, port, url: `http://127.0.0.1:${port}`, named: (host: string) => `http://${host}:${port}` };
}

function context(over: Partial<TaskContext> = {}): TaskContext & { lines: string[] } {
  const lines: string[] = [];
  const write = (message: string) => void lines.push(message);
  return {
    taskId: "task_0123456789abc",
    type: "http",
    queue: "default",
    attempt: 3,
    idempotencyKey: "task_0123456789abc",
    fencingToken: "7",
    dueAt: new Date("2026-11-21T01:00:00.123Z"),
    fireAt: null,
    schedule: null,
    parents: {},
    workflow: null,
    log: { debug: write, info: write, warn: write, error: write },
    progress: () => {},
    signal: new AbortController().signal,
    lines,
    ...over,
  };
}

const call = (
  payload: HttpPayload,
  { allow = LOOPBACK, resolve = here, ...over }: { allow?: string[]; resolve?: Resolve } & Partial<TaskContext> = {},
) => Promise.resolve(httpTask(allow, resolve).run(payload, context(over)));

const failure = (payload: HttpPayload, options: Parameters<typeof call>[1] = {}) =>
  call(payload, options).then(
    (result) => ({ unexpected: result }),
    (error: unknown) => error,
  );

// --------------------------------------------------------------------------------------------------------------- requests

test("posts JSON, or text as it is, and answers with status, headers and body", async () => {
  const t = await target((response) => {
    response.setHeader("x-own", "yes");
    response.writeHead(201).end("made ä");
  });
  const result = await call({ url: `${t.url}/hook?a=1`, body: { n: 1 } });
  expect(result).toMatchObject({ status: 201, headers: { "x-own": "yes" }, body: "made ä" });
  expect(t.asked[0]).toMatchObject({
    method: "POST",
    url: "/hook?a=1",
    body: '{"n":1}',
    headers: { "content-type": "application/json" },
  });
  await call({ url: t.url, body: "plain ä", method: "PUT" });
  expect(t.asked[1]).toMatchObject({
    method: "PUT",
    body: "plain ä",
    headers: { "content-type": "text/plain; charset=utf-8" },
  });
  await call({ url: t.url, method: "GET", headers: { accept: "text/csv", "Content-Type": "text/x" } });
  expect(t.asked[2]).toMatchObject({
    method: "GET",
    body: "",
    headers: { accept: "text/csv", "content-type": "text/x" },
  });
});

test("says which task and attempt it is, so that a target can tell a repetition", async () => {
  const t = await target();
  await call({ url: t.url }, { fireAt: new Date("2026-11-21T01:00:00Z") });
  expect(t.asked[0]!.headers).toMatchObject({
    "idempotency-key": "task_0123456789abc",
    "carillon-attempt": "3",
    "carillon-due-at": "2026-11-21T01:00:00.123Z",
    "carillon-fire-at": "2026-11-21T01:00:00.000Z",
    "user-agent": "Carillon",
  });
  await call({ url: t.url, headers: { "User-Agent": "mine" } });
  expect(t.asked[1]!.headers).toMatchObject({ "user-agent": "mine" });
  expect(t.asked[1]!.headers).not.toHaveProperty("carillon-fire-at");
});

test("a task's headers cannot speak for the connection or for Carillon", async () => {
  const t = await target();
  const c = context();
  const headers = {
    Host: "internal.example",
    "content-length": "5",
    "Transfer-Encoding": "chunked",
    Connection: "upgrade",
    upgrade: "h2c",
    "proxy-authorization": "x",
    Expect: "100-continue",
    "Idempotency-Key": "forged",
    "webhook-signature": "forged",
    "carillon-attempt": "99",
    "x-mine": "kept",
  };
  await httpTask(LOOPBACK, here).run({ url: t.named("target.example"), headers, body: "b" }, c);
  const [asked] = t.asked;
  expect(asked!.headers).toMatchObject({
    host: `target.example:${t.port}`,
    "content-length": "1",
    "idempotency-key": "task_0123456789abc",
    "carillon-attempt": "3",
    "x-mine": "kept",
  });
  for (const name of ["transfer-encoding", "upgrade", "proxy-authorization", "expect", "webhook-signature"])
    expect(asked!.headers).not.toHaveProperty(name);
  expect(c.lines.filter((line) => line.includes("left out"))).toHaveLength(10);
});

test("the payload's form is checked: scheme, credentials, method, header injection", async () => {
  const { schema } = httpTask([]);
  const wrong: unknown[] = [
    {},
    { url: "/relative" },
    { url: "file:///etc/passwd" },
    { url: "gopher://x/1" },
    { url: "ftp://x/" },
    { url: "data:text/plain,x" },
    { url: "unix:/var/run/docker.sock" },
    { url: "javascript:1" },
    { url: "http://user:pass@example.com/" },
    { url: "http://user@example.com/" },
    { url: "http://example.com/", method: "CONNECT" },
    { url: "http://example.com/", method: "post" },
    { url: "http://example.com/", headers: { "x-a": "1\r\nx-b: 2" } },
    { url: "http://example.com/", headers: { "x-a\r\nx-b": "1" } },
    { url: "http://example.com/", headers: { "x a": "1" } },
    { url: "http://example.com/", headers: { "x-a": "1\0" } },
    { url: "http://example.com/", headers: { host: "other" } },
    { url: "http://example.com/", headers: { "x-a": 1 } },
    { url: "http://example.com/", expect: ["ok"] },
    { url: "http://example.com/", expect: [] },
    { url: "http://example.com/", expect: [200] },
    { url: "http://example.com/", other: 1 },
  ];
  for (const payload of wrong) {
    const result = await schema!["~standard"].validate(payload);
    expect(result.issues, JSON.stringify(payload)).toBeDefined();
  }
  const right = await schema!["~standard"].validate({
    url: "https://example.com/?q=ä",
    headers: { "x-a": "ü" },
    expect: ["200", "3xx"],
  });
  expect(right.issues).toBeUndefined();
});

test("what carries commands over other ports than HTTP's is refused", async () => {
  for (const port of [22, 25, 445, 5432, 6000, 6379, 9200, 27017])
    expect(await failure({ url: `http://127.0.0.1:${port}/` })).toMatchObject({
      taskErrorCode: "address_not_allowed",
      retryable: false,
      message: `port ${port} is not called: other things than web servers listen there, and no setting allows it`,
    });
});

// -------------------------------------------------------------------------------------------------------------- addresses

test("a target that is not public is refused before anything is sent, and the message names the setting", async () => {
  const t = await target();
  for (const url of [
    t.url,
    t.named("localhost"),
    t.named("[::ffff:127.0.0.1]"),
    t.named("2130706433"),
    t.named("rebound.example"),
  ]) {
    const error = await failure({ url }, { allow: [] });
    expect(error, url).toMatchObject({
      taskErrorCode: "address_not_allowed",
      retryable: false,
      message: expect.stringContaining("CARILLON_HTTP_ALLOW"),
    });
    expect((error as Error).message).not.toContain("127.0.0.1 resolves");
  }
  expect(t.asked).toHaveLength(0);
});

test("the connection goes to the address that was checked, under the name that was asked for, and the name is resolved once", async () => {
  const t = await target();
  let asked = 0;
  const rebinding: Resolve = async () => [{ address: asked++ === 0 ? "127.0.0.1" : "127.0.0.66", family: 4 }];
  const result = await call({ url: t.named("rebind.example") }, { resolve: rebinding });
  expect(result.status).toBe(200);
  expect(asked).toBe(1);
  expect(t.asked[0]!.headers.host).toBe(`rebind.example:${t.port}`);
});

test("one bad answer of many refuses the name", async () => {
  const t = await target();
  const mixed: Resolve = async () => [
    { address: "127.0.0.1", family: 4 },
    { address: "10.0.0.1", family: 4 },
  ];
  expect(await failure({ url: t.named("mixed.example") }, { resolve: mixed })).toMatchObject({
    taskErrorCode: "address_not_allowed",
  });
  expect(t.asked).toHaveLength(0);
});

test("of several good addresses one that answers is found", async () => {
  const t = await target();
  const two: Resolve = async () => [
    { address: "::1", family: 6 },
    { address: "127.0.0.1", family: 4 },
  ];
  expect(await call({ url: t.named("two.example") }, { resolve: two, allow: ["127.0.0.0/8", "::1"] })).toMatchObject({
    status: 200,
  });
});

test("calls of a target one after another use one connection, until its name leads elsewhere", async () => {
  const { asked, named } = await target((response) => response.end(String(response.socket!.remotePort)));
  const answers = [{ address: "127.0.0.1", family: 4 as const }];
  const definition = httpTask(LOOPBACK, async () => [...answers]);
  const body = async () => {
    const { body } = (await definition.run({ url: named("hooks.example") }, context())) as HttpResult;
    // The connection is free once its answer has been taken.
    await new Promise(setImmediate);
    return body;
  };
  const first = await body();
  expect(await body()).toBe(first);
  expect(await body()).toBe(first);
  // Nobody listens there.
  answers[0] = { address: "127.0.0.2", family: 4 };
  await expect(body()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(asked).toHaveLength(3);
});

test("a proxy of the environment is not asked", async () => {
  const [t, proxy] = [await target(), await target()];
  process.env.HTTP_PROXY = proxy.url;
  process.env.http_proxy = proxy.url;
  onTestFinished(() => {
    delete process.env.HTTP_PROXY;
    delete process.env.http_proxy;
  });
  await call({ url: t.url });
  expect(proxy.asked).toHaveLength(0);
});

test("TLS is spoken to the name, and a certificate that nobody vouches for is refused", async () => {
  let sni: string | undefined;
  const rememberName = (name: string, done: (error: null) => void) => {
    sni = name;
    done(null);
  };
  const server = createTlsServer({ key: KEY, cert: CERTIFICATE, SNICallback: rememberName }, (_request, response) =>
    response.end("secret"),
  );
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  const error = await failure({ url: `https://secure.example:${(server.address() as AddressInfo).port}/` });
  expect(error).toMatchObject({ message: expect.stringMatching(/self-signed|certificate/) });
  expect(error).not.toHaveProperty("taskErrorCode");
  expect(sni).toBe("secure.example");
});

// ---------------------------------------------------------------------------------------------------------------- answers

test("redirects are not followed", async () => {
  const [t, inside] = [
    await target((response, { url }) => response.writeHead(Number(url.slice(1)), { location: inner }).end()),
    await target(),
  ];
  const inner = inside.url;
  for (const status of [301, 302, 303, 307, 308]) {
    expect(await failure({ url: `${t.url}/${status}` })).toMatchObject({
      taskErrorCode: "http_status",
      retryable: false,
      message: `the target answered ${status}; redirects are not followed`,
    });
  }
  expect(inside.asked).toHaveLength(0);
  expect(await call({ url: `${t.url}/302`, expect: ["3xx"] })).toMatchObject({
    status: 302,
    headers: { location: inner },
  });
});

test("statuses: what succeeds, what is tried again, and what has failed", async () => {
  const t = await target((response, { url }) => response.writeHead(Number(url.slice(1))).end("words"));
  for (const status of [200, 201, 204, 299])
    expect(await call({ url: `${t.url}/${status}` })).toMatchObject({ status });
  for (const status of [408, 425, 429, 500, 502, 503, 504, 599])
    expect(await failure({ url: `${t.url}/${status}` }), String(status)).toMatchObject({
      taskErrorCode: "http_status",
      retryable: true,
    });
  for (const status of [300, 304, 400, 401, 403, 404, 405, 409, 410, 422, 451])
    expect(await failure({ url: `${t.url}/${status}` }), String(status)).toMatchObject({
      taskErrorCode: "http_status",
      retryable: false,
    });
  expect(await failure({ url: `${t.url}/404` })).toMatchObject({ message: "the target answered 404: words" });
  expect(await call({ url: `${t.url}/404`, expect: ["2xx", "404"] })).toMatchObject({ status: 404 });
  expect(await call({ url: `${t.url}/503`, expect: ["503"] })).toMatchObject({ status: 503 });
  expect(await failure({ url: `${t.url}/200`, expect: ["204"] })).toMatchObject({ retryable: false });
});

test("Retry-After is obeyed up to an hour, as seconds or as a date beside the answer's own", async () => {
  let headers: Record<string, string> = {};
  let status = 429;
  const t = await target((response) => response.writeHead(status, headers).end());
  const date = "Sat, 21 Nov 2026 10:00:00 GMT";
  const cases: [Record<string, string>, number | null][] = [
    [{}, null],
    [{ "retry-after": "7" }, 7_000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after": "1e9" }, 3_600_000],
    [{ "retry-after": "3601" }, 3_600_000],
    [{ "retry-after": "0" }, null],
    [{ "retry-after": "-5" }, null],
    [{ "retry-after": "soon" }, null],
    [{ date, "retry-after": "Sat, 21 Nov 2026 10:01:30 GMT" }, 90_000],
    [{ date, "retry-after": "Sat, 21 Nov 2026 09:00:00 GMT" }, null],
    [{ date, "retry-after": "Sun, 22 Nov 2026 10:00:00 GMT" }, 3_600_000],
  ];
  for (const [given, expected] of cases) {
    headers = given;
    expect(await failure({ url: t.url }), JSON.stringify(given)).toMatchObject({
      retryable: true,
      retryAfterMs: expected,
    });
  }
  status = 404;
  headers = { "retry-after": "7" };
  expect(await failure({ url: t.url })).toMatchObject({ retryable: false, retryAfterMs: null });
});

test("an endless body is read to 64 KiB and then left", async () => {
  let gone = () => {};
  const left = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const t = await target((response) => {
    const write = () => {
      while (response.write("ä".repeat(8_192)));
    };
    response.on("drain", write);
    response.on("close", gone);
    write();
  });
  const result = await call({ url: t.url });
  expect(Buffer.byteLength(result.body)).toBe(65_536);
  await left;
});

test("a body that is no text becomes a result that can be kept", async () => {
  let bytes = Buffer.alloc(70_000, 1);
  const t = await target((response) => response.end(bytes));
  expect(Buffer.byteLength(JSON.stringify(await call({ url: t.url })))).toBeLessThanOrEqual(262_144);
  bytes = Buffer.alloc(70_000, 0xff);
  expect(Buffer.byteLength(JSON.stringify(await call({ url: t.url })))).toBeLessThanOrEqual(262_144);
  bytes = Buffer.from("a\0b");
  expect((await call({ url: t.url })).body).toBe("a\uFFFDb");
});

test("a target that never answers, or dribbles, ends with the task's signal", async () => {
  const hanging = await target(() => {});
  const dribbling = await target((response) => void response.write("x"));
  for (const { url, asked } of [hanging, dribbling]) {
    const stop = new AbortController();
    const reason = new Error("timed out");
    const running = failure({ url }, { signal: stop.signal });
    while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    stop.abort(reason);
    expect(await running).toBe(reason);
  }
});

test("a resolver that hangs ends with the task's signal, too", async () => {
  const stop = new AbortController();
  const reason = new Error("timed out");
  const running = failure(
    { url: "http://slow.example/" },
    { signal: stop.signal, resolve: () => new Promise(() => {}) },
  );
  stop.abort(reason);
  expect(await running).toBe(reason);
});

test("no answer at all is tried again", async () => {
  const t = await target((response) => response.socket!.resetAndDestroy());
  const closed = await target();
  for (const url of [t.url, "http://127.0.0.1:1/"]) {
    const error = (await failure({ url })) as { retryable?: boolean; taskErrorCode?: string };
    expect(error).toBeInstanceOf(Error);
    expect(error.retryable).toBeUndefined();
    expect(error.taskErrorCode).toBeUndefined();
  }
  expect(closed.asked).toHaveLength(0);
});

test("the log says what was called, without the query, which may hold secrets", async () => {
  const t = await target();
  const c = context();
  await httpTask(LOOPBACK, here).run({ url: `${t.url}/path?key=secret`, body: { password: "secret" } }, c);
  expect(c.lines).toEqual([`POST ${t.url}/path → 200`]);
});

/** Self-signed, for another name; good for a hundred years and for nothing. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgShICJ47F+qiQ+N2T
r3h0ULuDhTLofOv4oqcyKlH0E7KhRANCAARpo5yk3y0sLB1gGIffwZhiDV8MIx84
/KAVlz5NN3rmgYi2WL7oCJKTRn1HEzb8VWEAqghIqx1ZmXo0FYXXszsd
-----END PRIVATE KEY-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBhjCCAS2gAwIBAgIUStXCUcsVsyzzJZfuAvg0y1NT3egwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNb3RoZXIuZXhhbXBsZTAgFw0yNjExMjEwMjIwNDJaGA8yMTI2
MTAyODAyMjA0MlowGDEWMBQGA1UEAwwNb3RoZXIuZXhhbXBsZTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABGmjnKTfLSwsHWAYh9/BmGINXwwjHzj8oBWXPk03euaB
iLZYvugIkpNGfUcTNvxVYQCqCEirHVmZejQVhdezOx2jUzBRMB0GA1UdDgQWBBQK
6/L11ry55KruXoXSsgUXbsqocTAfBgNVHSMEGDAWgBQK6/L11ry55KruXoXSsgUX
bsqocTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIDcs03aBucNI
vlQU2NL9fBljh4EfHF0yb7Rcbaos4h4EAiB6aMg62UEY48Qt8TuI9goOFmA3cMY5
Y76Hflg8ikDWWA==
-----END CERTIFICATE-----`;
