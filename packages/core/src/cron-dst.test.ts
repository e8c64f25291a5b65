/** Changes of the clock, against an oracle that only walks minutes and reads the runtime's wall clock. */
import { expect, test } from "vitest";
import { parseCron } from "./cron.ts";
import { type DstPolicy, nextFire } from "./wall-rule.ts";

const DAY = 86_400_000;
const MINUTE = 60_000;
const usual: DstPolicy = { gap: "next", overlap: "first" };

function fires(expression: string, zone: string, from: number, until: number, dst: DstPolicy = usual): string[] {
  const cron = parseCron(expression, { dialect: "ocps" });
  if ("code" in cron) throw new Error(cron.message);
  const found: string[] = [];
  for (let at = nextFire(cron, zone, dst, from - 1); at !== null && at <= until; at = nextFire(cron, zone, dst, at)) {
    found.push(iso(at));
  }
  return found;
}

const iso = (at: number) => new Date(at).toISOString().slice(0, 16);
const utc = (text: string) => Date.parse(`${text}Z`);

interface Walk {
  minutes: { at: number; wall: number }[];
  /** The instants that show a wall time. */
  byWall: Map<number, number[]>;
}

/** Minute by minute: the instant and what the wall clock shows, as epoch milliseconds as if it showed UTC. */
function walk(zone: string, from: number, until: number): Walk {
  const known = walks.get(`${zone} ${from} ${until}`);
  if (known) return known;
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "short", timeStyle: "short" });
  const found: Walk = { minutes: [], byWall: new Map() };
  for (let at = from; at <= until; at += MINUTE) {
    const [, day, month, year, hour, minute] = /(\d\d)\/(\d\d)\/(\d{4}), (\d\d):(\d\d)/
      .exec(format.format(at))!
      .map(Number);
    const wall = Date.UTC(year!, month! - 1, day, hour, minute);
    found.minutes.push({ at, wall });
    found.byWall.set(wall, [...(found.byWall.get(wall) ?? []), at]);
  }
  walks.set(`${zone} ${from} ${until}`, found);
  return found;
}

const walks = new Map<string, Walk>();

/** Where the policy puts these wall times: by looking for minutes that show them, and for the jump that leaves them out. */
function expected({ minutes, byWall }: Walk, walls: number[], dst: DstPolicy): string[] {
  const instants = walls.flatMap((wall) => {
    const shown = byWall.get(wall) ?? [];
    if (shown.length > 1) return dst.overlap === "both" ? shown : [shown.at(dst.overlap === "first" ? 0 : -1)!];
    if (shown.length === 1) return shown;
    const after = minutes.findIndex(
      (minute, index) => index > 0 && minutes[index - 1]!.wall < wall && minute.wall > wall,
    );
    if (after < 1 || dst.gap === "skip") return [];
    const before = minutes[after - 1]!;
    return [dst.gap === "next" ? minutes[after]!.at : before.at + (wall - before.wall)];
  });
  return [...new Set(instants)].sort((a, b) => a - b).map(iso);
}

