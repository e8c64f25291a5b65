import { join } from "node:path";
import { Carillon } from "@carillon/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fixtures, type Output, type Running, run as runProcess, start, startDev, temporaryFolder } from "./process.ts";
import { restPage } from "./reference.ts";

const folder = temporaryFolder();
const ran = "ran-on-the-worker";
let node: Running & { url: string };
let worker: Running;
let env: Record<string, string>;

beforeAll(async () => {
  node = await startDev(["--port", "0", "--data-dir", folder.path]);
  env = { CARILLON_URL: node.url, TZ: "Europe/Paris" };
  worker = start(["worker", `${fixtures}/tasks.mjs`, "--name", ran, "--allow-command", "/bin/sh"], env);
  await worker.line(/^connected$/);
}, 60_000);

afterAll(async () => {
  await worker?.stop();
  await node?.stop();
  folder.remove();
}, 60_000);

const run = (args: string[], input = ""): Promise<Output> => runProcess(args, { env, input });

// biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect in it
type Printed = Record<string, any>;

async function json(args: string[], input = ""): Promise<Printed[]> {
  const { code, stdout, stderr } = await run([...args, "--json"], input);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

async function one(args: string[], input = ""): Promise<Printed> {
  const [object] = await json(args, input);
  return object!;
}

test("a task is created, waited for, shown, and its log lines printed", async () => {
  const created = await run(["tasks", "create", "greet", '{"name":"Ada"}', "--tag", "first", "--tag", "x", "--wait"]);
  expect(created).toMatchObject({ code: 0, stdout: '{"text":"Hello, Ada!"}\n' });
  const [, id] = /^(task_\w+) created, waiting/.exec(created.stderr)!;

  const [shown, plain, logs, waited] = await Promise.all([
    one(["tasks", "get", id!]),
    run(["tasks", "get", id!]),
    run(["tasks", "logs", id!, "--follow", "--level", "info", "--q", "ada"]),
    one(["tasks", "wait", id!]),
  ]);
  expect(await run(["tasks", "logs", id!, "--level", "warn"])).toMatchObject({ code: 0, stdout: "" });
  const found = await json(["tasks", "search-logs", "greeting ada", "--tag", "first"]);
  expect(found).toMatchObject([{ task: { id, type: "greet" }, message: "greeting Ada" }]);
  expect(shown).toMatchObject({
    id,
    type: "greet",
    queue: "voices",
    state: "succeeded",
    tags: ["first", "x"],
    worker: ran,
  });
  expect(plain.stdout).toContain(`id\t${id}\n`);
  expect(plain.stdout).toContain('result\t{"text":"Hello, Ada!"}\n');
  expect(logs.stdout).toMatch(/^\d{4}-\S+Z {2}info {3}greeting Ada\n$/);
  expect(waited).toMatchObject({ id, state: "succeeded" });
});

test("a task goes to the worker that it requires, and a broadcast to every one, with a result each", async () => {
  const sent = await run(["tasks", "create", "greet", '{"name":"Ada"}', "--requires", `worker=${ran}`, "--wait"]);
  expect(sent).toMatchObject({ code: 0, stdout: '{"text":"Hello, Ada!"}\n' });
  const workers = await json(["workers", "ls"]);
  expect(workers.map(({ name }) => name)).toContain(ran);
  const [ended, ...others] = await json(["tasks", "broadcast", "greet", '{"name":"Eve"}', "--tag", "all", "--wait"]);
  expect(others).toEqual([]);
  expect(ended).toMatchObject({
    requiredWorker: ran,
    state: "succeeded",
    requires: { worker: ran },
    result: { text: "Hello, Eve!" },
  });
  expect(await run(["tasks", "broadcast", "greet", "--requires", "region=mars"])).toMatchObject({
    code: 0,
    stdout: "",
  });
});

test("a worker hands tasks of one type to one call, each with its own result, and their log is searched", async () => {
  const { tasks } = new Carillon({ url: node.url });
  const retry = { maxAttempts: 1 };
  const sent = ["good", "bad", "good"].map((payload) => ({ payload, retry, tags: ["three"] }));
  const made = await tasks.createMany("together", sent);
  const ended = await Promise.all(made.map(({ id }) => tasks.wait(id, { timeout: "30s" })));
  expect(ended).toMatchObject([
    { state: "succeeded", result: { of: 3 } },
    { state: "failed", error: { message: "no" } },
    { state: "succeeded", result: { of: 3 } },
  ]);
  const found = await json(["tasks", "search-logs", "of three", "--level", "warn", "--tag", "three", "--limit", "2"]);
  expect(found.map(({ message }) => message)).toEqual(["one of three", "one of three"]);
});

test("a payload comes from standard input, and a delay is kept", async () => {
  const task = await one(["tasks", "create", "greet", "-", "--delay", "10m", "--priority", "2"], '{"name":"Bob"}');
  expect(task).toMatchObject({ state: "scheduled", payload: { name: "Bob" }, priority: 2 });
  const set = await one(["tasks", "set", task.id, "--priority", "9", "--payload", '{"name":"Eve"}']);
  expect(set).toMatchObject({ priority: 9, payload: { name: "Eve" } });
  expect(await run(["tasks", "run-now", task.id])).toMatchObject({ code: 0 });
  const replayed = await one(["tasks", "replay", task.id, "--payload", '{"name":"Zoe"}']);
  expect(replayed).toMatchObject({ replayOf: task.id, type: "greet", payload: { name: "Zoe" }, priority: 9 });
  expect(await run(["tasks", "wait", task.id])).toMatchObject({ code: 0, stdout: '{"text":"Hello, Eve!"}\n' });
});

test("a task that fails: exit code 1, its error without its control characters; retry runs it again", async () => {
  const failed = await run(["tasks", "create", "refuse", "--wait"]);
  expect(failed).toMatchObject({ code: 1, stdout: "" });
  expect(failed.stderr).toContain("failed: not today \\u001b[31m");
  const [task] = await json(["tasks", "ls", "--type", "refuse", "--state", "failed,skipped", "--limit", "1"]);
  expect(await run(["tasks", "retry", task!.id])).toMatchObject({ code: 0 });
  const again = await run(["tasks", "wait", task!.id, "--json"]);
  expect(again.code).toBe(1);
  expect(JSON.parse(again.stdout)).toMatchObject({ state: "failed", attempt: 2 });
});

test("a wait that runs out is exit code 7; a cancelled task is exit code 1 with its reason", async () => {
  const { id } = await one(["tasks", "create", "nobody-runs-this"]);
  expect(await run(["tasks", "wait", id, "--timeout", "1ms"])).toMatchObject({ code: 7, stdout: "" });
  expect(await run(["tasks", "cancel", id, "--reason", "changed my mind"])).toMatchObject({
    code: 0,
    stdout: `id\t${id}\nstate\tcancelled\n`,
  });
  const waited = await run(["tasks", "wait", id]);
  expect(waited.code).toBe(1);
  expect(waited.stderr).toContain("cancelled: changed my mind");
  expect((await run(["tasks", "set", id, "--priority", "1"])).code).toBe(4);
});

test("log lines are followed while the task runs, until it is cancelled", async () => {
  const { id } = await one(["tasks", "create", "linger"]);
  const logs = start(["tasks", "logs", id, "--follow"], env);
  await logs.line(/lingering$/);
  const cancel = await run(["tasks", "cancel", id]);
  expect(cancel.code).toBe(0);
  expect(await logs.ended).toBe(0);
  expect(await one(["tasks", "get", id])).toMatchObject({ state: "cancelled" });
});

test("two tasks with one unique key are one", async () => {
  const args = ["tasks", "create", "nobody-runs-this", "--unique-key", "only", "--delay", "1h"];
  const first = await run(args);
  const second = await run(args);
  expect(first.stdout).toContain("created\ttrue");
  expect(second.stdout).toBe(first.stdout.replace("true", "false"));
});

test("a workflow runs on a worker in its order, and a task after others is given what they came to", async () => {
  const graph = {
    name: "greetings",
    tasks: [
      { key: "all", type: "gather", after: ["ada", "bob"] },
      { key: "ada", type: "greet", queue: "voices", payload: { name: "Ada" } },
      { key: "bob", type: "greet", queue: "voices", payload: { name: "Bob" } },
    ],
  };
  const workflow = await one(["workflows", "create", "-", "--wait"], JSON.stringify(graph));
  expect(workflow).toMatchObject({ name: "greetings", state: "succeeded", counts: { total: 3, succeeded: 3 } });
  const { id: last } = workflow.tasks.find(({ key }: Printed) => key === "all");
  const { result } = await one(["tasks", "get", last]);
  expect(result).toEqual({ ada: { text: "Hello, Ada!" }, bob: { text: "Hello, Bob!" } });
  const after = await run(["tasks", "create", "gather", "--after", last, "--when", "all-done", "--wait"]);
  expect(JSON.parse(after.stdout)).toEqual({ [last]: result });

  expect((await run(["workflows", "ls"])).stdout).toContain(`${workflow.id}\tgreetings\tsucceeded\t3/3\t0\t`);
  const shown = await run(["workflows", "get", workflow.id]);
  expect(shown.stdout).toContain(`all\t${last}\tgather\tsucceeded\tada,bob\tall\t`);
  expect((await run(["tasks", "ls", "--workflow", workflow.id])).stdout.split("\n")).toHaveLength(4);
  expect((await run(["workflows", "cancel", workflow.id])).code).toBe(4);
  expect((await run(["workflows", "retry", workflow.id, "--from", "nobody"])).code).toBe(2);
  expect((await run(["workflows", "get", "wf_0000000000000"])).code).toBe(3);
  expect((await run(["workflows", "create", "{}"])).code).toBe(2);

  const failing = {
    name: "refused",
    tasks: [
      { key: "no", type: "refuse" },
      { key: "then", type: "greet", after: ["no"] },
    ],
  };
  const failed = await run(["workflows", "create", JSON.stringify(failing), "--wait"]);
  expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining("then\t") });
  expect(failed.stdout).toMatch(/skipped\tno\tall\tparents/);
  const [, failedId] = /^(wf_\w+) created, waiting/.exec(failed.stderr)!;
  expect(await one(["workflows", "retry", failedId!])).toMatchObject({ state: "running", counts: { open: 2 } });
});

