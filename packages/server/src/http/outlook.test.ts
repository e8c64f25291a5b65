import { createIdSource, defaultPolicy } from "@carillon/core";
import type { PlannedFire, ScheduleToPlan } from "@carillon/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, START, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";
import { FIRES_OF_A_RULE } from "../operations/schedule-load.ts";

const SCHEDULES = "/api/v1/schedules";
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
  });
  afterEach(() => t.close());

  const put = (name: string, rule: object) => t.call("PUT", `${SCHEDULES}/${name}`, { task: { type: "a" }, ...rule });
  const explain = async (at?: string) =>
    (await t.call("GET", `${SCHEDULES}/s/explain${at === undefined ? "" : `?at=${at}`}`)).body;
  const codes = async (at?: string) => (await explain(at)).reasons.map(({ code }: { code: string }) => code);

  /** Plans this fire of each schedule. */
  async function plan(fire: Pick<PlannedFire, "fireAt" | "outcome"> & Partial<PlannedFire>): Promise<void> {
    const ids = createIdSource({ cell: 0, slot: 99 });
    const taskOf = ({ id: scheduleId, namespace }: ScheduleToPlan) => ({
      id: ids.next(t.clock.now()),
      namespace,
      type: "a",
      queue: "letters",
      priority: 5,
      dueAt: fire.fireAt,
      policy: defaultPolicy,
      payload: null,
      trigger: "schedule" as const,
      scheduleId,
      fireAt: fire.fireAt,
      uniqueKey: null,
      tags: [],
      replayOf: null,
    });
    await t.store.planSchedules({ before: t.clock.now() + HOUR_MS, limit: 10, now: t.clock.now() }, (schedule) => ({
      plannedUntil: t.clock.now() + MINUTE_MS,
      nextFireAt: null,
      fires: [
        {
          reason: null,
          caughtUp: false,
          task: fire.outcome === "task" ? taskOf(schedule) : null,
          ...fire,
        },
      ],
    }));
  }

  test("a schedule says what its next fire will do, and what another instant would", async () => {
    await put("s", { cron: "30 2 * * *", timeZone: "Europe/Paris" });
    expect(await explain()).toEqual({
      summary: "The fire of 2026-11-21T02:30:00+01:00[Europe/Paris] is expected: its task is made shortly before.",
      reasons: [expect.objectContaining({ code: "expected", until: "2026-11-21T01:30:00.000Z", refs: [] })],
    });
    expect(await explain("2026-11-22T02:30[Europe/Paris]")).toMatchObject({ reasons: [{ code: "expected" }] });
    expect(await codes("2026-11-22T02:00:00Z")).toEqual(["no_fire", "previous_fire", "next_fire"]);
    expect(await codes("2020-11-22T01:30:00Z")).toEqual(["before_creation", "next_fire"]);
    await t.call("POST", `${SCHEDULES}/s:pause`, { reason: "holidays" });
    expect((await explain()).summary).toContain("paused since 2026-11-20T10:00:00.000Z (holidays)");
    expect(await t.call("GET", `${SCHEDULES}/nobody/explain`)).toMatchObject({ body: { code: "schedule_not_found" } });
  });

  test("a fire whose task waits, started late, or is gone says so", async () => {
    await put("s", { every: "30s" });
    await plan({ fireAt: START + 30_000, outcome: "task" });
    const at = "2026-11-20T10:00:30Z";
    expect(await codes(at)).toEqual(["due_later"]);
    t.clock.advance(90_000);
    expect((await explain(at)).summary).toBe(
      "The fire of 2026-11-20T10:00:30+00:00[UTC] has its task: its task has waited 1m in the queue letters for a worker that runs a and has a free slot.",
    );
    const { refs } = await t.claim();
    const now = t.clock.now();
    const decision = { kind: "final" as const, state: "succeeded" as const, result: null, error: null, reason: null };
    await t.store.recordOutcomes([
      { ...refs[0]!, decision, startedAt: now, finishedAt: now + 5, worker: "w", lost: false },
    ]);
    const late = await explain(at);
    expect(late.summary).toBe(
      "The fire of 2026-11-20T10:00:30+00:00[UTC] started 1m late: its task waited 1m in the queue letters until a worker for a took it; its task succeeded.",
    );
    const [id] = late.reasons[0].refs;
    expect((await t.call("DELETE", `/api/v1/tasks/${id}`)).status).toBe(204);
    expect(await codes(at)).toEqual(["forgotten"]);
  });

  test("a missed fire names the time without a node, a withdrawn one the change", async () => {
    await put("s", { every: "30s", catchUp: { policy: "skip" } });
    t.clock.advance(HOUR_MS);
    await t.store.recordDowntime({ from: START, until: START + HOUR_MS });
    await plan({ fireAt: START + 30_000, outcome: "missed", reason: "no_node" });
    expect((await explain("2026-11-20T10:00:30Z")).summary).toBe(
      "The fire of 2026-11-20T10:00:30+00:00[UTC] was missed, because no node was alive from 2026-11-20T10:00:00.000Z to 2026-11-20T11:00:00.000Z; its catch-up policy runs no missed fire.",
    );
    await plan({ fireAt: START + HOUR_MS + 30_000, outcome: "task" });
    await put("s", { every: "45m" });
    expect(await codes("2026-11-20T11:00:30Z")).toEqual(["withdrawn", "next_fire"]);
  });

  interface Load {
    counts: number[];
    peaks: { at: string; fires: number; spread: { jitter: string; schedules: number; fires: number } | null }[];
    [field: string]: unknown;
  }
  const load = async (query = ""): Promise<Load> => (await t.call("GET", `${SCHEDULES}:load${query}`)).body;

  test("the load of the next 24 hours by the minute, with its peaks and how to spread them", async () => {
    for (let index = 0; index < 30; index++) await put(`herd-${index}`, { cron: "0 */6 * * *" });
    await put("often", { every: "1h", startAt: "2026-11-20T10:30:00Z" });
    await put("paused", { every: "1s", paused: true });
    const { counts, peaks, ...rest } = await load();
    expect(rest).toEqual({
      from: "2026-11-20T10:00:00.000Z",
      to: "2026-11-21T10:00:00.000Z",
      step: "1m",
      schedules: 31,
      fires: 30 * 4 + 24,
      complete: true,
    });
    expect(counts).toHaveLength(1_440);
    expect([counts[0], counts[30], counts[120]]).toEqual([0, 1, 30]);
    expect(peaks).toHaveLength(3);
    expect(peaks[0]).toEqual({
      at: "2026-11-20T12:00:00.000Z",
      fires: 30,
      spread: {
        jitter: "5m",
        schedules: 30,
        fires: 6,
        message:
          "2026-11-20T12:00:00.000Z: 30 fires; a jitter of 5m on the 30 schedules that have none would bring it to about 6.",
      },
    });
  });

  test("a jitter counts where it puts the tasks, and makes the peak smaller", async () => {
    const day = "?from=2026-11-20T11:55:00Z&to=2026-11-20T12:15:00Z";
    for (let index = 0; index < 40; index++) await put(`herd-${index}`, { cron: "0 12 * * *", jitter: "10m" });
    const { counts, fires, step } = await load(day);
    expect({ fires, step }).toEqual({ fires: 40, step: "1m" });
    expect(Math.max(...counts)).toBeLessThan(20);
    expect(counts.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
    // Those that are due late are in a range that begins after their fire.
    const rest = await load("?from=2026-11-20T12:03:00Z&to=2026-11-20T12:15:00Z");
    expect(rest.counts).toEqual(counts.slice(8));
  });

  test("a schedule that ends after so many fires brings no more than those", async () => {
    await put("s", { every: "30s", maxFires: 5 });
    const range = "?from=2026-11-20T10:00:30Z";
    expect((await load(range)).fires).toBe(5);
    await plan({ fireAt: START + 30_000, outcome: "task" });
    t.clock.advance(45_000);
    // Two up to where it is planned, and what is left of five.
    expect((await load(range)).fires).toBe(2 + 4);
  });

  test("steps and range are the caller's, within bounds, and what is cut is said", async () => {
    await put("each-second", { every: "1s" });
    const hour = await load("?from=2027-01-01T00:00:00Z&to=2027-01-01T01:00:30Z&step=15m");
    expect(hour).toMatchObject({ counts: [900, 900, 900, 900, 30], complete: true, peaks: expect.anything() });
    expect((await load("?to=2026-12-10T00:00:00Z")).step).toBe("1h");
    const cut = await load("?from=2027-01-01T00:00:00Z&to=2027-01-08T00:00:00Z&step=1h");
    expect(cut).toMatchObject({ complete: false, fires: FIRES_OF_A_RULE });
    expect((await load("?from=9999-12-31T23:59:00Z")).fires).toBeGreaterThan(0);
  });
});