/** Zone, instant of the change, first and last wall time of the stretch that is missing (gap) or comes twice (overlap). */
const changes: [string, "gap" | "overlap", string, string, string][] = [
  ["America/Santiago", "gap", "2026-09-06T04:00", "2026-09-06T00:00", "2026-09-06T01:00"],
  ["America/Santiago", "overlap", "2026-04-05T03:00", "2026-04-04T23:00", "2026-04-05T00:00"],
  ["Africa/Cairo", "gap", "2026-04-23T22:00", "2026-04-24T00:00", "2026-04-24T01:00"],
  ["Africa/Cairo", "overlap", "2026-10-29T21:00", "2026-10-29T23:00", "2026-10-30T00:00"],
  ["Asia/Beirut", "gap", "2026-03-28T22:00", "2026-03-29T00:00", "2026-03-29T01:00"],
  ["Asia/Beirut", "overlap", "2026-10-24T21:00", "2026-10-24T23:00", "2026-10-25T00:00"],
  ["Australia/Lord_Howe", "gap", "2026-10-03T15:30", "2026-10-04T02:00", "2026-10-04T02:30"],
  ["Australia/Lord_Howe", "overlap", "2026-04-04T15:00", "2026-04-05T01:30", "2026-04-05T02:00"],
  ["America/Havana", "gap", "2026-03-08T05:00", "2026-03-08T00:00", "2026-03-08T01:00"],
  ["America/Havana", "overlap", "2026-11-01T05:00", "2026-11-01T00:00", "2026-11-01T01:00"],
  ["Atlantic/Azores", "gap", "2026-03-29T01:00", "2026-03-29T00:00", "2026-03-29T01:00"],
  ["Atlantic/Azores", "overlap", "2026-10-25T01:00", "2026-10-25T00:00", "2026-10-25T01:00"],
  ["Antarctica/Troll", "gap", "2026-03-29T01:00", "2026-03-29T01:00", "2026-03-29T03:00"],
  ["Antarctica/Troll", "overlap", "2026-10-25T01:00", "2026-10-25T01:00", "2026-10-25T03:00"],
  ["America/Nuuk", "gap", "2026-03-29T01:00", "2026-03-28T23:00", "2026-03-29T00:00"],
  ["America/Nuuk", "overlap", "2026-10-25T01:00", "2026-10-24T23:00", "2026-10-25T00:00"],
  ["Pacific/Chatham", "gap", "2026-09-26T14:00", "2026-09-27T02:45", "2026-09-27T03:45"],
  ["Pacific/Chatham", "overlap", "2026-04-04T14:00", "2026-04-05T02:45", "2026-04-05T03:45"],
  ["America/New_York", "gap", "2026-03-08T07:00", "2026-03-08T02:00", "2026-03-08T03:00"],
  ["America/New_York", "overlap", "2026-11-01T06:00", "2026-11-01T01:00", "2026-11-01T02:00"],
  ["Africa/Casablanca", "gap", "2026-03-22T02:00", "2026-03-22T02:00", "2026-03-22T03:00"],
  ["Africa/Casablanca", "overlap", "2026-02-15T02:00", "2026-02-15T02:00", "2026-02-15T03:00"],
  ["Africa/Casablanca", "overlap", "2027-02-07T02:00", "2027-02-07T02:00", "2027-02-07T03:00"],
  ["Pacific/Easter", "gap", "2026-09-06T04:00", "2026-09-05T22:00", "2026-09-05T23:00"],
  ["Pacific/Easter", "overlap", "2026-04-05T03:00", "2026-04-04T21:00", "2026-04-04T22:00"],
  ["Europe/London", "gap", "2026-03-29T01:00", "2026-03-29T01:00", "2026-03-29T02:00"],
  ["Europe/London", "overlap", "2026-10-25T01:00", "2026-10-25T01:00", "2026-10-25T02:00"],
  ["Europe/Berlin", "gap", "2026-03-29T01:00", "2026-03-29T02:00", "2026-03-29T03:00"],
  ["Europe/Berlin", "overlap", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"],
  ["Asia/Jerusalem", "gap", "2026-03-27T00:00", "2026-03-27T02:00", "2026-03-27T03:00"],
  ["Asia/Jerusalem", "overlap", "2026-10-24T23:00", "2026-10-25T01:00", "2026-10-25T02:00"],
  ["Asia/Gaza", "gap", "2026-03-28T00:00", "2026-03-28T02:00", "2026-03-28T03:00"],
  ["Asia/Gaza", "overlap", "2026-10-23T23:00", "2026-10-24T01:00", "2026-10-24T02:00"],
  ["Europe/Chisinau", "gap", "2026-03-29T00:00", "2026-03-29T02:00", "2026-03-29T03:00"],
  ["Europe/Chisinau", "overlap", "2026-10-25T00:00", "2026-10-25T02:00", "2026-10-25T03:00"],
  ["Australia/Sydney", "gap", "2026-10-03T16:00", "2026-10-04T02:00", "2026-10-04T03:00"],
  ["Australia/Sydney", "overlap", "2026-04-04T16:00", "2026-04-05T02:00", "2026-04-05T03:00"],
  ["Pacific/Auckland", "gap", "2026-09-26T14:00", "2026-09-27T02:00", "2026-09-27T03:00"],
  ["Pacific/Auckland", "overlap", "2026-04-04T14:00", "2026-04-05T02:00", "2026-04-05T03:00"],
  ["America/St_Johns", "gap", "2026-03-08T05:30", "2026-03-08T02:00", "2026-03-08T03:00"],
  ["America/St_Johns", "overlap", "2026-11-01T04:30", "2026-11-01T01:00", "2026-11-01T02:00"],
];

const cases = changes.flatMap(([zone, kind, at, first, last]) => {
  const walls = [utc(first), (utc(first) + utc(last)) / 2, utc(last), Math.floor(utc(last) / DAY) * DAY];
  const times = new Map(walls.map((wall) => [dailyAt(wall), wall % DAY]));
  return [...times].map(([expression, time]) => ({ zone, kind, at, first, last, expression, time }));
});

function dailyAt(wall: number): string {
  const date = new Date(wall);
  return `${date.getUTCMinutes()} ${date.getUTCHours()} * * *`;
}

test("there are 20 zones, 41 changes and 152 cases", () => {
  expect(new Set(changes.map(([zone]) => zone)).size).toBe(20);
  expect(changes).toHaveLength(41);
  expect(cases).toHaveLength(152);
});

test.each(cases)("$zone $at ($kind): $expression fires once on every day, at the right instant", (given) => {
  const { zone, kind, at, first, last, expression, time } = given;
  const from = utc(at) - 2 * DAY;
  const until = utc(at) + 2 * DAY;
  const minutes = walk(zone, from - DAY, until + DAY);
  const days = Array.from({ length: 7 }, (_, index) => (Math.floor(from / DAY) - 1 + index) * DAY + time);
  const wanted = expected(minutes, days, usual).filter((text) => utc(text) >= from && utc(text) <= until);
  const found = fires(expression, zone, from, until);
  expect(found).toEqual(wanted);
  // What the oracle says of the changed stretch itself: its instant for a gap, the first copy for an overlap.
  const wall = [utc(first), utc(last)]
    .map((edge) => Math.floor(edge / DAY) * DAY + time)
    .find((w) => w >= utc(first) && w < utc(last));
  if (wall !== undefined) expect(found).toContain(kind === "gap" ? at : iso(utc(at) - (utc(last) - wall)));
});

test.each([
  ["30 2 * * 7", "Europe/Rome", "2025-03-30T00:00", usual, ["2025-03-30T01:00"]],
  ["30 2 * * 7", "Europe/Rome", "2025-03-30T00:00", { gap: "shift", overlap: "first" }, ["2025-03-30T01:30"]],
  ["30 2 * * 7", "Europe/Rome", "2025-03-30T00:00", { gap: "skip", overlap: "first" }, ["2025-04-06T00:30"]],
  ["0 3 * * *", "Europe/Rome", "2025-03-30T00:00", usual, ["2025-03-30T01:00"]],
  ["0 4 * * *", "Europe/Rome", "2025-03-30T00:00", usual, ["2025-03-30T02:00"]],
  ["0 5 * * *", "Europe/Rome", "2025-03-30T00:00", usual, ["2025-03-30T03:00"]],
  ["0 8 * * 0", "America/Chicago", "2026-03-08T05:45", usual, ["2026-03-08T13:00"]],
  // A wildcard or step in the hours keeps its rhythm.
  [
    "*/30 * * * *",
    "America/New_York",
    "2026-11-01T05:30",
    usual,
    ["2026-11-01T05:30", "2026-11-01T06:00", "2026-11-01T06:30", "2026-11-01T07:00"],
  ],
  [
    "*/15 * * * *",
    "America/New_York",
    "2026-03-08T06:45",
    usual,
    ["2026-03-08T06:45", "2026-03-08T07:00", "2026-03-08T07:15", "2026-03-08T07:30"],
  ],
  [
    "0 */1 * * *",
    "America/New_York",
    "2026-11-01T05:00",
    usual,
    ["2026-11-01T05:00", "2026-11-01T06:00", "2026-11-01T07:00"],
  ],
  // Two wall times that meet are one fire.
  [
    "0 2,3 * * *",
    "America/New_York",
    "2026-03-08T00:00",
    usual,
    ["2026-03-08T07:00", "2026-03-09T06:00", "2026-03-09T07:00"],
  ],
  [
    "0 0,23 * * *",
    "America/Nuuk",
    "2026-03-28T12:00",
    usual,
    ["2026-03-29T01:00", "2026-03-30T00:00", "2026-03-30T01:00"],
  ],
  // A fixed hour with stepped minutes is not a rhythm.
  ["*/15 2 * * *", "America/New_York", "2026-03-08T00:00", usual, ["2026-03-08T07:00", "2026-03-09T06:00"]],
  [
    "*/30 1 * * *",
    "America/New_York",
    "2026-11-01T00:00",
    usual,
    ["2026-11-01T05:00", "2026-11-01T05:30", "2026-11-02T06:00"],
  ],
  ["30 23 * * 6", "America/Nuuk", "2026-03-25T00:00", usual, ["2026-03-29T01:00", "2026-04-05T00:30"]],
  ["30 23 28 3 *", "America/Nuuk", "2026-03-25T00:00", usual, ["2026-03-29T01:00", "2027-03-29T00:30"]],
  ["30 23 * * *", "America/Scoresbysund", "2026-03-28T12:00", usual, ["2026-03-29T01:00", "2026-03-30T00:30"]],
  // A day that never was.
  [
    "0 12 * * *",
    "Pacific/Apia",
    "2011-12-30T00:00",
    usual,
    ["2011-12-30T10:00", "2011-12-30T22:00", "2011-12-31T22:00"],
  ],
  ["0 0 * * *", "Pacific/Apia", "2011-12-30T00:00", usual, ["2011-12-30T10:00", "2011-12-31T10:00"]],
  ["0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00", { gap: "shift", overlap: "first" }, ["2011-12-30T22:00"]],
  // Both copies, and the second.
  [
    "30 1 * * *",
    "America/New_York",
    "2026-11-01T00:00",
    { gap: "next", overlap: "both" },
    ["2026-11-01T05:30", "2026-11-01T06:30", "2026-11-02T06:30"],
  ],
  [
    "*/30 1 * * *",
    "America/New_York",
    "2026-11-01T00:00",
    { gap: "next", overlap: "second" },
    ["2026-11-01T06:00", "2026-11-01T06:30", "2026-11-02T06:00"],
  ],
  // Shifted fires and ordinary ones come in the order of time.
  [
    "0,15,40 2 * * *",
    "Australia/Lord_Howe",
    "2026-10-03T12:00",
    { gap: "shift", overlap: "first" },
    ["2026-10-03T15:30", "2026-10-03T15:40", "2026-10-03T15:45", "2026-10-04T15:00"],
  ],
] as [string, string, string, DstPolicy, string[]][])("%s in %s from %s", (expression, zone, from, dst, wanted) => {
  expect(fires(expression, zone, utc(from), utc(from) + 400 * DAY, dst).slice(0, wanted.length)).toEqual(wanted);
});

/** Every change of every zone in two years, for all policies. */
const archetypes = (wallOfChange: number): string[] => {
  const hour = new Date(wallOfChange).getUTCHours();
  const around = [-1, 0, 1, 2].map((more) => (hour + more + 24) % 24);
  return [
    ...around.map((h) => `0 ${h} * * *`),
    ...around.map((h) => `30 ${h} * * *`),
    `*/20 ${hour} * * *`,
    `15,45 ${[...around].sort((a, b) => a - b).join(",")} * * *`,
    "59 23 * * *",
  ];
};

const gapPolicies: DstPolicy[] = (["next", "skip", "shift"] as const).map((gap) => ({ gap, overlap: "first" }));
const overlapPolicies: DstPolicy[] = (["first", "second", "both"] as const).map((overlap) => ({
  gap: "next",
  overlap,
}));
const policies = [...gapPolicies, ...overlapPolicies.slice(1)];

test("in every zone, at every change of 2026 and 2027, every policy puts each wall time where a walk over the minutes says", () => {
  const seen = new Set<string>();
  const wrong: string[] = [];
  for (const zone of Intl.supportedValuesOf("timeZone")) {
    for (const { at, change } of changesOf(zone, Date.UTC(2026, 0, 1), Date.UTC(2028, 0, 1))) {
      // Zones that change alike are looked at once.
      if (seen.has(`${at} ${change}`)) continue;
      seen.add(`${at} ${change}`);
      const from = at - 1.5 * DAY;
      const until = at + 1.5 * DAY;
      const walked = walk(zone, from - DAY, until + DAY);
      const { minutes } = walked;
      const index = minutes.findIndex((minute) => minute.at === at);
      const forward = minutes[index]!.wall - minutes[index - 1]!.wall > MINUTE;
      for (const expression of archetypes(minutes[index - 1]!.wall)) {
        const walls = dailyWalls(expression, minutes[0]!.wall, minutes.at(-1)!.wall);
        for (const dst of forward ? gapPolicies : overlapPolicies) {
          const wanted = expected(walked, walls, dst).filter((text) => utc(text) >= from && utc(text) <= until);
          const found = fires(expression, zone, from, until, dst);
          if (found.join() !== wanted.join()) wrong.push(`${zone} ${iso(at)} ${expression} ${dst.gap} ${dst.overlap}`);
        }
      }
    }
  }
  expect(seen.size).toBeGreaterThan(60);
  expect(wrong).toEqual([]);
});

/** The minutes of these days that match the minute and hour of the expression. */
function dailyWalls(expression: string, from: number, until: number): number[] {
  const [minuteText, hourText] = expression.split(" ") as [string, string];
  const hours = hourText.split(",").map(Number);
  const minutes = minuteText.startsWith("*/") ? [0, 20, 40] : minuteText.split(",").map(Number);
  const walls: number[] = [];
  for (let day = Math.floor(from / DAY) * DAY; day <= until; day += DAY) {
    for (const hour of hours) for (const minute of minutes) walls.push(day + hour * 3_600_000 + minute * MINUTE);
  }
  return walls.sort((a, b) => a - b);
}

/** Found without our own zone code: quarters of an hour in which the runtime's offset changes. */
function changesOf(zone: string, from: number, until: number): { at: number; change: string }[] {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, timeZoneName: "longOffset" });
  const offset = (at: number) => format.format(at).split("GMT")[1];
  const found: { at: number; change: string }[] = [];
  let before = offset(from);
  for (let day = from; day < until; day += DAY) {
    const after = offset(day + DAY);
    for (let at = day + 15 * MINUTE; before !== after && at <= day + DAY; at += 15 * MINUTE) {
      const now = offset(at);
      if (now !== before) found.push({ at, change: `${before} to ${now}` });
      before = now;
    }
  }
  return found;
}