test("tasks are added to a workflow that runs, once, and what comes after their parent waits for them", async () => {
  const graph = {
    name: "growing",
    tasks: [
      { key: "open", type: "nobody-runs-this" },
      { key: "all", type: "gather", after: ["open"] },
    ],
  };
  const { id } = await one(["workflows", "create", JSON.stringify(graph)]);
  const tasks = [{ key: "ada", type: "greet", queue: "voices", payload: { name: "Ada" } }];
  const add = ["workflows", "add", id, "-", "--parent", "open"];
  expect(await one(add, JSON.stringify(tasks))).toMatchObject({ id, counts: { total: 3 } });
  expect(await one(add, JSON.stringify({ tasks }))).toMatchObject({ id, counts: { total: 3 } });
  expect((await run(["workflows", "get", id])).stdout).toMatch(/^all\t\w+\tgather\tblocked\topen,ada\tall\t/m);
  expect((await run(["workflows", "add", id, "{}"])).code).toBe(2);
  expect((await run(["workflows", "add", id, JSON.stringify(tasks), "--parent", "nobody"])).code).toBe(0);
  const more = JSON.stringify([{ key: "bob", type: "greet" }]);
  expect((await run(["workflows", "add", id, more, "--parent", "nobody"])).code).toBe(2);
  expect((await run(["workflows", "cancel", id])).code).toBe(0);
  expect((await run(["workflows", "add", id, more])).code).toBe(4);
});

