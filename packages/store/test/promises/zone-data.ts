import type { FireShift } from "@carillon/core";
import type { AdoptionAnswer, ScheduleToShift } from "@carillon/store";
import { expect } from "vitest";
import { plan, put, schedule } from "./schedules.ts";
import type { Promises, World } from "./world.ts";

const OLD = "2025c";
const NEW = "2026a";

export const zoneData: Promises = {
  "new zone data withdraws what it moved, goes back for what it added, and leaves the rest as it was": async (t) => {
    await put(t);
    await plan(t, [10, 20, 30], "task", undefined, { zoneData: OLD });
    const before = (await schedule(t))!;
    const asked: ScheduleToShift[] = [];
    const { changes, schedules } = await adopt(t, { removed: [20], added: [25], next: 10 }, asked);
    expect(asked).toMatchObject([{ name: before.name, zoneData: OLD, plannedUntil: before.plannedUntil }]);
    expect(asked[0]!.ahead).toEqual(
      [10, 20, 30].map((second) => ({ fireAt: at(t, second), outcome: "task", waits: true })),
    );
    expect(schedules).toBe(1);
    expect(changes).toEqual([
      {
        at: t.now,
        namespace: t.namespace,
        schedule: before.name,
        from: OLD,
        to: NEW,
        removed: [at(t, 20)],
        added: [at(t, 25)],
        nextFireAt: { before: null, after: at(t, 10) },
      },
    ]);
    expect(await t.store.zoneChanges(t.namespace, { limit: 10 })).toEqual(changes);
    expect(await t.store.zoneChanges("somebody else", { limit: 10 })).toEqual([]);
    const after = (await schedule(t))!;
    expect(after).toMatchObject({ version: before.version, plannedUntil: t.now, fires: 2, nextFireAt: at(t, 10) });
    const { items } = await t.store.listFires(after.id, { from: 0, to: at(t, 60), pageSize: 10, after: null });
    expect(items).toMatchObject([
      { fireAt: at(t, 10), outcome: "task" },
      { fireAt: at(t, 20), outcome: "withdrawn", reason: `zone_data:${NEW}`, task: null },
      { fireAt: at(t, 30), outcome: "task" },
    ]);
    // It is the plan of the new data now.
    expect(await adopt(t, { removed: [], added: [] })).toMatchObject({ schedules: 0, changes: [] });
  },
  "a next fire that has only come and gone since it was planned is no change": async (t) => {
    await put(t);
    await plan(t, [70], "task", undefined, { zoneData: OLD, next: 60 });
    t.now += 65_000;
    expect(await adopt(t, { removed: [], added: [], next: 5 })).toMatchObject({ schedules: 1, changes: [] });
  },
  "a task that a node holds already is not withdrawn by new zone data": async (t) => {
    await put(t);
    await plan(t, [0.2], "task", undefined, { zoneData: OLD });
    await t.claim({ until: t.now + 300 });
    const asked: ScheduleToShift[] = [];
    const { changes } = await adopt(t, { removed: [0.2], added: [] }, asked);
    expect(asked[0]!.ahead).toMatchObject([{ outcome: "task", waits: false }]);
    expect(changes).toEqual([]);
  },
  "nodes that adopt zone data at once share the schedules, and each change is made and told once": async (t) => {
    const names = Array.from({ length: 6 }, (_, index) => `s-${index}`);
    for (const name of names) await put(t, { name });
    await plan(t, [10], "task", undefined, { zoneData: OLD });
    const answers: { changes: { schedule: string }[] }[] = [];
    for (let round = 0; round < 3; round++)
      answers.push(
        ...(await Promise.all([adopt(t, { removed: [10], added: [] }), adopt(t, { removed: [10], added: [] })])),
      );
    expect(answers.flatMap(({ changes }) => changes.map(({ schedule }) => schedule)).sort()).toEqual(names);
    expect(await t.store.zoneChanges(t.namespace, { limit: 10 })).toHaveLength(6);
  },
  "older zone data leaves the plans of newer alone while a node that has it lives": async (t) => {
    await put(t);
    await plan(t, [10], "task", undefined, { zoneData: NEW });
    const { id: newer } = await t.store.openSession({ node: "node-3", url: null, now: t.now, zoneData: NEW });
    const older = { version: OLD, now: t.now, limit: 10 };
    expect(await t.store.adoptZoneData(older, () => null)).toEqual({ kind: "older", newest: NEW });
    await t.store.closeSession(newer, t.now);
    expect(await t.store.adoptZoneData(older, () => null)).toMatchObject({ kind: "adopted", schedules: 1 });
  },
};

const at = (t: World, seconds: number): number => t.now + seconds * 1_000;

/** Fires in seconds from now. */
async function adopt(
  t: World,
  { removed, added, next = null }: { removed: number[]; added: number[]; next?: number | null },
  asked: ScheduleToShift[] = [],
): Promise<Extract<AdoptionAnswer, { kind: "adopted" }>> {
  const shift: FireShift = {
    removed: removed.map((second) => at(t, second)),
    added: added.map((second) => at(t, second)),
    nextFireAt: next === null ? null : at(t, next),
  };
  const answer = await t.store.adoptZoneData({ version: NEW, now: t.now, limit: 4 }, (schedule) => {
    asked.push(schedule);
    return shift;
  });
  if (answer.kind !== "adopted") throw new Error(answer.kind);
  return answer;
}