test("a rhythm never pauses for more than twice its period, in any zone", () => {
  for (const [zone, , at] of changes) {
    for (const [expression, period] of [
      ["*/15 * * * *", 15],
      ["0 * * * *", 60],
      ["30 * * * *", 60],
      ["0 */2 * * *", 120],
    ] as const) {
      const found = fires(expression, zone, utc(at) - DAY, utc(at) + DAY).map(utc);
      const pauses = found.slice(1).map((fire, index) => fire - found[index]!);
      // Troll jumps two hours at once.
      const most = Math.max(2 * period, zone === "Antarctica/Troll" ? period + 120 : 0);
      expect(Math.max(...pauses), `${zone} ${expression}`).toBeLessThanOrEqual(most * MINUTE);
      expect(Math.min(...pauses), `${zone} ${expression}`).toBeGreaterThan(0);
    }
  }
});

test("looking from anywhere finds the same fires in the same order", () => {
  for (const [zone, , at] of changes) {
    for (const expression of ["*/15 1,2,3 * * *", "30 0,23 * * *", "*/20 * * * *"]) {
      for (const dst of policies) {
        const from = utc(at) - DAY;
        const all = fires(expression, zone, from, utc(at) + DAY, dst);
        expect([...new Set(all)].sort()).toEqual(all);
        for (let start = utc(at) - 3 * 3_600_000; start < utc(at) + 3 * 3_600_000; start += 25 * MINUTE) {
          expect(fires(expression, zone, start, utc(at) + DAY, dst)).toEqual(all.filter((text) => utc(text) >= start));
        }
      }
    }
  }
});