test("a backfill runs the past fires that have no task, and is over when it says so", async () => {
  const put = ["schedules", "put", "hourly", "--cron", "0 * * * *", "--type", "greet", "--payload", '{"name":"Ada"}'];
  expect((await run(put)).code).toBe(0);
  const range = ["--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T03:00:00Z"];
  const operation = await one(["schedules", "backfill", "hourly", ...range, "--wait"]);
  expect(operation).toMatchObject({ kind: "backfill", schedule: "hourly", state: "done", matched: 3, done: 3 });
  const fires = await json(["schedules", "fires", "hourly", ...range]);
  expect(fires.map(({ outcome, backfilled }) => [outcome, backfilled])).toEqual(Array(3).fill(["task", true]));
  expect((await run(["operations", "ls"])).stdout).toContain(`${operation.id}\tbackfill\thourly\tdone\t3/3\t`);
  expect(await one(["operations", "get", operation.id])).toEqual(operation);
  expect((await run(["operations", "cancel", operation.id])).code).toBe(4);
  expect((await run(["operations", "get", "op_0000000000000"])).code).toBe(3);
  expect((await run(["schedules", "backfill", "hourly", "--from", "2026-01-01T00:00:00Z"])).code).toBe(2);
  expect((await run(["schedules", "rm", "hourly"])).code).toBe(0);
});

