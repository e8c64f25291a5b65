import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { manualClock, startApp, storeKinds, useStore } from "../../test/http/setup.ts";
import type { Document } from "./openapi.ts";
import { problemAnswer } from "./openapi.ts";

/** Values that have broken JSON services before, next to those that mean something here. */
const awkward = fc.constantFrom<unknown>(
  null,
  true,
  0,
  -1,
  0.5,
  1e21,
  -0,
  "",
  " ",
  "5",
  "a",
  "\u202Eevil",
  "\uD83D",
  "\u0000",
  "__proto__",
  "constructor",
  "'; drop table task; --",
  "%",
  "\\",
  "9".repeat(400),
  "x".repeat(3_000),
  "2027-01-01T00:00:00Z",
  "0001-01-01T00:00:00Z",
  "9999-12-31T23:59:59.999+00:00",
  "2027-03-28T02:30[Europe/Paris]",
  "1h",
  "P9999D",
  "0s",
  "*/5 * * * *",
  "0 0 29 2 *",
  "* * * * * *",
  "59 59 23 31 12 * 2199",
  "H H * * *",
  "FREQ=MONTHLY;BYDAY=-1FR;COUNT=3",
  "DTSTART:20270101T090000\nRRULE:FREQ=HOURLY;BYSETPOS=1;BYMINUTE=1,2",
  "quartz",
  "@reboot",
  "Europe/Paris",
  "Etc/GMT+12",
  "task_0000000000001",
  [],
  {},
  [[[]]],
  { a: { b: { c: [1] } } },
);

const fields = [
  "type payload queue dueAt delay priority uniqueKey uniquePolicy retry timeout tags reason tasks name cron every rrule rules timeZone task overlap",
  "catchUp dst dialect jitter startAt endAt maxFires paused from count maxAttempts backoff kind initial factor max gap policy window limit",
  "excludes includes roll weekly days dates ranges to ics",
  "url method headers body expect argv env cwd stdin for __proto__ state colour",
]
  .join(" ")
  .split(" ");

const { body: anyBody } = fc.letrec<{ value: unknown; body: unknown }>((tie) => ({
  value: fc.oneof({ depthSize: "small", withCrossShrink: true }, awkward, fc.string(), fc.double(), tie("body")),
  body: fc.oneof(
    { depthSize: "small" },
    fc.dictionary(fc.constantFrom(...fields), tie("value"), { maxKeys: 6, noNullPrototype: true }),
    fc.array(tie("value"), { maxLength: 4 }),
  ),
}));

const goodBodies: Record<string, Record<string, unknown>[]> = {
  "/api/v1/tasks": [
    { type: "a", payload: { x: 1 }, delay: "1h", retry: { maxAttempts: 3 }, tags: ["t"], uniqueKey: "k" },
    { type: "http", payload: { url: "https://example.com", headers: { a: "b" }, expect: ["2xx"] } },
    { type: "command", payload: { argv: ["/bin/true"], env: { A: "b" } } },
  ],
  "/api/v1/tasks:batch": [{ tasks: [{ type: "a" }, { type: "b", uniqueKey: "k", uniquePolicy: "replace" }] }],
  "/api/v1/schedules": [
    {
      name: "s",
      cron: "0 2 * * *",
      timeZone: "Europe/Paris",
      task: { type: "a", payload: [1] },
      catchUp: { policy: "all" },
    },
  ],
  "/api/v1/schedules/{name}": [
    {
      every: "5m",
      task: { type: "sleep", payload: { for: "1s" } },
      jitter: "10s",
      startAt: "2027-01-01T00:00:00Z",
      maxFires: 3,
    },
    { rrule: "FREQ=WEEKLY;BYDAY=MO", task: { type: "a" }, dst: { gap: "shift" } },
    { rules: [{ cron: "H 22-2 * * FRI-MON" }, { every: "1h" }, { rrule: "FREQ=MINUTELY" }], task: { type: "a" } },
  ],
  "/api/v1/calendars/{name}": [
    { timeZone: "Europe/Paris", weekly: [{ days: ["SAT"], from: "22:00", to: "06:00" }], dates: ["2026-12-25"] },
    {
      timeZone: "UTC",
      ranges: [{ from: "2026-12-24T14:00", to: "2027-01-02" }],
      ics: "BEGIN:VCALENDAR\nEND:VCALENDAR",
    },
  ],
  "/api/v1/schedules:preview": [
    { cron: "0 0 L * MON#2", timeZone: "America/New_York", from: "2026-11-01T00:00:00Z", count: 5 },
  ],
};

