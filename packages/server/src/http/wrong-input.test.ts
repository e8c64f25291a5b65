import { errorCodes } from "@carillon/core";
import type { InjectOptions } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp, type TestApp } from "../../test/http/setup.ts";
import { problemAnswer } from "./openapi.ts";

let t: TestApp;
let id: string;
beforeAll(async () => {
  t = await startApp();
  id = (await t.call("POST", "/api/v1/tasks", { type: "a", delay: "1h" })).body.id;
  await t.call("PUT", "/api/v1/schedules/s", { cron: "0 2 * * *", task: { type: "a" } });
});
afterAll(() => t.close());

/** What is wrong, the request, and the status, field and field code that it is answered with (null: no single field). */
type Case = [what: string, request: InjectOptions, status: number, field: string | null, code: string];

const TASKS = "/api/v1/tasks";
const SCHEDULES = "/api/v1/schedules";
const json = { "content-type": "application/json" };
const post = (url: string, body: unknown, headers = {}): InjectOptions => ({
  method: "POST",
  url,
  headers: { ...json, ...headers },
  payload: JSON.stringify(body),
});
/** The body byte for byte. */
const text = (url: string, payload: string | Buffer, headers = {}): InjectOptions => ({
  method: "POST",
  url,
  headers: { ...json, ...headers },
  payload,
});
const get = (url: string, headers = {}): InjectOptions => ({ method: "GET", url, headers });
const task = (fields: object) => post(TASKS, { type: "a", ...fields });
const schedule = (fields: object) => post(SCHEDULES, { name: "x", cron: "@daily", task: { type: "a" }, ...fields });
const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