test("what tasks fail of is listed, and a group of it is retried", async () => {
  await Promise.all(
    [1, 2].map((n) => run(["tasks", "create", "refuse", JSON.stringify({ n }), "--tag", "refused", "--wait"])),
  );
  const groups = await json(["tasks", "failures", "--tag", "refused"]);
  expect(groups).toMatchObject([{ type: "refuse", count: 2, fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/) }]);
  const retry = ["tasks", "bulk", "retry", "--fingerprint", groups[0]!.fingerprint, "--tag", "refused"];
  expect((await run([...retry, "--dry-run"])).stdout).toMatch(/^matched\s+2$/m);
  expect(await one([...retry, "--wait"])).toMatchObject({ state: "done", matched: 2, done: 2 });
});

test("all tasks that match a filter are counted, then changed; without a filter it has to be said", async () => {
  for (let n = 0; n < 3; n++) await one(["tasks", "create", "nobody-runs-it", "--delay", "1h", "--tag", "many"]);
  const [counted, unsaid, without] = await Promise.all([
    run(["tasks", "bulk", "cancel", "--tag", "many", "--dry-run"]),
    run(["tasks", "bulk", "cancel"]),
    run(["tasks", "bulk", "set", "--tag", "many"]),
  ]);
  expect(counted).toMatchObject({ code: 0, stdout: expect.stringMatching(/^matched\s+3$/m) });
  expect(unsaid).toMatchObject({ code: 2, stderr: expect.stringContaining("--all") });
  expect(without).toMatchObject({ code: 2, stderr: expect.stringContaining("--priority") });
  const raised = await one(["tasks", "bulk", "set", "--priority", "2", "--tag", "many", "--wait"]);
  expect(raised).toMatchObject({ kind: "bulk", action: "priority", state: "done", matched: 3, done: 3 });
  await one(["tasks", "bulk", "cancel", "--tag", "many", "--reason", "enough", "--wait"]);
  const tasks = await json(["tasks", "ls", "--tag", "many"]);
  expect((await run(["tasks", "explain", tasks[0]!.id])).stdout).toBe("The task was cancelled (enough).\n");
  expect(tasks.map(({ state, priority, reason }) => [state, priority, reason])).toEqual(
    Array(3).fill(["cancelled", 2, "enough"]),
  );
  expect((await run(["operations", "ls"])).stdout).toMatch(/^op_\w+\tbulk\tcancel\tdone\t3\/3\t/m);
});

