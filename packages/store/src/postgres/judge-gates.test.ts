import { expect, test } from "vitest";
import type { SchedulePlan, ScheduleToPlan } from "../store.ts";
import { judgeGates } from "./judge-gates.ts";
import { planSchedules } from "./plan.ts";
import { putSchedule } from "./schedules.ts";
import { claimText, definition, MINUTE, NOON, type Setup, setup } from "./test-setup.ts";

type Overlap = "skip" | "queue-all";

async function schedule(t: Setup, name: string, overlap: Overlap) {
  const request = { id: t.nextId(), namespace: "default", name, now: NOON, nextFireAt: null };
  const answer = await putSchedule(t.db, { ...request, definition: { ...definition(), overlap } });
  if (!("schedule" in answer)) throw new Error(answer.kind);
  return answer.schedule.id;
}

/** So many fires, a second apart, the last of them due a second from now. */
const fires =
  (t: Setup, count: number) =>
  ({ id }: ScheduleToPlan): SchedulePlan => ({
    fires: Array.from({ length: count }, (_, index) => {
      const fireAt = NOON + 1_000 - (count - index - 1) * 1_000;
      const task = t.newTask({
        id: t.nextId(),
        scheduleId: id,
        gateId: id,
        trigger: "schedule",
        fireAt,
        dueAt: fireAt,
      });
      return { fireAt, outcome: "task" as const, reason: null, caughtUp: false, task };
    }),
    plannedUntil: NOON + MINUTE,
    nextFireAt: null,
  });

const plan = (t: Setup, count: number) =>
  planSchedules(t.db, t.catalog, { before: NOON + MINUTE, limit: 100, now: NOON }, fires(t, count));

test("nodes that judge a gate at once let one task through at a time, in the order of their fires", async () => {
  await using t = await setup();
  const id = await schedule(t, "report", "queue-all");
  await plan(t, 20);
  const session = await t.session();
  const now = NOON + 2_000;
  const ran: number[] = [];
  const judging = async () => {
    while (ran.length < 20) await judgeGates(t.pools, t.catalog, { ids: [id], now });
  };
  const working = async () => {
    while (ran.length < 20) {
      const open = await t.sql<{ id: bigint; at: number }>(
        "select id, (extract(epoch from fire_at) * 1000)::float8 as at from task where state <> 'waiting'",
      );
      expect(open.length).toBeLessThanOrEqual(1);
      if (!open[0]) continue;
      await t.sql(claimText, [open[0].id, session]);
      await t.finish(open[0].id, "succeeded");
      ran.push(open[0].at);
    }
  };
  await Promise.all([judging(), judging(), judging(), working()]);
  expect(ran).toEqual(Array.from({ length: 20 }, (_, index) => NOON + 1_000 - (19 - index) * 1_000));
  expect(await t.sql("select from gate")).toEqual([]);
});

test("a gate whose schedule is being changed is passed over, not waited for", async () => {
  await using t = await setup();
  const id = await schedule(t, "report", "skip");
  await plan(t, 1);
  await t.db.transaction(async (tx) => {
    await tx.query({ name: "", text: "select from schedule for update" }, []);
    const judged = await judgeGates(t.pools, t.catalog, { ids: [id], now: NOON + 1_000 });
    expect(judged.gates).toEqual([]);
  });
  const judged = await judgeGates(t.pools, t.catalog, { ids: [id], now: NOON + 1_000 });
  expect(judged).toMatchObject({ gates: [{ id, lookAt: null }], released: [{ priority: 5 }] });
});

test("more fires than are judged at once end all the same, each with one outcome", async () => {
  await using t = await setup();
  const id = await schedule(t, "report", "skip");
  await plan(t, 170);
  const rounds: (number | null)[] = [];
  do {
    const { gates } = await judgeGates(t.pools, t.catalog, { ids: [id], now: NOON + 1_000 });
    rounds.push(gates[0]!.lookAt);
  } while (rounds.at(-1) !== null);
  expect(rounds).toHaveLength(4);
  const outcomes = await t.sql("select outcome, count(*)::int from fire group by 1 order by 1");
  expect(outcomes).toEqual([
    { outcome: "skipped", count: 169 },
    { outcome: "task", count: 1 },
  ]);
});