/** Mostly right: a good request, of this path where it takes one, with a field or two exchanged. */
const nearlyGood = (path: string) =>
  fc
    .tuple(
      fc.constantFrom(...(goodBodies[path] ?? Object.values(goodBodies).flat())),
      fc.dictionary(fc.constantFrom(...fields), fc.oneof(awkward, anyBody), { maxKeys: 2, noNullPrototype: true }),
    )
    .map(([good, changes]) => ({ ...good, ...changes }));

const request = <Route extends { path: string }>(routes: Route[]) =>
  fc
    .constantFrom(...routes)
    .chain((route) =>
      fc.tuple(
        fc.constant(route),
        fc.oneof({ weight: 3, arbitrary: nearlyGood(route.path) }, { weight: 2, arbitrary: anyBody }),
      ),
    );

const text = fc.oneof(awkward.map(String), fc.string({ unit: "binary", maxLength: 40 }));

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);

  test("whatever is sent anywhere, the answer is what the document says, and never an error of ours", {
    timeout: 120_000,
  }, async () => {
    const clock = manualClock();
    const t = await startApp({ clock, store: await emptyStore(clock) });
    const document: Document = (await t.call("GET", "/openapi.json")).body;
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, operation]) => operation.operationId !== "followEvents")
        .map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
    );
    const statuses = new Map<number, number>();
    await t.call("PUT", "/api/v1/calendars/s", { timeZone: "Europe/Paris", dates: ["2026-12-25"] });
    await t.call("PUT", "/api/v1/schedules/s", { cron: "0 2 * * *", task: { type: "a" }, excludes: ["s"] });
    const { id } = (await t.call("POST", "/api/v1/tasks", { type: "a", delay: "1h" })).body;
    await fc.assert(
      fc.asyncProperty(
        request(routes),
        fc.dictionary(
          fc.constantFrom(
            "state",
            "type",
            "queue",
            "q",
            "tag",
            "from",
            "to",
            "pageSize",
            "pageToken",
            "wait",
            "outcome",
            "at",
            "step",
            "dryRun",
            "verbose",
          ),
          text,
          { maxKeys: 2 },
        ),
        fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, text),
        fc.option(fc.string({ unit: "binary-ascii", maxLength: 20 }), { freq: 6 }),
        async ([route, body], query, name, key) => {
          const known = route.path.includes("/tasks/") ? id : "s";
          const url = route.path.replace(/\{\w+\}/, encode(name ?? known));
          const search = Object.entries(query)
            .filter(([parameter]) => parameter !== "wait")
            .map(([parameter, value]) => `${parameter}=${encode(value)}`)
            .join("&");
          const headers: Record<string, string> = { "content-type": "application/json" };
          if (key !== null) headers["idempotency-key"] = key.replaceAll(/[^\x20-\x7e]/g, "");
          const sends = route.method !== "GET" && route.method !== "DELETE";
          const answer = await t.raw({
            method: route.method as "GET",
            url: search ? `${url}?${search}` : url,
            headers,
            ...(sends ? { payload: JSON.stringify(body) } : {}),
          });
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          expect(answer.status, answer.text).toBeLessThan(500);
          if (answer.status >= 400) problemAnswer.parse(answer.body);
          else expect(Object.keys(route.operation.responses)).toContain(String(answer.status));
        },
      ),
      { numRuns: kind === "memory" ? 2_000 : 1_000 },
    );
    expect(t.errors).toEqual([]);
    for (const status of [200, 202, 400, 404]) expect(statuses.get(status), `${status}`).toBeGreaterThan(0);
    await t.close();
  });
});

/** Lone surrogates cannot be written into a URL. */
function encode(text: string): string {
  return encodeURIComponent(text.replaceAll(/[\uD800-\uDFFF]/g, "_"));
}
