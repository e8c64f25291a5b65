import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, START, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";
import { createEndedBook } from "../ended-book.ts";
import { createLatenessBook } from "../lateness-book.ts";
import { figuresRound } from "../loops/figures.ts";

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ store: await emptyStore(clock), clock });
  });
  afterEach(() => t.close());

  const node = (zoneData: string) => t.store.openSession({ node: zoneData, url: null, now: START, zoneData });

  test("a queue says what waits in it and how fast it moves; all of them together give the sums", async () => {
    await t.call("POST", "/api/v1/tasks:batch", { tasks: [{ type: "a", queue: "billing" }] });
    await t.claim();
    const more = [
      { type: "b", queue: "billing", delay: "1h" },
      { type: "b", queue: "mail" },
    ];
    await t.call("POST", "/api/v1/tasks:batch", { tasks: more });
    t.clock.advance(30_000);
    const { body: billing } = await t.call("GET", "/api/v1/queues/billing/stats");
    expect(billing).toMatchObject({
      name: "billing",
      due: 1,
      scheduled: 1,
      running: 0,
      blocked: 0,
      depth: 2,
      oldestAgeMs: null,
    });
    expect(billing.perSecond).toEqual({ created: 0.033, started: 0, finished: 0 });
    expect(billing).toMatchObject({
      capped: false,
      lateness: { p50Ms: null, p99Ms: null, maxMs: null, window: "10m" },
    });
    const { body: all } = await t.call("GET", "/api/v1/stats");
    expect(all).toMatchObject({ version: "0.0.0-test", due: 2, scheduled: 1, depth: 3, oldestAgeMs: 30_000 });
    expect(all).toMatchObject({ nodes: 1, workers: 0, zoneChanges: [] });
    const { body: unused } = await t.call("GET", "/api/v1/queues/unused/stats");
    expect(unused).toMatchObject({ depth: 0, perSecond: { created: 0 } });
    expect((await t.call("GET", "/api/v1/queues/%20/stats")).status).toBe(404);
  });

  test("workers and rates are summed over the living nodes, from what each says of its last minute", async () => {
    const lane = { id: 1, namespace: "default", queue: "billing", type: "a" };
    const worker = { namespace: "default", queues: ["q"], types: ["t"], slots: 10, busy: 0 };
    for (const workers of [1, 2]) {
      const [lateness, ended] = [createLatenessBook(), createEndedBook()];
      const { id } = await node("2026a");
      const round = figuresRound({
        ...t,
        lateness,
        ended,
        session: { id },
        workers: () => Array(workers).fill(worker),
      });
      await round();
      for (let n = 0; n < 20; n++) lateness.started(lane, 1, new Float64Array(5));
      for (let n = 0; n < 10; n++) ended.ended(lane, "succeeded", 0.1);
      ended.ended(lane, "retried", 0.1);
      t.clock.advance(10_000);
      await round();
    }
    const { body } = await t.call("GET", "/api/v1/queues/billing/stats");
    expect(body.perSecond).toEqual({ created: 0, started: 4, finished: 2 });
    expect((await t.call("GET", "/api/v1/stats")).body).toMatchObject({
      nodes: 2,
      workers: 3,
      perSecond: body.perSecond,
    });
  });

  test("the newest time zone data among the nodes is named, with what it changed", async () => {
    expect((await t.call("GET", "/api/v1/stats")).body.tzdata).toBe(process.versions.tz);
    for (const version of ["2025c", "2026b", "2026a", "2026a"]) await node(version);
    const { body } = await t.call("GET", "/api/v1/stats");
    expect(body).toMatchObject({ tzdata: "2026b", nodesByTzdata: { "2025c": 1, "2026a": 2, "2026b": 1 } });
  });
});
