/**
 * The engine against the oracle of this folder. Short here; the figures of docs/internals/time.md come from the long form,
 * `npm run prove:time`: every change from 1970 to 2037, and 1,000,000 random expressions.
 */
import { nextFire, parseCron, type WallRule } from "@carillon/core";
import { expect, test } from "vitest";
import { AROUND_MS, readCases } from "../../../../bench/src/time/cases.ts";
import { seededRandom } from "../random.ts";
import {
  type Change,
  type Dialect,
  firesOf,
  type Policy,
  randomCron,
  readPlainly,
  WallClock,
  walk,
  walkFires,
} from "./index.ts";

const long = process.env.CARILLON_PROVE === "long";
const seed = Number(process.env.CARILLON_TEST_SEED ?? Date.now() % 1_000_000);
const EXPRESSIONS = Number(process.env.CARILLON_PROVE_EXPRESSIONS ?? (long ? 1_000_000 : 1_000));
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const zones = Intl.supportedValuesOf("timeZone");
const limit = { timeout: long ? 7_200_000 : 60_000 };

const gaps = ["next", "skip", "shift"] as const;
const overlaps = ["first", "second", "both"] as const;
const policies: Policy[] = gaps.flatMap((gap) => overlaps.map((overlap) => ({ gap, overlap })));

function engineOf(expression: string, dialect: Dialect = "ocps"): WallRule | null {
  const cron = parseCron(expression, { dialect });
  return "code" in cron ? null : cron;
}

/** With `from <= fire <= until`, at most so many. */
function engineFires(
  rule: WallRule,
  zone: string,
  policy: Policy,
  from: number,
  until: number,
  most = 100_000,
): number[] {
  const found: number[] = [];
  for (let at = nextFire(rule, zone, policy, from - 1); at !== null && at <= until && found.length < most; ) {
    found.push(at);
    at = nextFire(rule, zone, policy, at);
  }
  return found;
}

const shown = (fires: number[]) => fires.map((at) => new Date(at).toISOString().slice(5, 19)).join(" ");

test("the cases that other engines are compared by say what a walk through the minutes finds", () => {
  const wrong = readCases().filter(({ zone, at, expression, fires }) => {
    const [from, until] = [Date.parse(at) - AROUND_MS, Date.parse(at) + AROUND_MS];
    const found = walkFires(readPlainly(expression), new WallClock(zone), policies[0]!, from, until);
    return found.join() !== fires.map((fire) => Date.parse(fire)).join();
  });
  expect(wrong).toEqual([]);
});

/** Kinds of schedules, placed about a change of the clock: by its edges and middle, on its day, through it, and far from it. */
function archetypes({ wallBefore, wallAfter }: Change): string[] {
  const [first, last] = [Math.min(wallBefore + 1000, wallAfter), Math.max(wallBefore + 1000, wallAfter)];
  const at = (wall: number) => {
    const date = new Date(wall);
    return { hour: date.getUTCHours(), minute: date.getUTCMinutes(), date };
  };
  const daily = (wall: number) => `${at(wall).minute} ${at(wall).hour} * * *`;
  const middle = at((first + last) / 2);
  const around = [-1, 0, 1, 2].map((more) => (at(first).hour + more + 24) % 24).sort((a, b) => a - b);
  return [
    daily(first),
    daily((first + last) / 2),
    daily(last - 60_000),
    daily(last),
    "0 0 * * *",
    "59 23 * * *",
    `${middle.minute} ${middle.hour} * * ${middle.date.getUTCDay()}`,
    `${middle.minute} ${middle.hour} ${middle.date.getUTCDate()} * *`,
    `*/20 ${middle.hour} * * *`,
    `15,45 ${around.join(",")} * * *`,
    "*/15 * * * *",
    "0 * * * *",
    "30 */2 * * *",
    `45 ${middle.minute} ${middle.hour} * * *`,
  ];
}

