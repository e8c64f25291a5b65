import { dependsOnZoneData, type ScheduleRule, shiftFires } from "@carillon/core";
import type { ScheduleToShift } from "@carillon/store";
import fc from "fast-check";
import { command } from "../command.ts";
import { same, unordered } from "../world.ts";

export const zoneVersions = fc.constantFrom("2025c", "2026a", "2026b");

/** What zone data does to a rule: here it moves fires of rules that look at the wall clock by seconds. */
export function ruleUnder(version: string, rule: ScheduleRule): ScheduleRule {
  if (rule.cron === null || version === "2025c") return rule;
  return { ...rule, cron: version === "2026a" ? "10-59/20 * * * * *" : "*/30 * * * * *" };
}

const adoptZoneData = command(
  "adoptZoneData",
  fc.record({ version: zoneVersions, limit: fc.constantFrom(1, 50) }),
  async (world, { version, limit }) => {
    const { now } = world;
    await same(
      world,
      async (store) => {
        const asked: ScheduleToShift[] = [];
        const answer = await store.adoptZoneData({ version, now, limit }, (schedule) => {
          const { id, definition, calendars, plannedUntil, paused, fires: firesSoFar, ahead } = schedule;
          asked.push(schedule);
          if (!dependsOnZoneData(definition.rule)) return null;
          const rule = ruleUnder(version, definition.rule);
          const { catchUp } = definition;
          return shiftFires({ id, rule, catchUp, calendars, plannedUntil, paused, firesSoFar }, ahead, now);
        });
        return { answer, asked };
      },
      // Marks may be equal, and nobody promises the order then.
      ({ answer, asked }, side) =>
        answer.kind === "older"
          ? answer
          : {
              schedules: answer.schedules,
              ...(limit > 1 ? { changes: unordered(side, answer.changes), asked: unordered(side, asked) } : {}),
            },
    );
  },
);

const zoneChanges = command("zoneChanges", fc.constant(null), async (world) => {
  await same(
    world,
    (store) => store.zoneChanges(world.namespaces[0], { limit: 100 }),
    (changes, side) => unordered(side, changes),
  );
});

export const zoneDataCommands = [adoptZoneData, adoptZoneData, adoptZoneData, zoneChanges];
