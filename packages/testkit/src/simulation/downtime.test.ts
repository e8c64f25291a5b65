/** A time in which no node is alive, over whole clusters in virtual time: what is caught up, how fast, and what becomes of new fires meanwhile. */
import type { CatchUp } from "@carillon/core";
import { expect, test } from "vitest";
import { checkHistory } from "../checkers.ts";
import { createSimulation } from "./simulation.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

const policies: Record<string, CatchUp> = {
  none: { policy: "skip", windowMs: DAY, limit: 100 },
  last: { policy: "last", windowMs: DAY, limit: 100 },
  "last-of-a-second": { policy: "last", windowMs: SECOND, limit: 100 },
  "a-hundred-of-a-day": { policy: "all", windowMs: DAY, limit: 100 },
  "seven-of-a-day": { policy: "all", windowMs: DAY, limit: 7 },
  "half-an-hour": { policy: "all", windowMs: HOUR / 2 + 5 * SECOND, limit: 1_000 },
};

/** How long nobody is alive, how often the schedules fire, and how many of each run after all. */
const downtimes: [string, number, number, Record<string, number>][] = [
  [
    "a minute",
    60 * SECOND,
    5 * SECOND,
    { none: 0, last: 1, "last-of-a-second": 0, "a-hundred-of-a-day": 10, "seven-of-a-day": 7, "half-an-hour": 10 },
  ],
  [
    "an hour",
    HOUR,
    20 * SECOND,
    { none: 0, last: 1, "last-of-a-second": 0, "a-hundred-of-a-day": 100, "seven-of-a-day": 7, "half-an-hour": 90 },
  ],
  [
    "30 days",
    30 * DAY,
    300 * SECOND,
    { none: 0, last: 1, "last-of-a-second": 0, "a-hundred-of-a-day": 100, "seven-of-a-day": 7, "half-an-hour": 6 },
  ],
];

test.each(downtimes)(
  "after %s without any node each policy runs what it says, at its pace, and new fires are on time",
  async (_, length, everyMs, runs) => {
    const simulation = createSimulation({ seed: 6, nodes: 2, workers: 2, concurrency: 4 });
    const { clock } = simulation;
    await clock.advance(5_250);
    for (const [name, catchUp] of Object.entries(policies)) await define(name, catchUp);
    await clock.advance(11_500);
    simulation.blackout(length);
    const backAt = clock.now();
    await clock.advance(Math.max(150 * SECOND, everyMs + 20 * SECOND));
    simulation.heal();
    await clock.advanceUntil(() => simulation.settled(), 60 * SECOND, 500);

    const history = simulation.history();
    expect(checkHistory(history)).toEqual([]);
    const caughtUp = history.fires.filter((fire) => fire.caughtUp);
    const counts = Object.keys(policies).map((name) => [
      name,
      caughtUp.filter(({ schedule }) => schedule === name).length,
    ]);
    expect(Object.fromEntries(counts)).toEqual(runs);

    const started = new Map<string, { at: number; dueAt: number }>();
    for (const line of history.journal)
      if (line.kind === "started" && !started.has(line.task)) started.set(line.task, line);
    for (const name of Object.keys(policies)) {
      const own = caughtUp.filter(({ schedule }) => schedule === name).sort((a, b) => a.fireAt - b.fireAt);
      // One a second, in their order.
      for (const [rank, { task }] of own.entries()) {
        expect(started.get(task!)!.at).toBeGreaterThanOrEqual(backAt + rank * SECOND);
      }
    }
    // From when it is known that everybody was dead.
    const fresh = history.fires.filter(({ fireAt, task }) => fireAt > backAt + 15 * SECOND && task !== null);
    expect(fresh.length).toBeGreaterThan(0);
    for (const { task, fireAt } of fresh) expect(started.get(task!)!.at - fireAt).toBeLessThan(50);

    /** Schedules at work for a third of the workers' time, when they catch up one a second. */
    async function define(name: string, catchUp: CatchUp) {
      const defined = simulation.schedule(name, everyMs, { catchUp, work: { ms: 700 } });
      await clock.advance(1);
      await defined;
    }
  },
);