test("a schedule is put, listed, paused, resumed, triggered, and its fires shown", async () => {
  const put = ["schedules", "put", "weekly", "--cron", "0 9 * * 1", "--tz", "Europe/Paris", "--type", "greet"];
  expect(await one([...put, "--payload", '{"name":"all"}'])).toMatchObject({
    version: 1,
    words: "At 09:00, on Monday",
    nextFireAt: expect.stringMatching(/T0[78]:00:00.000Z$/),
  });
  expect(await one([...put, "--payload", '{"name":"all"}'])).toMatchObject({ version: 1 });
  expect((await run(["schedules", "ls"])).stdout).toContain("weekly\tAt 09:00, on Monday\tEurope/Paris\tgreet\t");
  const pause = ["schedules", "pause", "weekly", "--reason", "holidays", "--until", "2099-01-07T00:00[Europe/Paris]"];
  expect((await run(pause)).stdout).toContain("paused\ttrue\nreason\tholidays\nuntil\t2099-01-06T23:00:00.000Z");
  const triggered = await one(["schedules", "trigger", "weekly"]);
  expect((await run(["schedules", "resume", "weekly"])).stdout).toContain("paused\tfalse");
  const [fires, waited, schedule] = await Promise.all([
    json(["schedules", "fires", "weekly"]),
    run(["tasks", "wait", triggered.id]),
    one(["schedules", "get", "weekly"]),
  ]);
  expect(fires).toHaveLength(10);
  expect(fires[0]).toMatchObject({ outcome: "expected" });
  expect(waited.stdout).toBe('{"text":"Hello, all!"}\n');
  expect(schedule).toMatchObject({ name: "weekly", timeZone: "Europe/Paris" });
  expect(await run(["schedules", "rm", "weekly"])).toMatchObject({ code: 0, stdout: "" });
  expect((await run(["schedules", "rm", "weekly"])).code).toBe(3);
});

test("a schedule's figures are shown to people and to programs", async () => {
  await run(["schedules", "put", "monthly", "--cron", "0 9 1 * *", "--type", "greet"]);
  const [shown, told, refused] = await Promise.all([
    run(["schedules", "stats", "monthly"]),
    one(["schedules", "stats", "monthly", "--window", "1h"]),
    run(["schedules", "stats", "monthly", "--window", "1s"]),
  ]);
  expect(shown.stdout).toMatch(/^window\t24h\nfrom\t/);
  expect(told).toMatchObject({ window: "1h", fires: 0, successRate: null, lateness: { maxMs: null } });
  expect(refused).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("window") });
});

test("rules are previewed the same by the API, by the client, and without a node", async () => {
  const expressions = ["H 2 13 * FRI", "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=2;BYMINUTE=30", "36h"] as const;
  const [cron, rrule, every] = expressions;
  const rule = { rules: [{ cron }, { rrule }, { every }], timeZone: "Europe/Paris", name: "nightly", count: 3 };
  const flags = ["--tz", "Europe/Paris", "--name", "nightly", "--count", "3"];
  const explained = await one(["cron", "explain", ...expressions, ...flags]);
  const response = await fetch(`${node.url}/api/v1/schedules:preview`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(rule),
  });
  expect(await response.json()).toEqual(explained);
  expect(await new Carillon({ url: node.url }).schedules.preview(rule)).toEqual(explained);
  expect(explained.words).toMatch(
    /^At 02:\d\d, on day 13 of the month or on Friday \(H: spread by name\); and every month/,
  );
  expect(explained.warnings.map(({ code }: { code: string }) => code)).toContain("or_rule");
  expect(explained.clockChanges).toHaveLength(2);
  const [byName, byRule] = await Promise.all([
    one(["schedules", "preview", "--cron", "H 2 * * *", "--name", "nightly"]),
    one(["schedules", "preview", "--cron", "H 2 * * *"]),
  ]);
  expect(byName.fires).not.toEqual(byRule.fires);
});

