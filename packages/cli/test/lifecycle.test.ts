import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { startEmbedded } from "@carillon/store";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fixtures, run, start, startDev, temporaryFolder } from "./process.ts";

const folder = temporaryFolder();
const elsewhere = temporaryFolder();
const squatter = createServer();

beforeAll(async () => {
  // That somebody else has the port already is as good.
  await new Promise<void>((resolve) => {
    squatter.once("listening", resolve).once("error", () => resolve());
    squatter.listen(7070, "127.0.0.1");
  });
});

afterAll(() => {
  squatter.close();
  folder.remove();
  elsewhere.remove();
});

test("carillon alone takes the next free port and says so, owns its folder, and drains at SIGTERM", {
  timeout: 90_000,
}, async () => {
  const node = start(["--data-dir", folder.path]);
  const ready = await node.line(/^carillon ready on /);
  expect(node.stdout[0]).toBe(ready);
  const [, url, port] = /^carillon ready on (http:\/\/127\.0\.0\.1:(\d+))$/.exec(ready)!;
  expect(Number(port)).toBeGreaterThan(7070);
  expect(await node.line(/port 7070 is taken/)).toBe(`port 7070 is taken, using ${port}`);
  expect(await node.line(/^ {2}data /)).toContain(folder.path);
  await node.line(/^ {2}survives /);

  const env = { CARILLON_URL: url! };
  const [second, explicit, server, task] = await Promise.all([
    run(["dev", "--port", "0", "--data-dir", folder.path]),
    run(["dev", "--port", port!, "--data-dir", elsewhere.path]),
    run(["server", "--port", port!, "--data-dir", elsewhere.path]),
    run(["tasks", "create", "sleep", '{"for":"1s"}', "--json"], { env }),
  ]);
  expect(second).toMatchObject({ code: 6, stdout: "" });
  expect(second.stderr).toContain(`${folder.path} is in use by process ${node.child.pid}`);
  expect(explicit).toMatchObject({ code: 1, stdout: "" });
  expect(explicit.stderr).toContain(`port ${port} on 127.0.0.1 is taken`);
  expect(server).toMatchObject({ code: 1, stdout: "" });
  expect(task.code).toBe(0);

  expect(await node.stop()).toBe(0);
  await node.line(/SIGTERM: draining/);

  const again = start(["dev", `${fixtures}/tasks.mjs`, "--port", "0", "--data-dir", folder.path, "--json-logs"]);
  const line = JSON.parse(await again.line(/"ready"/));
  expect(again.stdout[0]).toBe(JSON.stringify(line));
  expect(line).toMatchObject({ msg: "ready", url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
  const next = { CARILLON_URL: line.url };
  const [slept, greeted, long] = await Promise.all([
    run(["tasks", "get", JSON.parse(task.stdout).id, "--json"], { env: next }),
    run(["tasks", "create", "greet", '{"name":"dev"}', "--wait"], { env: next }),
    run(["tasks", "create", "sleep", '{"for":"1h"}', "--json"], { env: next }),
  ]);
  expect(JSON.parse(slept.stdout)).toMatchObject({ state: "succeeded", attempt: 1 });
  expect(greeted).toMatchObject({ code: 0, stdout: '{"text":"Hello, dev!"}\n' });
  expect(long.code).toBe(0);

  again.child.kill("SIGTERM");
  await again.line(/draining/);
  again.child.kill("SIGINT");
  expect(await again.ended).toBe(1);
});

test("a server in production without a database refuses to start", async () => {
  const refused = await run(["server", "--port", "0"], { env: { NODE_ENV: "production" } });
  expect(refused).toMatchObject({ code: 2, stdout: "" });
  expect(refused.stderr).toContain("CARILLON_DATABASE_URL");
});

test("a database that cannot be reached is said to be, with the reason and without the password", {
  timeout: 90_000,
}, async () => {
  const plain = createServer((socket) => socket.once("data", () => socket.end("N")));
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  const { port } = plain.address() as { port: number };
  const cases: [string, number, RegExp][] = [
    ["postgres://me:secret@127.0.0.1:1/x", 6, /does not answer: connect ECONNREFUSED 127\.0\.0\.1:1$/m],
    ["postgres://me:secret@no-such-host.invalid/x", 6, /does not answer: getaddrinfo \w+ no-such-host\.invalid$/m],
    [`postgres://me:secret@127.0.0.1:${port}/x?sslmode=require`, 6, /does not answer: .*does not support SSL/],
    ["postgres://me:secret/@127.0.0.1:1/x", 2, /CARILLON_DATABASE_URL.*percent-encoded/],
  ];
  for (const [url, code, words] of cases) {
    const env = { CARILLON_DATABASE_URL: url };
    for (const args of [["server", "--port", "0"], ["migrate"]]) {
      const refused = await run(args, { env });
      expect(refused, url).toMatchObject({ code, stdout: "", stderr: expect.stringMatching(words) });
      expect(refused.stderr).not.toMatch(/secret|\bat .*:\d+:\d+/);
    }
  }
  const foreign = await run(["server", "--port", "0"], { env: { DATABASE_URL: "postgres://me:secret/@h/x" } });
  expect(foreign).toMatchObject({ code: 2, stderr: expect.stringMatching(/DATABASE_URL: .*percent-encoded/) });
  plain.close();
});

test("migrations are shown, applied, and then there is nothing to do; two servers share that database", {
  timeout: 90_000,
}, async () => {
  const database = await startEmbedded({ dataDir: elsewhere.path });
  try {
    const env = { DATABASE_URL: database.connectionString };
    const missing = await run(["migrate", "--dry-run"], { env });
    expect(missing).toMatchObject({ code: 0, stdout: expect.stringMatching(/^0001_\w+\tmissing\n/) });
    const applied = await run(["migrate"], { env });
    expect(applied.stdout).toBe(missing.stdout.replaceAll("missing", "applied"));
    const [again, doctor, ...servers] = await Promise.all([
      run(["migrate"], { env }),
      run(["doctor"], { env }),
      ...[1, 2].map(async () => {
        const server = start(["server", "--port", "0", "--roles", "api,dispatcher,planner"], env);
        return { ...server, url: (await server.line(/^carillon ready on /)).replace("carillon ready on ", "") };
      }),
    ]);
    expect(again).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("nothing to do") });
    expect(doctor).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ok\tmigrations\tapplied$/m) });
    const [one, other] = servers.map(({ url }) => url);
    const created = await run(["--url", one!, "tasks", "create", "noop", "--delay", "100ms", "--json"]);
    const waited = await run(["--url", other!, "tasks", "wait", JSON.parse(created.stdout).id]);
    expect(waited).toMatchObject({ code: 0, stdout: "null\n" });
    expect(await Promise.all(servers.map((server) => server.stop()))).toEqual([0, 0]);
  } finally {
    await database.stop();
  }
  const gone = await run(["migrate", "--database-url", database.connectionString]);
  expect(gone).toMatchObject({ code: 6, stdout: "" });
});

test("a node whose own database is gone says so and ends", { timeout: 60_000 }, async () => {
  const node = await startDev(["--port", "0", "--data-dir", elsewhere.path]);
  const [pid] = readFileSync(`${elsewhere.path}/pg18/postmaster.pid`, "utf8").split("\n");
  process.kill(Number(pid), "SIGKILL");
  expect(await node.ended).toBe(6);
  await node.line(/^error: the embedded database ended/);
});