const cases: Case[] = [
  // Tasks: fields
  ["no type", post(TASKS, {}), 400, "/type", "required"],
  ["a type that is a number", post(TASKS, { type: 5 }), 400, "/type", "invalid_type"],
  ["an empty type", post(TASKS, { type: "" }), 400, "/type", "invalid_name"],
  ["a type with a space", post(TASKS, { type: "send invoice" }), 400, "/type", "invalid_name"],
  ["a type with a look-alike letter", post(TASKS, { type: "sеnd" }), 400, "/type", "invalid_name"],
  ["a type of 129 characters", post(TASKS, { type: "a".repeat(129) }), 400, "/type", "invalid_name"],
  ["a type that leaves its folder", post(TASKS, { type: "../etc" }), 400, "/type", "invalid_name"],
  ["a queue that is null", task({ queue: null }), 400, "/queue", "invalid_type"],
  ["a queue with a slash", task({ queue: "a/b" }), 400, "/queue", "invalid_name"],
  ["an unknown field", task({ colour: "red" }), 400, "/colour", "unknown_field"],
  ["a field of the server's", task({ state: "succeeded" }), 400, "/state", "unknown_field"],
  ["a fencing token", task({ fencingToken: 7 }), 400, "/fencingToken", "unknown_field"],
  ["an empty concurrency key", task({ concurrencyKey: "" }), 400, "/concurrencyKey", "too_short"],
  ["a long concurrency key", task({ concurrencyKey: "k".repeat(257) }), 400, "/concurrencyKey", "too_long"],
  ["an empty fair key", task({ fairKey: "" }), 400, "/fairKey", "too_short"],
  ["a long fair key", task({ fairKey: "k".repeat(257) }), 400, "/fairKey", "too_long"],
  ["a pointer that needs escaping", task({ "a/b~c": 1 }), 400, "/a~1b~0c", "unknown_field"],
  ["text for a number", task({ priority: "5" }), 400, "/priority", "invalid_type"],
  ["a priority of 0", task({ priority: 0 }), 400, "/priority", "out_of_range"],
  ["a priority of 10", task({ priority: 10 }), 400, "/priority", "out_of_range"],
  ["half a priority", task({ priority: 1.5 }), 400, "/priority", "invalid_type"],
  ["true for a number", task({ priority: true }), 400, "/priority", "invalid_type"],
  ["a due instant without a zone", task({ dueAt: "2027-01-01T08:00:00" }), 400, "/dueAt", "invalid_instant"],
  ["a due instant that is a number", task({ dueAt: 1_800_000_000 }), 400, "/dueAt", "invalid_type"],
  ["30 February", task({ dueAt: "2027-02-30T08:00:00Z" }), 400, "/dueAt", "invalid_instant"],
  ["the year 10000", task({ dueAt: "10000-01-01T00:00:00Z" }), 400, "/dueAt", "invalid_instant"],
  ["an hour 25", task({ dueAt: "2027-01-01T25:00:00Z" }), 400, "/dueAt", "invalid_instant"],
  ["a wall time in no zone", task({ dueAt: "2027-01-01T08:00[Mars/Olympus]" }), 400, "/dueAt", "invalid_instant"],
  ["a delay without a unit", task({ delay: "90" }), 400, "/delay", "invalid_duration"],
  ["a delay that is a number", task({ delay: 90 }), 400, "/delay", "invalid_type"],
  ["a delay backwards", task({ delay: "-5m" }), 400, "/delay", "invalid_duration"],
  ["a delay in months", task({ delay: "P1M" }), 400, "/delay", "invalid_duration"],
  ["a delay of eleven years", task({ delay: "4000d" }), 400, "/delay", "out_of_range"],
  ["a delay of a thousand years", task({ delay: "365000d" }), 400, "/delay", "out_of_range"],
  ["a delay and a due instant", task({ delay: "1m", dueAt: "2027-01-01T08:00:00Z" }), 400, "/delay", "exclusive"],
  ["an empty unique key", task({ uniqueKey: "" }), 400, "/uniqueKey", "too_short"],
  ["a unique key of 257 characters", task({ uniqueKey: "k".repeat(257) }), 400, "/uniqueKey", "too_long"],
  ["an unknown unique policy", task({ uniqueKey: "k", uniquePolicy: "merge" }), 400, "/uniquePolicy", "invalid_choice"],
  ["a unique policy without a key", task({ uniquePolicy: "keep" }), 400, "/uniqueKey", "required"],
  ["no attempts", task({ retry: { maxAttempts: 0 } }), 400, "/retry/maxAttempts", "out_of_range"],
  ["1,001 attempts", task({ retry: { maxAttempts: 1_001 } }), 400, "/retry/maxAttempts", "out_of_range"],
  ["retry as text", task({ retry: "often" }), 400, "/retry", "invalid_type"],
  ["an unknown backoff", task({ retry: { backoff: { kind: "wild" } } }), 400, "/retry/backoff/kind", "invalid_choice"],
  ["a backoff of 8 days", task({ retry: { backoff: { max: "8d" } } }), 400, "/retry/backoff/max", "out_of_range"],
  ["a shrinking backoff", task({ retry: { backoff: { factor: 0.5 } } }), 400, "/retry/backoff/factor", "out_of_range"],
  ["a timeout of nothing", task({ timeout: "0s" }), 400, "/timeout", "out_of_range"],
  ["no time to start", task({ startWithin: "0s" }), 400, "/startWithin", "out_of_range"],
  ["a year and more to start", task({ startWithin: "367d" }), 400, "/startWithin", "out_of_range"],
  ["a window without a key", task({ uniqueFor: "1h" }), 400, "/uniqueKey", "required"],
  ["a window of nothing", task({ uniqueKey: "k", uniqueFor: "0s" }), 400, "/uniqueFor", "out_of_range"],
  ["no time to finish", task({ finishWithin: "0s" }), 400, "/finishWithin", "out_of_range"],
  ["a year and more to finish", task({ finishWithin: "367d" }), 400, "/finishWithin", "out_of_range"],
  ["a timeout of 31 days", task({ timeout: "31d" }), 400, "/timeout", "out_of_range"],
  ["17 tags", task({ tags: Array.from({ length: 17 }, (_, n) => `t${n}`) }), 400, "/tags", "too_many"],
  ["a tag of 65 characters", task({ tags: ["ok", "t".repeat(65)] }), 400, "/tags/1", "too_long"],
  ["tags as text", task({ tags: "a,b" }), 400, "/tags", "invalid_type"],
  ["a payload 65 levels deep", text(TASKS, `{"type":"a","payload":${nested(65)}}`), 400, "/payload", "too_deep"],
  [
    "a payload of 10,001 keys",
    task({ payload: Object.fromEntries(Array.from({ length: 10_001 }, (_, n) => [`k${n}`, 0])) }),
    400,
    "/payload",
    "too_many_keys",
  ],
  ["a payload over 256 KiB", task({ payload: "x".repeat(256 * 1024) }), 413, "/payload", "too_large"],
  // Built-in types
  ["an http task without a URL", task({ type: "http" }), 400, "/payload", "required"],
  [
    "an http task to a file",
    task({ type: "http", payload: { url: "file:///etc/passwd" } }),
    400,
    "/payload/url",
    "invalid_url",
  ],
  [
    "a password in a URL",
    task({ type: "http", payload: { url: "https://u:p@example.com" } }),
    400,
    "/payload/url",
    "invalid_url",
  ],
  [
    "a header with a line break",
    task({ type: "http", payload: { url: "https://example.com", headers: { "x-a": "1\r\nhost: evil" } } }),
    400,
    "/payload/headers/x-a",
    "invalid_header",
  ],
  [
    "a header that is the connection's",
    task({ type: "http", payload: { url: "https://example.com", headers: { Host: "evil" } } }),
    400,
    "/payload/headers/Host",
    "invalid_header",
  ],
  [
    "a status that is none",
    task({ type: "http", payload: { url: "https://example.com", expect: ["9xx"] } }),
    400,
    "/payload/expect/0",
    "invalid_format",
  ],
  [
    "an unknown method",
    task({ type: "http", payload: { url: "https://example.com", method: "FETCH" } }),
    400,
    "/payload/method",
    "invalid_choice",
  ],
  [
    "a status that is a number",
    task({ type: "http", payload: { url: "https://example.com", expect: [204] } }),
    400,
    "/payload/expect/0",
    "invalid_type",
  ],
  ...[
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "192.168.1.7:8080",
    "169.254.169.254",
    "[fe80::1]",
    "0.0.0.0",
  ].map(
    (host): Case => [
      `an http task to ${host}`,
      task({ type: "http", payload: { url: `http://${host}/hook` } }),
      400,
      "/payload/url",
      "address_not_allowed",
    ],
  ),
  [
    "a batch with a private address",
    post(`${TASKS}:batch`, {
      tasks: [{ type: "a" }, { type: "http", payload: { url: "http://192.168.0.1" } }],
    }),
    400,
    "/tasks/1/payload/url",
    "address_not_allowed",
  ],
  [
    "a schedule that calls a private address",
    schedule({ task: { type: "http", payload: { url: "http://127.0.0.1/" } } }),
    400,
    "/task/payload/url",
    "address_not_allowed",
  ],
  ["a command by name", task({ type: "command", payload: { argv: ["ls"] } }), 400, "/payload/argv/0", "invalid_path"],
  [
    "a command as one text",
    task({ type: "command", payload: { argv: "/bin/ls -l" } }),
    400,
    "/payload/argv",
    "invalid_type",
  ],
  ["a sleep without end", task({ type: "sleep", payload: { for: "ever" } }), 400, "/payload/for", "invalid_duration"],
  // Batches
  ["an empty batch", post(`${TASKS}:batch`, { tasks: [] }), 400, "/tasks", "too_few"],
  [
    "a batch of 10,001",
    post(`${TASKS}:batch`, { tasks: Array(10_001).fill({ type: "a" }) }),
    400,
    "/tasks",
    "too_many",
  ],
  ["a batch that is a list", post(`${TASKS}:batch`, [{ type: "a" }]), 400, "", "invalid_type"],
  ["a batch with a hole", post(`${TASKS}:batch`, { tasks: [{ type: "a" }, null] }), 400, "/tasks/1", "invalid_type"],
  // Bodies
  ["no body", { method: "POST", url: TASKS }, 400, "", "required"],
  ["an empty body", text(TASKS, ""), 400, "", "required"],
  ["null for a body", text(TASKS, "null"), 400, "", "invalid_type"],
  ["a list for a body", text(TASKS, "[]"), 400, "", "invalid_type"],
  ["half a body", text(TASKS, '{"type":"a"'), 400, "", "invalid_json"],
  ["a trailing comma", text(TASKS, '{"type":"a",}'), 400, "", "invalid_json"],
  ["NaN", text(TASKS, '{"type":"a","payload":NaN}'), 400, "", "invalid_json"],
  ["a byte order mark", text(TASKS, '\uFEFF{"type":"a"}'), 400, "", "invalid_json"],
  ["bytes that are no UTF-8", text(TASKS, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])), 400, "", "invalid_utf8"],
  ["the same field twice", text(TASKS, '{"type":"a","type":"b"}'), 400, "/type", "duplicate_field"],
  ["the same field twice, once escaped", text(TASKS, '{"type":"a","typ\\u0065":"b"}'), 400, "/type", "duplicate_field"],
  ["__proto__ in a body", text(TASKS, '{"type":"a","__proto__":{"admin":true}}'), 400, "/__proto__", "forbidden_key"],
  [
    "__proto__ deep in a payload",
    text(TASKS, '{"type":"a","payload":[{"__proto__":1}]}'),
    400,
    "/payload/0/__proto__",
    "forbidden_key",
  ],
  [
    "__proto__ in disguise",
    text(TASKS, '{"type":"a","payload":{"\\u005f_proto__":1}}'),
    400,
    "/payload/__proto__",
    "forbidden_key",
  ],
  ["NUL in a payload", text(TASKS, '{"type":"a","payload":{"x":"a\\u0000b"}}'), 400, "/payload/x", "nul"],
  ["half a character", text(TASKS, '{"type":"a","payload":["\\ud83d"]}'), 400, "/payload/0", "lone_surrogate"],
  [
    "half a character in a key",
    text(TASKS, '{"type":"a","payload":{"\\udd14":1}}'),
    400,
    "/payload/\udd14",
    "lone_surrogate",
  ],
  ["a number beyond all", text(TASKS, '{"type":"a","payload":1e400}'), 400, "/payload", "number_out_of_range"],
  [
    "an integer that would be rounded",
    text(TASKS, '{"type":"a","payload":[9007199254740993]}'),
    400,
    "/payload/0",
    "number_out_of_range",
  ],
  ["five million brackets", text(`${TASKS}:batch`, "[".repeat(5_000_000)), 400, null, "too_deep"],
  ["a body over 1 MiB", text(TASKS, `{"type":"a","payload":"${"x".repeat(1024 * 1024)}"}`), 413, null, ""],
  ["text/plain", text(TASKS, '{"type":"a"}', { "content-type": "text/plain" }), 415, "Content-Type", "unsupported"],
  [
    "a form",
    text(TASKS, "type=a", { "content-type": "application/x-www-form-urlencoded" }),
    415,
    "Content-Type",
    "unsupported",
  ],
  [
    "no content type",
    { method: "POST", url: TASKS, payload: Buffer.from('{"type":"a"}') },
    415,
    "Content-Type",
    "unsupported",
  ],
  [
    "another charset",
    text(TASKS, '{"type":"a"}', { "content-type": "application/json; charset=latin1" }),
    415,
    "Content-Type",
    "unsupported",
  ],
  [
    "a compressed body",
    text(TASKS, '{"type":"a"}', { "content-encoding": "gzip" }),
    415,
    "Content-Encoding",
    "unsupported",
  ],
  // Headers
  [
    "an idempotency key of 256 characters",
    post(TASKS, { type: "a" }, { "idempotency-key": "k".repeat(256) }),
    400,
    "Idempotency-Key",
    "too_long",
  ],
  [
    "an idempotency key with a space",
    post(TASKS, { type: "a" }, { "idempotency-key": "a b" }),
    400,
    "Idempotency-Key",
    "invalid_format",
  ],
  [
    "an empty idempotency key",
    post(TASKS, { type: "a" }, { "idempotency-key": "" }),
    400,
    "Idempotency-Key",
    "invalid_format",
  ],
  [
    "101 headers",
    get(TASKS, Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`x-${n}`, "1"]))),
    400,
    "headers",
    "too_many",
  ],
  ["another host name", get(TASKS, { host: "evil.example" }), 403, "Host", "host_not_allowed"],
  ["a host name that begins well", get(TASKS, { host: "localhost.evil.example" }), 403, "Host", "host_not_allowed"],
  ["a page of another site", get(TASKS, { origin: "https://evil.example" }), 403, "Origin", "origin_not_allowed"],
  [
    "a page of another port",
    get(TASKS, { host: "localhost:7070", origin: "http://localhost:3000" }),
    403,
    "Origin",
    "origin_not_allowed",
  ],
  ["a page without an origin", post(TASKS, { type: "a" }, { origin: "null" }), 403, "Origin", "origin_not_allowed"],
  [
    "an ETag that is none",
    {
      method: "PUT",
      url: `${SCHEDULES}/s`,
      headers: { ...json, "if-match": "3" },
      payload: '{"cron":"@daily","task":{"type":"a"}}',
    },
    400,
    "If-Match",
    "invalid_format",
  ],
  // Queries
  ["an unknown parameter", get(`${TASKS}?colour=red`), 400, "colour", "unknown_field"],
  ["a filter that is not built", get(`${TASKS}?requires=gpu`), 400, "requires", "unknown_field"],
  ["a page of none", get(`${TASKS}?pageSize=0`), 400, "pageSize", "out_of_range"],
  ["a page of 201", get(`${TASKS}?pageSize=201`), 400, "pageSize", "out_of_range"],
  ["a page of some", get(`${TASKS}?pageSize=many`), 400, "pageSize", "out_of_range"],
  ["two page sizes", get(`${TASKS}?pageSize=1&pageSize=2`), 400, "pageSize", "invalid_type"],
  ["a page token of nobody's", get(`${TASKS}?pageToken=abc`), 400, "pageToken", "invalid_page_token"],
  [
    "a page token that was altered",
    get(`${TASKS}?pageToken=MQ.AAAAAAAAAAAAAAAA`),
    400,
    "pageToken",
    "invalid_page_token",
  ],
  ["an empty page token", get(`${TASKS}?pageToken=`), 400, "pageToken", "too_short"],
  ["an unknown state", get(`${TASKS}?state=done`), 400, "state", "invalid_choice"],
  ["a range backwards", get(`${TASKS}?from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z`), 400, "to", "range_reversed"],
  ["a range of words", get(`${TASKS}?from=yesterday`), 400, "from", "invalid_instant"],
  ["NUL in a search", get(`${TASKS}?q=a%00b`), 400, "q", "nul"],
  ["a search of 257 characters", get(`${TASKS}?q=${"x".repeat(257)}`), 400, "q", "too_long"],
  ["a type filter with a quote", get(`${TASKS}?type=a'--`), 400, "type", "invalid_name"],
  ["__proto__ as a parameter", get(`${TASKS}?__proto__=1`), 400, "__proto__", "unknown_field"],
  ["a wait without a unit", get(`${TASKS}/task_0000000000001?wait=30`), 400, "wait", "invalid_duration"],
  ["a wait of 61 s", get(`${TASKS}/task_0000000000001?wait=61s`), 400, "wait", "out_of_range"],
  ["an unknown topic", get("/api/v1/events?topics=moons"), 400, "topics", "invalid_choice"],
  ["an unknown outcome", get(`${SCHEDULES}/s/fires?outcome=fired`), 400, "outcome", "invalid_choice"],
  [
    "fires backwards",
    get(`${SCHEDULES}/s/fires?from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z`),
    400,
    "to",
    "range_reversed",
  ],
  ["an instant asked about in words", get(`${SCHEDULES}/s/explain?at=noon`), 400, "at", "invalid_instant"],
  ["an explanation of two", get(`${SCHEDULES}/s/explain?from=2027-01-02T00:00:00Z`), 400, "from", "unknown_field"],
  ["a load in words", get(`${SCHEDULES}:load?from=noon`), 400, "from", "invalid_instant"],
  ["a load that has passed", get(`${SCHEDULES}:load?to=2020-01-02T00:00:00Z`), 400, "to", "range_reversed"],
  [
    "a load backwards",
    get(`${SCHEDULES}:load?from=2027-01-02T00:00:00Z&to=2027-01-02T00:00:00Z`),
    400,
    "to",
    "range_reversed",
  ],
  ["a load without a unit", get(`${SCHEDULES}:load?step=60`), 400, "step", "invalid_duration"],
  ["a load of half a second", get(`${SCHEDULES}:load?step=500ms`), 400, "step", "out_of_range"],
  ["a load of 86,400 steps", get(`${SCHEDULES}:load?step=1s`), 400, "step", "too_many_steps"],
  ["a load of ten years", get(`${SCHEDULES}:load?to=2036-12-01T00:00:00Z`), 400, "to", "out_of_range"],
  [
    "a dry run as a word",
    {
      method: "PUT",
      url: `${SCHEDULES}/s?dryRun=yes`,
      headers: json,
      payload: '{"cron":"@daily","task":{"type":"a"}}',
    },
    400,
    "dryRun",
    "invalid_choice",
  ],
  // Ids and paths
  ["no such task", get(`${TASKS}/task_0000000000001`), 404, null, ""],
  ["a malformed id", get(`${TASKS}/42`), 404, null, ""],
  ["an id in capitals", get(`${TASKS}/TASK_0000000000001`), 404, null, ""],
  ["an id with NUL", get(`${TASKS}/task_%00000000000001`), 404, null, ""],
  ["the id of something else", get(`${TASKS}/sch_0000000000001`), 404, null, ""],
  ["an id that leaves its folder", get(`${TASKS}/..%2f..%2fetc%2fpasswd`), 404, null, ""],
  ["a verb on no task", { method: "POST", url: `${TASKS}/task_0000000000001:cancel` }, 404, null, ""],
  ["a replay of no task", { method: "POST", url: `${TASKS}/task_0000000000001:replay` }, 404, null, ""],
  ["a verb that is not built", { method: "POST", url: `${TASKS}/task_0000000000001:simulate` }, 404, null, ""],
  ["a collection verb that is not built", post("/api/v1/schedules:simulate", {}), 404, null, ""],
  ["a path that is not built", get(`${TASKS}/task_0000000000001/children`), 404, null, ""],
  ["a collection that is not built", get("/api/v1/subscriptions"), 404, null, ""],
  ["a path that is no path", get("/api/v1/tasks/%zz"), 404, null, ""],
  ["an id that is no text", get("/api/v1/tasks/%ff"), 404, null, ""],
  ["TRACE", { ...get(TASKS), method: "TRACE" as "GET" }, 405, null, ""],
  ["PROPFIND", { ...get(TASKS), method: "PROPFIND" as "GET" }, 405, null, ""],
  ["PROPFIND of nothing", { ...get("/nowhere"), method: "PROPFIND" as "GET" }, 404, null, ""],
  ["the wrong method for a collection", { method: "DELETE", url: TASKS }, 405, null, ""],
  ["the wrong method for a verb", get(`${TASKS}/task_0000000000001:cancel`), 405, null, ""],
  ["the wrong method for health", { method: "POST", url: "/livez" }, 405, null, ""],
  // Verbs
  [
    "an unknown field in a verb",
    post(`${TASKS}/task_0000000000001:retry`, { now: true }),
    400,
    "/now",
    "unknown_field",
  ],
  [
    "a reason over 1 KiB",
    post(`${TASKS}/task_0000000000001:cancel`, { reason: "é".repeat(513) }),
    413,
    "/reason",
    "too_large",
  ],
  [
    "a reason that is a number",
    post(`${TASKS}/task_0000000000001:cancel`, { reason: 7 }),
    400,
    "/reason",
    "invalid_type",
  ],
  [
    "a patch of the state",
    { ...post(`${TASKS}/task_0000000000001`, { state: "succeeded" }), method: "PATCH" },
    400,
    "/state",
    "unknown_field",
  ],
  [
    "a patch of the priority to null",
    { ...post(`${TASKS}/task_0000000000001`, { priority: null }), method: "PATCH" },
    400,
    "/priority",
    "invalid_type",
  ],
  // Schedules
  ["a schedule without a name", post(SCHEDULES, { cron: "@daily", task: { type: "a" } }), 400, "/name", "required"],
  ["a schedule with a bad name", schedule({ name: "a b" }), 400, "/name", "invalid_name"],
  [
    "another name than in the path",
    { ...post(`${SCHEDULES}/x`, { name: "y", cron: "@daily", task: { type: "a" } }), method: "PUT" },
    400,
    "/name",
    "name_mismatch",
  ],
  [
    "a bad name in the path",
    { ...post(`${SCHEDULES}/a%20b`, { cron: "@daily", task: { type: "a" } }), method: "PUT" },
    400,
    "name",
    "invalid_name",
  ],
  ["a schedule without a task", post(SCHEDULES, { name: "x", cron: "@daily" }), 400, "/task", "required"],
  ["a scheduled task without a type", schedule({ task: {} }), 400, "/task/type", "required"],
  [
    "a scheduled task with a delay",
    schedule({ task: { type: "a", delay: "1m" } }),
    400,
    "/task/delay",
    "unknown_field",
  ],
  [
    "a scheduled http task without a URL",
    schedule({ task: { type: "http", payload: {} } }),
    400,
    "/task/payload/url",
    "required",
  ],
  ["neither cron nor every", post(SCHEDULES, { name: "x", task: { type: "a" } }), 400, "/cron", "required"],
  ["both cron and every", schedule({ every: "5m" }), 400, "/every", "exclusive"],
  ["a cron of nonsense", schedule({ cron: "every day" }), 400, "/cron", "cron_invalid"],
  ["a minute 61", schedule({ cron: "61 * * * *" }), 400, "/cron", "cron_invalid"],
  ["a step of 0", schedule({ cron: "*/0 * * * *" }), 400, "/cron", "cron_invalid"],
  ["four fields", schedule({ cron: "* * * *" }), 400, "/cron", "cron_invalid"],
  [
    "six fields in the vixie dialect",
    schedule({ cron: "0 0 2 * * *", dialect: "vixie" }),
    400,
    "/cron",
    "cron_invalid",
  ],
  ["a cron of 257 characters", schedule({ cron: `${"0,".repeat(128)}0 * * * *` }), 400, "/cron", "too_long"],
  ["30 February again and again", schedule({ cron: "0 0 30 2 *" }), 400, "/cron", "cron_never_fires"],
  ["a zone on Mars", schedule({ timeZone: "Mars/Olympus" }), 400, "/timeZone", "unknown_time_zone"],
  ["an offset for a zone", schedule({ timeZone: "+02:00" }), 400, "/timeZone", "unknown_time_zone"],
  ["an abbreviation for a zone", schedule({ timeZone: "CEST" }), 400, "/timeZone", "unknown_time_zone"],
  ["every half second", schedule({ cron: undefined, every: "500ms" }), 400, "/every", "every_out_of_range"],
  ["every 367 days", schedule({ cron: undefined, every: "367d" }), 400, "/every", "every_out_of_range"],
  ["an RRULE beside a cron", schedule({ rrule: "FREQ=DAILY" }), 400, "/rrule", "exclusive"],
  ["an RRULE of nonsense", schedule({ cron: undefined, rrule: "FREQ=NEVER" }), 400, "/rrule", "rrule_invalid"],
  [
    "an RRULE on 30 February",
    schedule({ cron: undefined, rrule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30" }),
    400,
    "/rrule",
    "cron_never_fires",
  ],
  [
    "an RRULE of 2,049 characters",
    schedule({ cron: undefined, rrule: `FREQ=DAILY;BYHOUR=${"1,".repeat(1_020)}1` }),
    400,
    "/rrule",
    "too_long",
  ],
  ["no rules", schedule({ cron: undefined, rules: [] }), 400, "/rules", "too_few"],
  [
    "21 rules",
    schedule({ cron: undefined, rules: Array.from({ length: 21 }, () => ({ every: "5m" })) }),
    400,
    "/rules",
    "too_many",
  ],
  [
    "a rule of nonsense among others",
    schedule({ cron: undefined, rules: [{ every: "5m" }, { cron: "61 * * * *" }] }),
    400,
    "/rules/1/cron",
    "cron_invalid",
  ],
  [
    "a rule with a zone of its own",
    schedule({ cron: undefined, rules: [{ cron: "@daily", timeZone: "UTC" }] }),
    400,
    "/rules/0/timeZone",
    "unknown_field",
  ],
  ["a dialect that there is not", schedule({ dialect: "jenkins" }), 400, "/dialect", "invalid_choice"],
  [
    "a wildcard for a question mark",
    schedule({ cron: "0 0 2 * * *", dialect: "quartz" }),
    400,
    "/cron",
    "cron_invalid",
  ],
  [
    "a delay after something else",
    schedule({ cron: undefined, every: { interval: "5m", after: "start" } }),
    400,
    "/every",
    "invalid",
  ],
  [
    "a delay of nothing",
    schedule({ cron: undefined, every: { interval: "0s", after: "end" } }),
    400,
    "/every/interval",
    "every_out_of_range",
  ],
  ["a delay and a cron", schedule({ every: { interval: "5m", after: "end" } }), 400, "/every", "exclusive"],
  [
    "a delay in a union",
    schedule({ cron: undefined, rules: [{ every: { interval: "5m", after: "end" } }] }),
    400,
    "/rules/0/every",
    "invalid_type",
  ],
  ["no failures", schedule({ pauseAfterFailures: 0 }), 400, "/pauseAfterFailures", "out_of_range"],
  ["an unknown overlap", schedule({ overlap: "wait" }), 400, "/overlap", "invalid_choice"],
  ["an unknown catch-up", schedule({ catchUp: { policy: "some" } }), 400, "/catchUp/policy", "invalid_choice"],
  ["an unknown gap policy", schedule({ dst: { gap: "later" } }), 400, "/dst/gap", "invalid_choice"],
  ["two days of jitter", schedule({ jitter: "2d" }), 400, "/jitter", "jitter_out_of_range"],
  [
    "an end before the start",
    schedule({ startAt: "2027-01-02T00:00:00Z", endAt: "2027-01-01T00:00:00Z" }),
    400,
    "/endAt",
    "ends_before_start",
  ],
  ["a past end", schedule({ endAt: "2020-01-01T00:00:00Z" }), 400, "/endAt", "cron_never_fires"],
  ["no fires at most", schedule({ maxFires: 0 }), 400, "/maxFires", "out_of_range"],
  ["paused by word", schedule({ paused: "yes" }), 400, "/paused", "invalid_type"],
  ["a patch of the name", { ...post(`${SCHEDULES}/s`, { name: "t" }), method: "PATCH" }, 400, "/name", "unknown_field"],
  ["a patch that is a list", { ...post(`${SCHEDULES}/s`, []), method: "PATCH" }, 400, "", "invalid_type"],
  [
    "a patch that removes the task",
    { ...post(`${SCHEDULES}/s`, { task: null }), method: "PATCH" },
    400,
    "/task",
    "required",
  ],
  ["a patch of no schedule", { ...post(`${SCHEDULES}/none`, { jitter: "1m" }), method: "PATCH" }, 404, null, ""],
  ["no such schedule", get(`${SCHEDULES}/none`), 404, null, ""],
  ["a name with NUL", get(`${SCHEDULES}/a%00b`), 404, null, ""],
  [
    "a preview of 1,001 fires",
    post(`${SCHEDULES}:preview`, { cron: "@daily", count: 1_001 }),
    400,
    "/count",
    "out_of_range",
  ],
  [
    "a preview in no zone",
    post(`${SCHEDULES}:preview`, { cron: "@daily", timeZone: "Nowhere" }),
    400,
    "/timeZone",
    "unknown_time_zone",
  ],
  ["a preview of nothing", post(`${SCHEDULES}:preview`, {}), 400, "/cron", "required"],
  [
    "a preview with a task",
    post(`${SCHEDULES}:preview`, { cron: "@daily", task: { type: "a" } }),
    400,
    "/task",
    "unknown_field",
  ],
];

test.each(cases)("%s is refused", async (_what, request, status, field, code) => {
  const answer = await t.raw(request);
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status });
  expect(answer.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
  expect(answer.headers["x-content-type-options"]).toBe("nosniff");
  const problem = problemAnswer.parse(answer.body);
  expect(problem.status).toBe(status);
  expect(errorCodes[problem.code].http).toBe(status);
  expect(problem.requestId).toBe(answer.headers["x-request-id"]);
  expect(answer.text).not.toMatch(/node_modules|\.ts:|\\n +at /);
  const errors = problem.errors.map((error) => [error.pointer ?? error.parameter, error.code]);
  if (field !== null) expect(errors).toContainEqual([field, code]);
  else if (code !== "") expect(problem.errors.map((error) => error.code)).toContain(code);
});