test("a schedule explains its next fire, or what became of an instant", async () => {
  await run(["schedules", "put", "yearly", "--cron", "0 9 1 1 *", "--tz", "Europe/Paris", "--type", "greet"]);
  const [next, told, refused] = await Promise.all([
    run(["schedules", "explain", "yearly"]),
    one(["schedules", "explain", "yearly", "--at", "2020-01-01T12:00[Europe/Paris]"]),
    run(["schedules", "explain", "yearly", "--at", "noon"]),
  ]);
  expect(next).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^The fire of \d{4}-01-01T09:00:00\S+ is expected/),
  });
  expect(told.summary).toMatch(/^It does not fire at 2020-01-01T12:00:00\+01:00\[Europe\/Paris\]; the fire before is /);
  expect(told.reasons.map(({ code }: Printed) => code)).toEqual(["no_fire", "previous_fire", "next_fire"]);
  expect(refused).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("at") });
  expect((await run(["schedules", "explain", "nothing"])).code).toBe(3);
});

test("a preview asks the node and creates nothing", async () => {
  const preview = await run(["schedules", "preview", "--cron", "30 2 * * *", "--tz", "Europe/Paris", "--count", "2"]);
  expect(preview.stdout).toMatch(/^At 02:30\n( {2}\d{4}-\d\d-\d\dT02:30:00\+0[12]:00\[Europe\/Paris\]\n){2}$/);
  expect(preview.stderr).toContain("there is no 02:30");
  expect(await json(["schedules", "preview", "--every", "5m"])).toMatchObject([{ words: "Every 5 minutes" }]);
});

test("a queue is limited, listed, paused and resumed; what waits in it says so", async () => {
  const set = ["queues", "set", "letters", "--concurrency", "2", "--rate-limit", "100/1m:20", "--max-backlog", "50"];
  expect(await one(set)).toMatchObject({
    name: "letters",
    version: 1,
    concurrency: 2,
    rateLimit: { limit: 100, per: "1m", burst: 20 },
    maxBacklog: 50,
  });
  expect(
    await one([
      "queues",
      "set",
      "letters",
      "--rate-limit",
      "none",
      "--breaker",
      "3/10s",
      "--concurrency-per-type",
      "noop=1",
    ]),
  ).toMatchObject({
    version: 2,
    concurrency: 2,
    rateLimit: null,
    concurrencyPerType: { noop: 1 },
    breaker: { failures: 3, openFor: "10s", adaptive: false },
  });
  const weighed = ["queues", "set", "letters", "--fair-weight", "ada=3", "--fair-weight", "b=b=2"];
  expect((await one(weighed)).fairWeights).toEqual({ ada: 3, "b=b": 2 });
  expect((await one(["queues", "set", "letters", "--fair-weight", "ada=none"])).fairWeights).toEqual({ "b=b": 2 });
  expect((await one(["queues", "set", "letters", "--fair-weight", "none"])).fairWeights).toEqual({});
  expect((await run(["queues", "set", "letters", "--fair-weight", "ada"])).code).toBe(2);
  const paused = await run(["queues", "pause", "letters", "--reason", "no stamps"]);
  expect(paused.stdout).toBe("name\tletters\npaused\ttrue\nreason\tno stamps\n");
  const task = await one([
    "tasks",
    "create",
    "noop",
    "--queue",
    "letters",
    "--concurrency-key",
    "ada",
    "--fair-key",
    "bob",
  ]);
  expect(task).toMatchObject({ concurrencyKey: "ada", fairKey: "bob" });
  const [listed, explained] = await Promise.all([run(["queues", "ls"]), run(["tasks", "explain", task.id])]);
  expect(listed.stdout).toContain("letters\tpaused\t2\t\tnoop=1\t\t\t50\t3/10s\n");
  expect(explained.stdout).toMatch(/its queue letters is paused since \S+ \(no stamps\), and starts nothing/);
  expect((await run(["queues", "resume", "letters"])).stdout).toBe("name\tletters\npaused\tfalse\n");
});

test("what changes is printed as it happens", async () => {
  const feed = start(["events", "--follow", "--topics", "tasks", "--json"], env);
  await feed.line(/"reset"/);
  const { id } = await one(["tasks", "create", "noop"]);
  expect(JSON.parse(await feed.line(new RegExp(id)))).toMatchObject({ kind: "change", topic: "tasks", id });
  expect(await feed.stop()).toBe("SIGTERM");
});

