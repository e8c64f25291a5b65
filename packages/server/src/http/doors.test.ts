import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { startApp, type TestApp } from "../../test/http/setup.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function started(options: Parameters<typeof startApp>[0] = {}): Promise<TestApp> {
  const t = await startApp(options);
  closing.push(() => t.close());
  return t;
}

/** The application behind a plain port that hands connections over, as a node's port does. */
async function behindPort(t: TestApp, host = "127.0.0.1"): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    t.app.server.emit("connection", socket);
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Sends bytes and reads until the other side closes, or until it has said this. */
function exchange(port: number, text: string, until?: RegExp, host = "127.0.0.1"): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, host, () => socket.write(text));
    socket.setEncoding("latin1").on("data", (data) => {
      const chunk = String(data);
      answer += chunk;
      if (until?.test(chunk)) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}

test("what is not HTTP, and headers without end, are answered with a problem and closed", async () => {
  const port = await behindPort(await started());
  const nonsense = await exchange(port, "HELO there\r\n\r\n");
  expect(nonsense).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
  expect(nonsense).toMatch(/content-type: application\/problem\+json/);
  expect(nonsense).toMatch(/"code":"invalid_request"/);
  expect(nonsense).toMatch(/content-security-policy: default-src 'none'/);
  const bomb = await exchange(port, `GET / HTTP/1.1\r\nHost: localhost\r\nX-Bomb: ${"x".repeat(100_000)}\r\n\r\n`);
  expect(bomb).toMatch(/^HTTP\/1.1 413 /);
  expect(bomb).toMatch(/"status":413,"code":"too_large"/);
  expect(bomb).toMatch(/x-request-id: (req_\w+)\r\n.*"requestId":"\1"/s);
  const smuggled = await exchange(
    port,
    "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  );
  expect(smuggled).toMatch(/^HTTP\/1.1 400 /);
});

test("a request without a host, or with an expectation that cannot be met, is refused with a problem", async () => {
  const port = await behindPort(await started());
  const homeless = await exchange(port, "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n");
  expect(homeless).toMatch(/^HTTP\/1.1 400 .*"errors":\[{"parameter":"Host","code":"required"/s);
  const head = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  const demanding = await exchange(port, `${head}Expect: miracles\r\n\r\n`);
  expect(demanding).toMatch(/^HTTP\/1.1 400 .*"errors":\[{"parameter":"Expect","code":"unsupported"/s);
  expect(await exchange(port, `${head}Expect: 100-continue\r\n\r\n`)).toMatch(/HTTP\/1.1 200 /);
});

test("a request with two Host headers is refused, whichever comes first", async () => {
  const port = await behindPort(await started());
  for (const hosts of [
    ["localhost", "evil.example"],
    ["evil.example", "localhost"],
    ["localhost", "localhost"],
  ]) {
    const head = hosts.map((host, i) => `${i ? "host" : "Host"}: ${host}\r\n`).join("");
    const answer = await exchange(port, `GET /livez HTTP/1.1\r\n${head}Connection: close\r\n\r\n`);
    expect(answer, hosts.join()).toMatch(/^HTTP\/1.1 400 /);
  }
});

test.runIf(process.platform === "linux")("a node on another loopback address answers to that one", async () => {
  const t = await started();
  const port = await behindPort(t, "127.0.0.2");
  const status = async (host: string) => {
    const request = `GET /api/v1/tasks HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    return (await exchange(port, request, undefined, "127.0.0.2")).split(" ")[1];
  };
  expect(await status(`127.0.0.2:${port}`)).toBe("200");
  expect(await status(`localhost:${port}`)).toBe("200");
  expect(await status(`127.0.0.3:${port}`)).toBe("403");
  expect(await status("evil.example")).toBe("403");
});

test("a connection is told to close after a thousand requests", async () => {
  const t = await started();
  const port = await behindPort(t);
  expect(t.app.server.maxRequestsPerSocket).toBe(1_000);
  expect(t.app.server.headersTimeout).toBe(10_000);
  expect(t.app.server.requestTimeout).toBe(30_000);
  const request = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const answers = await exchange(port, request.repeat(1_000), /connection: close/i);
  expect(answers.match(/HTTP\/1.1 200 OK/g)).toHaveLength(1_000);
  expect(answers).toMatch(/connection: close/i);
});

test("a request whose headers do not end is given up", async () => {
  const t = await started();
  t.app.server.headersTimeout = 50;
  const port = await behindPort(t);
  const answer = await exchange(port, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
  expect(answer).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
});

test("a chunked body is cut where it is too large", async () => {
  const port = await behindPort(await started());
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
  const head =
    "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
  const answer = await exchange(port, head + chunk.repeat(20));
  expect(answer).toMatch(/^HTTP\/1.1 413 /);
  expect(answer).toMatch(/"code":"too_large"/);
});

test("a reader of events that never reads is cut, and nothing piles up for it", async () => {
  const t = await started();
  const port = await behindPort(t);
  const socket = connect(port, "127.0.0.1");
  const served = new Promise<Socket>((resolve) => t.app.server.once("connection", resolve));
  socket.write("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const cut = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.once("readable", resolve));
  const far = await served;
  const gone = new Promise<void>((resolve) => far.once("close", () => resolve()));
  let most = 0;
  for (let round = 0; round < 2_000 && !far.destroyed; round++) {
    for (let n = 0; n < 400; n++) t.deps.feed.scheduleChanged(`s${n}`.padEnd(100, "x"), "default", "active");
    t.clock.advance(250);
    most = Math.max(most, far.writableLength);
    await new Promise(setImmediate);
  }
  await gone;
  expect(most).toBeLessThan(1024 * 1024);
  socket.destroy();
  await cut;
});

test("every answer carries the security headers and a request id", async () => {
  const t = await started();
  for (const url of ["/livez", "/docs", "/openapi.json", "/api/v1/tasks", "/nowhere", "/api/v1/tasks/x", "/%zz"]) {
    const { headers } = await t.call("GET", url);
    expect(headers["content-security-policy"], url).toContain("default-src 'none'");
    expect(headers["content-security-policy"], url).not.toContain("unsafe");
    expect(headers["x-frame-options"], url).toBe("DENY");
    expect(headers["referrer-policy"], url).toBe("no-referrer");
    expect(headers["x-request-id"], url).toMatch(/^req_\w+$/);
  }
});

test("loopback names are answered on any port, and pages of the same origin", async () => {
  const t = await started();
  for (const host of ["localhost", "localhost:7070", "127.0.0.1:7070", "[::1]:7070", "LOCALHOST:1"]) {
    expect((await t.call("GET", "/livez", undefined, { host })).status, host).toBe(200);
  }
  const own = { host: "127.0.0.1:7070", origin: "http://127.0.0.1:7070" };
  expect((await t.call("POST", "/api/v1/tasks", { type: "a" }, own)).status).toBe(202);
});

test("an error of ours is logged whole and told as nothing but its request id", async () => {
  const t = await started();
  t.deps.types.of = async () => {
    throw new Error("password=hunter2 at db.internal");
  };
  const answer = await t.call("POST", "/api/v1/tasks", { type: "a" });
  expect(answer.status).toBe(500);
  expect(answer.body).toMatchObject({ code: "internal", retryable: false, errors: [] });
  expect(answer.text).not.toMatch(/hunter2|internal:|\.ts/);
  expect(t.errors).toEqual([
    expect.objectContaining({
      requestId: answer.body.requestId,
      err: expect.objectContaining({
        message: "password=hunter2 at db.internal",
        stack: expect.stringContaining("Error"),
      }),
    }),
  ]);
});

test("health says what holds, and metrics are text", async () => {
  const checks = [{ name: "database", ok: true, detail: null as string | null }];
  const t = await started({ readiness: async () => checks });
  expect((await t.call("GET", "/livez")).body).toEqual({ status: "ok" });
  expect((await t.call("GET", "/readyz")).body).toEqual({ status: "ready" });
  checks[0] = { name: "database", ok: false, detail: "no answer" };
  const away = await t.call("GET", "/readyz?verbose");
  expect(away.status).toBe(503);
  expect(away.headers["retry-after"]).toBe("1");
  expect(away.body).toEqual({ status: "unavailable", checks });
  const metrics = await t.call("GET", "/metrics");
  expect(metrics.headers["content-type"]).toMatch(/^text\/plain/);
  expect(metrics.text).toBe("carillon_build_info 1\n");
  expect((await t.call("HEAD", "/livez")).status).toBe(200);
});

test("the dashboard's page answers at its addresses, its assets are kept for ever, and nothing else is read from disk", async () => {
  const folder = mkdtempSync(join(tmpdir(), "carillon-dashboard-"));
  closing.push(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>Carillon</title>");
  writeFileSync(join(folder, "assets", "main-3f9a.js"), "export {};");
  const t = await started({ dashboard: folder });
  for (const url of ["/", "/tasks", "/tasks/task_0000000000001", "/schedules/nightly/edit"]) {
    const answer = await t.call("GET", url);
    expect(answer.text, url).toContain("<title>Carillon</title>");
    expect(answer.headers["cache-control"], url).toBe("no-cache");
    expect(answer.headers["content-type"], url).toMatch(/^text\/html/);
  }
  const asset = await t.call("GET", "/assets/main-3f9a.js");
  expect(asset.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
  expect(asset.headers["content-type"]).toMatch(/javascript/);
  for (const url of [
    "/assets/none.js",
    "/assets/../../etc/passwd",
    "/%2e%2e/package.json",
    "/settings",
    "/api/v1/none",
  ]) {
    const answer = await t.call("GET", url);
    expect([answer.status, answer.body.code], url).toEqual([404, "not_found"]);
  }
});

test("without a dashboard the root leads to the reference", async () => {
  const t = await started({ dashboard: join(tmpdir(), "carillon-no-such-folder") });
  const answer = await t.call("GET", "/");
  expect([answer.status, answer.headers.location]).toEqual([302, "/docs"]);
});
