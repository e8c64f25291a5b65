/**
 * Years of schedules in virtual time: the planner on the memory store, while schedules are made, changed, paused, resumed and deleted,
 * clocks change, planners fall behind and nobody is alive for a minute or a month. In the end the ledger is what the oracle says. Short
 * here; `npm run prove:time` takes 1,000 schedules through ten years.
 */
import { createIdSource, type Id } from "@carillon/core";
import { createMemoryDatabase, createMemoryStore } from "@carillon/store";
import {
  checkLedger,
  type Downtime,
  expectedFires,
  type OracleRule,
  type ScheduleState,
  seededRandom,
} from "@carillon/testkit";
import { expect, test } from "vitest";
import { createPlanner } from "../src/loops/planner.ts";

const long = process.env.CARILLON_PROVE === "long";
const seed = Number(process.env.CARILLON_TEST_SEED ?? Date.now() % 1_000_000);
const [SCHEDULES, YEARS] = long ? [100, 10] : [25, 0.5];
/** One after the other, as their ledgers take memory. */
const BATCHES = Number(process.env.CARILLON_PROVE_BATCHES ?? (long ? 10 : 1));

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A planner plans anew what has less than this before it. */
const REPLAN_MS = 30_000;

const ZONES = [
  ...["UTC", "Europe/Paris", "America/New_York", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "America/Havana"],
  ...["Australia/Lord_Howe", "Atlantic/Azores", "Antarctica/Troll", "America/Nuuk", "Pacific/Chatham", "Asia/Kolkata"],
  ...["Africa/Casablanca", "Pacific/Easter", "Europe/London", "Asia/Gaza", "Pacific/Apia", "America/St_Johns"],
];

test(`${BATCHES * SCHEDULES} schedules through ${YEARS * 12} months: the ledger is what was expected (seed ${seed})`, {
  timeout: long ? 7_200_000 : 60_000,
}, async () => {
  const total = { fires: 0, changes: 0, downtimes: 0 } as Record<string, number>;
  for (let batch = 0; batch < BATCHES; batch++) {
    const world = createWorld(seededRandom(seed + batch));
    await world.live(YEARS * 365 * DAY);
    const { fires, expected, changes, downtimes } = world.account();
    expect(checkLedger({ fires, expectedFires: expected }).slice(0, 20)).toEqual([]);
    total.fires! += fires.length;
    total.changes! += changes;
    total.downtimes! += downtimes;
    for (const { outcome } of fires) total[outcome] = (total[outcome] ?? 0) + 1;
  }
  console.log(`years: ${JSON.stringify({ seed, schedules: BATCHES * SCHEDULES, years: YEARS, ...total })}`);
  for (const outcome of long ? ["task", "skipped", "missed", "withdrawn"] : ["task"]) {
    expect(total[outcome]).toBeGreaterThan(0);
  }
});