test("the rules of many schedules are read in pages, each counted once, and others have their turn in between", async () => {
  const clock = manualClock();
  let ticks = 0;
  // Each look at the clock takes a millisecond of it.
  const t = await startApp({ clock: { ...clock, monotonic: () => ticks++ } as typeof clock });
  const definition = (cron: string) => ({
    rule: {
      cron,
      every: null,
      timeZone: "UTC",
      dialect: "ocps" as const,
      dst: { gap: "next" as const, overlap: "first" as const },
      jitter: null,
      startAt: null,
      endAt: null,
      maxFires: null,
    },
    catchUp: { policy: "skip" as const, windowMs: 0, limit: 1 },
    overlap: "allow" as const,
    task: { type: "a", payload: null, queue: null, priority: 5, retry: null, timeoutMs: null, tags: [] },
  });
  const ids = createIdSource({ cell: 0, slot: 99 });
  for (let index = 0; index < 2_500; index++) {
    await t.store.putSchedule({
      id: ids.next(START),
      namespace: index === 0 ? "another" : "default",
      name: `s-${index}`,
      definition: definition(`${index % 60} 9 * * *`),
      now: START,
      nextFireAt: null,
    });
  }
  let turns = 0;
  let answered = false;
  const others = () => {
    turns++;
    if (!answered) setImmediate(others);
  };
  setImmediate(others);
  const { body } = await t.call("GET", `${SCHEDULES}:load`);
  answered = true;
  expect(body).toMatchObject({ schedules: 2_499, fires: 2_499, complete: true });
  expect(turns).toBeGreaterThan(100);
  await t.close();
});