test("the table is long enough, and nothing in it was an error of ours", () => {
  expect(cases.length).toBeGreaterThan(150);
  expect(t.errors).toEqual([]);
});

test("a wrong method is told the right ones", async () => {
  const answer = await t.raw({ method: "DELETE", url: TASKS });
  expect(answer.headers.allow).toBe("GET, HEAD, POST");
});

test("many invalid fields are all named, up to a hundred", async () => {
  const tasks = Array.from({ length: 200 }, () => ({ type: "a", priority: "5", colour: 1 }));
  const answer = await t.call("POST", `${TASKS}:batch`, { tasks });
  expect(answer.body.errors).toHaveLength(100);
  expect(answer.body.errors.slice(0, 3)).toEqual([
    { pointer: "/tasks/0/priority", code: "invalid_type", message: "Expected a number, got a string." },
    { pointer: "/tasks/0/colour", code: "unknown_field", message: "There is no such field." },
    { pointer: "/tasks/1/priority", code: "invalid_type", message: "Expected a number, got a string." },
  ]);
});

test("at the limits everything is accepted", async () => {
  const accepted = async (request: InjectOptions) => (await t.raw(request)).status;
  expect(await accepted(text(TASKS, `{"type":"a","payload":${nested(64)}}`))).toBe(202);
  expect(await accepted(task({ payload: "x".repeat(256 * 1024 - 2) }))).toBe(202);
  expect(
    await accepted(task({ payload: Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, 0])) })),
  ).toBe(202);
  expect(await accepted(post(TASKS, { type: "a".repeat(128) }))).toBe(202);
  expect(
    await accepted(
      task({ uniqueKey: "k".repeat(256), tags: Array.from({ length: 16 }, (_, n) => `${n}`.padEnd(64, "t")) }),
    ),
  ).toBe(202);
  expect(
    await accepted(task({ delay: "3653d", timeout: "30d", retry: { maxAttempts: 1_000, backoff: { max: "7d" } } })),
  ).toBe(202);
  expect(
    await accepted(task({ payload: { constructor: 1, big: 9_007_199_254_740_991, "\u{1F514}": "\u{1F514}" } })),
  ).toBe(202);
  expect(await accepted(post(TASKS, { type: "a" }, { "idempotency-key": "k".repeat(255) }))).toBe(202);
  expect(await accepted(get(`${TASKS}?pageSize=200`))).toBe(200);
  expect(await accepted(post(`${TASKS}:batch`, { tasks: Array(10_000).fill({ type: "batch" }) }))).toBe(202);
  const name = "s".repeat(128);
  expect(
    await accepted({ ...post(`${SCHEDULES}/${name}`, { every: "366d", task: { type: "a" } }), method: "PUT" }),
  ).toBe(201);
  expect(await accepted(get(`${SCHEDULES}/${name}`))).toBe(200);
  expect((await t.call("GET", `${TASKS}/${id}`)).status).toBe(200);
});
