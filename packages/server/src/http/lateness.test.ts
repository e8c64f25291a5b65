import { createIdSource, defaultPolicy, type FinalState, idCreatedAt, latenessBucketsMs } from "@carillon/core";
import type { LatenessWindow, PlannedFire } from "@carillon/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, START, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";
import { STATS_FIRES } from "../operations/schedule-stats.ts";
import { latenessAnswer, scheduleStats } from "./schemas/lateness.ts";

const MINUTE_MS = 60_000;

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ store: await emptyStore(clock), clock });
  });
  afterEach(() => t.close());

  /** So many starts in the bucket of the first value; 10 ms of each phase in all. */
  const window = (over: Partial<LatenessWindow> & { started?: number }): LatenessWindow => {
    const { started = 10, ...more } = over;
    const counts = [started, ...Array<number>(latenessBucketsMs.length).fill(0)];
    return {
      namespace: "default",
      queue: "billing",
      at: START,
      counts,
      maxMs: 0.5,
      phasesMs: [10, 10, 10, 10, 10],
      ...more,
    };
  };

  test("queues show how late their tasks start over all nodes, and where it arises", async () => {
    await t.store.recordLateness(1n, [window({}), window({ queue: "mail" }), window({ namespace: "other" })]);
    await t.store.recordLateness(2n, [window({ started: 90, maxMs: 0.75 })]);
    const { status, body } = await t.call("GET", "/api/v1/lateness");
    expect(status).toBe(200);
    expect(latenessAnswer.parse(body)).toEqual(body);
    expect(body).toMatchObject({ window: "1h", from: "2026-11-20T09:00:00.000Z", to: "2026-11-20T10:00:00.000Z" });
    expect(body.queues.map(({ queue }: { queue: string }) => queue)).toEqual(["billing", "mail"]);
    expect(body.queues[0]).toMatchObject({
      started: 100,
      p50Ms: 0.375,
      p99Ms: 0.742,
      maxMs: 0.75,
      meanMs: { planner: 0.2, claim: 0.2, dispatch: 0.2, transport: 0.2, start: 0.2 },
    });
    expect(body.queues[0].histogram.slice(0, 2)).toEqual([
      { toMs: 1, count: 100 },
      { toMs: 2, count: 0 },
    ]);
    expect(body.queues[0].histogram.at(-1)).toEqual({ toMs: null, count: 0 });
    const one = await t.call("GET", "/api/v1/lateness?queue=mail");
    expect(one.body.queues).toMatchObject([{ queue: "mail", started: 10 }]);
  });

  test("a window holds what began in it, in steps of five minutes", async () => {
    const ages = [0, 5, 10, 65].map((minutes) => window({ at: START - minutes * MINUTE_MS, started: 1 }));
    await t.store.recordLateness(1n, ages);
    const started = async (query: string) =>
      (await t.call("GET", `/api/v1/lateness?window=${query}`)).body.queues[0].started;
    expect(await started("5m")).toBe(2);
    expect(await started("1h")).toBe(3);
    expect(await started("24h")).toBe(4);
  });

  test("a window that makes no sense is refused by name", async () => {
    for (const [path, parameter, code] of [
      ["lateness?window=1m", "window", "out_of_range"],
      ["lateness?window=soon", "window", "invalid_duration"],
      ["lateness?queue=a%20b", "queue", "invalid_name"],
      ["lateness?since=1h", "since", "unknown_field"],
      ["schedules/s/stats?window=0s", "window", "out_of_range"],
      ["schedules/s/stats?window=1h&from=2026-11-20T09:00:00Z", "window", "conflict"],
      ["schedules/s/stats?from=yesterday", "from", "invalid_instant"],
      ["schedules/s/stats?from=2026-11-20T09:00:00Z&to=2026-11-20T08:00:00Z", "to", "range_reversed"],
    ] as const) {
      const { status, body } = await t.call("GET", `/api/v1/${path}`);
      expect([path, status, body.errors]).toEqual([path, 400, [expect.objectContaining({ parameter, code })]]);
    }
  });

  test("there are no figures about a schedule that is not there", async () => {
    expect(await t.call("GET", "/api/v1/schedules/nobody/stats")).toMatchObject({
      status: 404,
      body: { code: "schedule_not_found" },
    });
  });

  interface Planned {
    /** Before now. */
    agoMs: number;
    outcome?: PlannedFire["outcome"];
    /** How its task ended, how late it started and how long it ran; left out: it waits. */
    ended?: { state: FinalState; lateMs: number; ranMs: number };
  }

  /** A schedule that fired so, each task by the store's own ways. */
  async function fired(fires: Planned[]): Promise<void> {
    await t.call("PUT", "/api/v1/schedules/s", { every: "1h", task: { type: "a" } });
    const ids = createIdSource({ cell: 0, slot: 99 });
    const ends = new Map<bigint, NonNullable<Planned["ended"]>>();
    await t.store.planSchedules({ before: START + MINUTE_MS, limit: 10, now: START }, (schedule) => ({
      plannedUntil: START + MINUTE_MS,
      nextFireAt: null,
      fires: fires.map(({ agoMs, outcome = "task", ended }) => {
        const fireAt = START - agoMs;
        const id = ids.next(fireAt);
        if (ended) ends.set(id, ended);
        return {
          fireAt,
          outcome,
          reason: null,
          caughtUp: false,
          task:
            outcome === "task"
              ? {
                  id,
                  namespace: "default",
                  type: "a",
                  queue: "default",
                  priority: 5,
                  dueAt: fireAt,
                  policy: defaultPolicy,
                  payload: null,
                  trigger: "schedule",
                  scheduleId: schedule.id,
                  fireAt,
                  uniqueKey: null,
                  tags: [],
                  replayOf: null,
                }
              : null,
        };
      }),
    }));
    if (ends.size === 0) return;
    const session = (await t.store.openSession({ node: "n", url: null, now: START })).id;
    const [lane] = await t.store.lanes();
    const claimed = await t.store.claim({
      session,
      targets: [{ laneId: lane!.id, band: 2, limit: fires.length }],
      until: START,
      limit: fires.length,
      now: START,
    });
    await t.store.recordOutcomes(
      claimed
        .filter(({ id }) => ends.has(id))
        .map(({ id, token, dueAt }) => {
          const { state, lateMs, ranMs } = ends.get(id)!;
          const startedAt = Math.max(dueAt, idCreatedAt(id)) + lateMs;
          const decision = { kind: "final" as const, state, result: null, error: null, reason: null };
          return { id, token, decision, startedAt, finishedAt: startedAt + ranMs, worker: "w", lost: false };
        }),
    );
  }

  test("a schedule shows what became of its fires, how late they started and how long they ran", async () => {
    await fired([
      { agoMs: 5 * MINUTE_MS, ended: { state: "succeeded", lateMs: 2, ranMs: 100 } },
      { agoMs: 4 * MINUTE_MS, ended: { state: "succeeded", lateMs: 4, ranMs: 300 } },
      { agoMs: 3 * MINUTE_MS, ended: { state: "failed", lateMs: 2_000, ranMs: 500 } },
      { agoMs: 2 * MINUTE_MS, outcome: "skipped" },
      { agoMs: MINUTE_MS, outcome: "missed" },
    ]);
    const { status, body } = await t.call("GET", "/api/v1/schedules/s/stats");
    expect(status).toBe(200);
    expect(scheduleStats.parse(body)).toEqual(body);
    expect(body).toMatchObject({
      window: "24h",
      from: "2026-11-19T10:00:00.000Z",
      to: "2026-11-20T10:00:00.000Z",
      complete: true,
      fires: 5,
      outcomes: { task: 3, skipped: 1, missed: 1, withdrawn: 0 },
      tasks: { succeeded: 2, failed: 1, queued: 0, running: 0, forgotten: 0 },
      successRate: 2 / 3,
      lateness: { p50Ms: 4, p99Ms: 2_000, maxMs: 2_000 },
      duration: { p50Ms: 300, p99Ms: 500, maxMs: 500 },
    });
    const counted = body.lateness.histogram.filter(({ count }: { count: number }) => count > 0);
    expect(counted).toEqual([
      { toMs: 2, count: 1 },
      { toMs: 5, count: 1 },
      { toMs: 2_500, count: 1 },
    ]);
    expect((await t.call("GET", "/api/v1/schedules/s/stats?window=150s")).body).toMatchObject({
      window: "2m30s",
      fires: 2,
    });
    const range = "from=2026-11-20T09:55:00Z&to=2026-11-20T09:57:00Z";
    expect((await t.call("GET", `/api/v1/schedules/s/stats?${range}`)).body).toMatchObject({ window: "2m", fires: 2 });
  });

  test("a schedule without fires has figures that say so", async () => {
    await fired([]);
    const nothing = { p50Ms: null, p99Ms: null, maxMs: null };
    const { body } = await t.call("GET", "/api/v1/schedules/s/stats");
    expect(body).toMatchObject({
      fires: 0,
      complete: true,
      successRate: null,
      lateness: nothing,
      duration: nothing,
    });
  });

  test("a fire whose task was deleted still counts, and its task as forgotten", async () => {
    await fired([{ agoMs: MINUTE_MS, ended: { state: "succeeded", lateMs: 2, ranMs: 100 } }]);
    const { body } = await t.call("GET", "/api/v1/tasks?schedule=s");
    expect((await t.call("DELETE", `/api/v1/tasks/${body.tasks[0].id}`)).status).toBe(204);
    expect((await t.call("GET", "/api/v1/schedules/s/stats")).body).toMatchObject({
      fires: 1,
      outcomes: { task: 1 },
      tasks: { succeeded: 0, forgotten: 1 },
      successRate: null,
      lateness: { maxMs: null },
    });
  });

  test("of more fires than are looked at, the latest are counted, and the answer says from where on", async () => {
    await fired(
      Array.from({ length: STATS_FIRES + 5 }, (_, index) => ({ agoMs: (index + 1) * 1_000, outcome: "skipped" })),
    );
    expect((await t.call("GET", "/api/v1/schedules/s/stats")).body).toMatchObject({
      complete: false,
      from: new Date(START - STATS_FIRES * 1_000).toISOString(),
      fires: STATS_FIRES,
      outcomes: { skipped: STATS_FIRES },
    });
  });
});