function createWorld(random: () => number) {
  const startAt = Date.UTC(2026, 0, 1);
  let now = startAt;
  // Long after its start: it knows what the namespace declares, and what it finds left behind it plans.
  let sinceStartMs = 0;
  const clock = { now: () => now, monotonic: () => sinceStartMs, after: () => () => {} };
  const database = createMemoryDatabase({ now: () => now });
  const store = createMemoryStore(database);
  const ids = createIdSource({ cell: 0, slot: 1 });
  const log = { debug() {}, info() {}, warn() {}, error: (facts: object) => expect.unreachable(JSON.stringify(facts)) };
  const planner = createPlanner({ store, clock, ids, log, noticeCreated() {} });
  sinceStartMs = MINUTE;
  const lives: { id: Id; name: string; states: ScheduleState[] }[] = [];
  const downtimes: Downtime[] = [];
  let changes = 0;

  const under = (size: number) => Math.floor(random() * size);
  const oneOf = <Item>(items: readonly Item[]): Item => items[under(items.length)]!;
  const cron = (minute: number, hours: string, dom = "*", dow = "*") => `${minute} ${hours} ${dom} * ${dow}`;
  const randomCron = () =>
    oneOf([
      () => cron(under(60), String(under(24))),
      () => cron(30 * under(2), String(under(4))),
      () => cron(15 * under(4), `${under(3)},${20 + under(4)}`),
      () => cron(0, "*/6"),
      () => cron(under(60), String(under(4)), "*", String(under(7))),
      () => cron(under(60), String(under(24)), "L"),
      () => cron(under(60), String(under(4)), String(1 + under(31))),
      () => cron(under(60), String(under(4)), "*", `${under(7)}#${1 + under(5)}`),
    ])();

  function randomRule(): OracleRule {
    const kind = random();
    const what =
      kind < 0.75
        ? { cron: randomCron(), every: null }
        : kind < 0.85
          ? { cron: null, every: oneOf(["7h", "1d", "36h", "100h"]) }
          : {
              cron: null,
              every: null,
              rules: [{ cron: randomCron() }, random() < 0.5 ? { cron: randomCron() } : { every: "17h" }],
            };
    const soon = (chance: number, within: number) =>
      random() < chance ? new Date(now + under(within / MINUTE) * MINUTE).toISOString() : null;
    return {
      ...what,
      timeZone: oneOf(ZONES),
      dialect: "ocps",
      dst: { gap: oneOf(["next", "skip", "shift"]), overlap: oneOf(["first", "second", "both"]) },
      startAt: soon(0.1, 20 * DAY),
      endAt: soon(0.05, 400 * DAY),
    };
  }

  function randomState(over: Partial<ScheduleState>): ScheduleState {
    const catchUp = {
      policy: oneOf(["skip", "last", "all"] as const),
      windowMs: oneOf([HOUR, DAY, 7 * DAY, 365 * DAY]),
      limit: oneOf([1, 5, 100, 1_000]),
    };
    const maxFires = random() < 0.1 ? 1 + under(500) : null;
    return { at: now, rule: randomRule(), catchUp, paused: false, maxFires, edited: false, ...over };
  }

  async function put(name: string, state: ScheduleState, id = ids.next(now)): Promise<Id> {
    const rule = {
      ...state.rule!,
      cron: state.rule!.cron ?? null,
      every: state.rule!.every ?? null,
      maxFires: state.maxFires,
    };
    const jitter = random() < 0.1 ? "10m" : null;
    const rules = rule.rules?.map((source) => ({ ...source })) as { cron: string }[] | undefined;
    const answer = await store.putSchedule({
      id,
      namespace: "default",
      name,
      definition: {
        rule: { ...rule, jitter, rules: rules! },
        catchUp: state.catchUp,
        overlap: "allow",
        task: {
          type: "t",
          payload: String(changes++),
          queue: null,
          priority: 5,
          retry: null,
          timeoutMs: null,
          tags: [],
        },
      },
      now,
      nextFireAt: null,
    });
    if (!("schedule" in answer)) throw new Error(answer.kind);
    return answer.schedule.id;
  }

  async function change(life: (typeof lives)[number]): Promise<void> {
    const last = life.states.at(-1)!;
    if (last.rule === null) return;
    const what = random();
    if (what < 0.5) {
      const state = randomState({ paused: last.paused, edited: true });
      life.states.push(state);
      await put(life.name, state);
    } else if (what < 0.9) {
      const paused = !last.paused;
      life.states.push({ ...last, at: now, paused, edited: false });
      await store.setPaused("default", life.name, { paused, reason: null, now });
    } else {
      life.states.push({ ...last, at: now, rule: null, edited: true });
      await store.deleteSchedule("default", life.name, now);
      await make();
    }
    changes++;
  }

  async function make(): Promise<void> {
    const name = `s-${lives.length}`;
    const state = randomState({});
    lives.push({ name, states: [state], id: await put(name, state) });
  }

  async function plan(): Promise<void> {
    while ((await planner.round()) === 0);
  }

  /** What is due runs, and is forgotten but for the ledger. */
  async function runTasks(): Promise<void> {
    const { id: session } = await store.openSession({ node: "node", url: null, now });
    const lanes = await store.lanes();
    const targets = ([1, 2, 3] as const).flatMap((band) => lanes.map(({ id }) => ({ laneId: id, band, limit: 1e6 })));
    const claimed = await store.claim({ session, targets, until: now, limit: 1e6, now });
    const decision = { kind: "final", state: "succeeded", result: null, error: null, reason: null } as const;
    const ran = { worker: "w", startedAt: now, finishedAt: now, lost: false };
    await store.recordOutcomes(claimed.map(({ id, token }) => ({ id, token, ...ran, decision })));
    await store.closeSession(session, now);
    database.archive.clear();
    database.sessions.clear();
  }

  return {
    async live(length: number): Promise<void> {
      for (let n = 0; n < SCHEDULES; n++) await make();
      const end = startAt + length;
      const between = (often: number) => now + 1 + Math.floor(-Math.log(1 - random()) * often);
      /** Half of the changes come when the fire after them is already planned, or nearly so. */
      const soonChanged = () => {
        const life = oneOf(lives);
        const fireAt = database.schedules.get(life.id)!.nextFireAt ?? 0;
        const at = random() < 0.5 ? 0 : fireAt - under(70_000);
        return { life, at: at > now ? at : between((90 * DAY) / SCHEDULES) };
      };
      let next = soonChanged();
      let nextDowntime = between(60 * DAY);
      let nextCleaning = now + 7 * DAY;
      while (now < end) {
        await plan();
        const marks = [...database.schedules.values()].filter(
          ({ deletedAt, past }) => deletedAt === null || past.length > 0,
        );
        const nextPlan = Math.min(...marks.map(({ plannedUntil }) => plannedUntil)) - REPLAN_MS + 1;
        now = Math.max(now + 1, Math.min(end, nextPlan, next.at, nextDowntime));
        if (now >= nextDowntime) {
          await plan();
          const from = now;
          now += Math.floor(MINUTE * (30 * 24 * 60) ** random());
          await store.recordDowntime({ from, until: now });
          downtimes.push({ from, until: now, decidedAt: now });
          nextDowntime = between(60 * DAY);
          if (random() < 0.3) await change(oneOf(lives));
        } else if (now >= next.at) {
          // Now and then planners have more to do than they can, and the change comes before they get there.
          if (random() < 0.1) now += under(HOUR);
          await change(next.life);
          next = soonChanged();
        }
        if (now >= nextCleaning) {
          await plan();
          await runTasks();
          nextCleaning = now + 7 * DAY;
        }
      }
      await plan();
    },
    account() {
      const until = now;
      return {
        changes,
        downtimes: downtimes.length,
        fires: lives.flatMap(({ id, name }) =>
          [...database.fires.get(id)!.values()]
            .filter(({ fireAt }) => fireAt <= until)
            .map(({ fireAt, outcome, caughtUp }) => ({ schedule: name, fireAt, outcome, caughtUp, task: null })),
        ),
        expected: lives.flatMap(({ name, states }) =>
          expectedFires(states, downtimes, until).map((fire) => ({ schedule: name, ...fire })),
        ),
      };
    },
  };
}