test(
  "in every zone, at every change of its clock, each kind of schedule fires where a walk through the minutes finds it",
  limit,
  () => {
    const [from, until] = long
      ? [Date.UTC(1970, 0, 3), Date.UTC(2038, 0, 1)]
      : [Date.UTC(2026, 0, 1), Date.UTC(2028, 0, 1)];
    const seen = new Set<string>();
    const wrong: string[] = [];
    const count = { changes: 0, looks: 0, fires: 0 };
    for (const zone of zones) {
      const clock = new WallClock(zone);
      for (const change of clock.changes(from, until)) {
        // Here, zones that change alike are looked at once.
        const alike = `${change.at} ${change.wallBefore} ${change.wallAfter}`;
        if (!long && seen.has(alike)) continue;
        seen.add(alike);
        count.changes++;
        for (const expression of archetypes(change)) {
          const rule = engineOf(expression)!;
          const [start, end] = [change.at - 1.2 * DAY, change.at + 1.2 * DAY];
          const sightings = walk(readPlainly(expression), clock, start, end);
          for (const policy of policies) {
            const expected = firesOf(sightings, policy);
            const found = engineFires(rule, zone, policy, start, end);
            count.looks++;
            count.fires += expected.length;
            if (found.join() !== expected.join()) {
              wrong.push(
                `${zone} ${expression} ${policy.gap} ${policy.overlap}: ${shown(found)}, not ${shown(expected)}`,
              );
            }
          }
        }
      }
    }
    console.log(`changes of the clock: ${JSON.stringify({ zones: zones.length, ...count, wrong: wrong.length })}`);
    expect(wrong.slice(0, 20)).toEqual([]);
    expect(count.changes).toBeGreaterThan(60);
  },
);

/** So many in a row are looked at in one zone, whose offsets are then at hand. */
const IN_A_ZONE = long ? 500 : 20;
/** So far after the start successors are looked for. */
const DAYS = 400;
const SUCCESSORS = 20;

test(
  `${EXPRESSIONS} random expressions fire where a walk through the minutes finds them, twenty times in a row (seed ${seed})`,
  limit,
  () => {
    const random = seededRandom(seed);
    const clocks = new Map<string, { clock: WallClock; changes: Change[] }>();
    let zone = "UTC";
    const known = long ? zones : zones.filter(() => random() < 0.06);
    const [first, last] = long
      ? [Date.UTC(1970, 0, 3), Date.UTC(2037, 0, 1)]
      : [Date.UTC(2024, 0, 1), Date.UTC(2028, 0, 1)];
    const wrong: string[] = [];
    const count = { expressions: 0, refused: 0, fires: 0, withoutFire: 0 };
    while (count.expressions < EXPRESSIONS) {
      const { expression, dialect } = randomCron(random);
      const rule = engineOf(expression, dialect);
      if (!rule) {
        count.refused++;
        continue;
      }
      if (count.expressions++ % IN_A_ZONE === 0) zone = known[Math.floor(random() * known.length)]!;
      let about = clocks.get(zone);
      if (!about) {
        const clock = new WallClock(zone);
        clocks.set(zone, (about = { clock, changes: clock.changes(first, last) }));
      }
      const { clock, changes } = about;
      const change = changes[Math.floor(random() * changes.length)];
      const drawn = change && random() < 0.7 ? change.at - random() * 2 * DAY : first + random() * (last - first);
      const start = Math.floor(drawn / 1000) * 1000;
      const policy = policies[Math.floor(random() * policies.length)]!;
      const plain = readPlainly(expression, dialect);
      const end = start + DAYS * DAY;
      let expected: number[] = [];
      for (let from = start, stretch = 2 * HOUR; from <= end && expected.length < SUCCESSORS; ) {
        expected = expected.concat(walkFires(plain, clock, policy, from, Math.min(end, from + stretch - 1)));
        from += stretch;
        stretch = Math.min(2 * stretch, (plain.usesSeconds ? 2 : 16) * DAY);
      }
      expected = expected.slice(0, SUCCESSORS);
      const found = engineFires(rule, zone, policy, start, end, SUCCESSORS);
      count.fires += expected.length;
      if (expected.length === 0) count.withoutFire++;
      if (found.join() !== expected.join()) {
        wrong.push(
          `${dialect} "${expression}" in ${zone} from ${new Date(start).toISOString()}, ${policy.gap} ${policy.overlap}: ${shown(found)}, not ${shown(expected)}`,
        );
      }
    }
    console.log(`random expressions: ${JSON.stringify({ seed, ...count, wrong: wrong.length })}`);
    expect(wrong.slice(0, 20)).toEqual([]);
    expect(count.refused).toBeLessThan(EXPRESSIONS);
  },
);