test("an imported crontab entry runs on a worker that allows its shell, and importing again changes nothing", async () => {
  const crontab = [
    "GREETING=hello",
    '0 3 * * * echo "$GREETING from cron"; echo oops >&2',
    "@reboot echo never",
    "",
  ].join("\n");
  const first = await run(["import", "crontab", "-", "--name", "mine"], crontab);
  expect(first.code).toBe(0);
  expect(first.stdout).toContain("At 03:00 (Europe/Paris)");
  expect(first.stdout).toMatch(/line 3: @reboot {2}echo never\n {2}not created: .*@reboot/);
  expect(first.stderr).toContain("carillon worker --allow-command /bin/sh");
  const [, name] = /^(mine\.echo-\w{8}): version 1$/m.exec(first.stderr)!;
  const before = await one(["schedules", "get", name!]);
  expect(before).toMatchObject({ dialect: "vixie", catchUp: { policy: "skip" }, timeZone: "Europe/Paris", version: 1 });

  const second = await run(["import", "crontab", "-", "--name", "mine"], crontab);
  expect(second).toMatchObject({ code: 0, stdout: first.stdout });
  expect(await one(["schedules", "get", name!])).toEqual(before);

  const { id } = await one(["schedules", "trigger", name!]);
  const ended = await run(["tasks", "wait", id]);
  expect(JSON.parse(ended.stdout)).toMatchObject({ exitCode: 0, stdout: "hello from cron\n", stderr: "oops\n" });
  const logs = await json(["tasks", "logs", id]);
  expect(logs.map(({ message }) => message)).toEqual(expect.arrayContaining(["hello from cron", "oops"]));
});

test("what a node refuses is exit code 2 and names the field; wrong usage too, with a suggestion", async () => {
  const cases: [string[], string][] = [
    [["taks"], "Did you mean tasks?"],
    [["tasks"], "Usage: carillon tasks"],
    [["tasks", "create", "no such type"], "/type"],
    [["schedules", "put", "x", "--type", "greet", "--cron", "61 * * * *"], "/cron"],
    [["worker", "--allow-command", "sh"], "give the absolute path"],
    [["migrate"], "which database?"],
  ];
  await Promise.all(
    cases.map(async ([args, words]) => {
      const { code, stdout, stderr } = await run(args);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: "" });
      expect(stderr).toContain(words);
    }),
  );
});

test("what is not there is exit code 3, and a node that does not answer exit code 6", async () => {
  const [task, schedule, unreachable, unseen] = await Promise.all([
    run(["tasks", "get", "task_0000000000000"]),
    run(["schedules", "trigger", "nothing"]),
    run(["--url", "http://127.0.0.1:1", "tasks", "ls"]),
    run(["--url", "http://127.0.0.1:1", "events", "--follow"]),
  ]);
  expect(task).toMatchObject({ code: 3, stdout: "", stderr: "error: There is no task task_0000000000000.\n" });
  expect(schedule).toMatchObject({ code: 3, stdout: "", stderr: "error: There is no schedule nothing.\n" });
  for (const failed of [unreachable, unseen])
    expect(failed).toMatchObject({ code: 6, stdout: "", stderr: "error: no answer from http://127.0.0.1:1\n" });
});

test("the reference of the REST API is what the node says about itself", async () => {
  const document = await fetch(`${node.url}/openapi.json`);
  const path = join(import.meta.dirname, "../../../docs/reference/rest.md");
  await expect(restPage((await document.json()) as Parameters<typeof restPage>[0])).toMatchFileSnapshot(path);
});

test("help and version answer on stdout with exit code 0", async () => {
  const [help, sub, version] = await Promise.all([
    run(["--help"]),
    run(["tasks", "create", "--help"]),
    run(["--version"]),
  ]);
  expect(help).toMatchObject({ code: 0, stderr: "" });
  expect(help.stdout).toContain("Exit codes:");
  expect(sub.stdout).toContain("--api-key");
  expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
