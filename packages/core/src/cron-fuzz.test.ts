/**
 * Text that nobody means as a cron expression, and expressions that nobody would write: none breaks or hangs anything, and each search ends
 * after few looks. Short here; `npm run prove:time` takes 1,000,000 and says how long the slowest took.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { randomCron } from "../../testkit/src/oracle/index.ts";
import { seededRandom } from "../../testkit/src/random.ts";
import { parseCron } from "./cron.ts";
import { cronDialects } from "./cron-fields.ts";
import { type DstPolicy, nextFire, type WallRule } from "./wall-rule.ts";
import { offsetAt } from "./zone.ts";

const long = process.env.CARILLON_PROVE === "long";
const TEXTS = long ? 1_000_000 : 20_000;
const zone = "America/New_York";

const letters = fc.constantFrom(
  ..."0123456789*/-,LWH#?+@ \tHMONJANsun~%٣\u0000é".split(""),
  ...["*/", "31", "2 ", " * ", "@daily", "H(1-5)", "L-3", "15W", "5#5", "FRI-MON", "2199"],
);
const value = fc.oneof(
  fc.integer({ min: 0, max: 62 }).map(String),
  fc.constantFrom("*", "*", "?", "L", "LW", "30W", "L-30", "MON#5", "FEB", "H", "29", "30", "31"),
  fc.tuple(fc.nat(60), fc.nat(60), fc.nat(70)).map(([low, high, step]) => `${low}-${high}/${step}`),
  fc.nat(70).map((step) => `*/${step}`),
);
const field = fc.array(value, { minLength: 1, maxLength: 3 }).map((values) => values.join(","));
const fields = fc.array(field, { minLength: 4, maxLength: 8 }).map((parts) => parts.join(" "));
/** Dates that are rare or never come, and times that mostly fall into a gap. */
const rare = fc
  .tuple(
    fc.constantFrom("59 59 23", "0 30 2", "0 0 0", "* 59 2", "30 30 1"),
    fc.constantFrom(
      "29 2 *",
      "30 2 *",
      "31 4,6,9,11 *",
      "29 2 +MON",
      "29 2 +MON#5",
      "8-14 3 +SUN",
      "31W 2 *",
      "L-30 2 *",
    ),
    fc.constantFrom("", " 2196", " 2100", " 2199", " 2027-2199/99"),
  )
  .map((parts) => parts.join(" ").trimEnd());
const expressions = fc.nat().map((seed) => randomCron(seededRandom(seed)).expression);
const texts = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.array(letters, { maxLength: 80 }).map((parts) => parts.join("")),
  fields,
  { weight: 4, arbitrary: expressions },
  { weight: 2, arbitrary: rare },
);
const policies = fc.record<DstPolicy>({
  gap: fc.constantFrom("next", "skip", "shift"),
  overlap: fc.constantFrom("first", "second", "both"),
});

test(`of ${TEXTS} texts none breaks the parser, and none is searched for longer than a rule may be`, {
  timeout: long ? 3_600_000 : 60_000,
}, () => {
  // Reading zone data is another matter, and done once.
  for (let year = 1970; year < 2200; year++) offsetAt(zone, Date.UTC(year, 6, 1));
  const slowest = { ms: 0, what: "" };
  const count = { accepted: 0, refused: 0, mostLooks: 0 };
  const heapBefore = process.memoryUsage().heapUsed;
  fc.assert(
    fc.property(texts, fc.constantFrom(...cronDialects), policies, fc.nat(4_000), (text, dialect, dst, days) => {
      const evaluate = () => {
        const parsed = parseCron(text, { dialect });
        if ("code" in parsed) return parsed;
        let looks = 0;
        const counted: WallRule = {
          rhythm: parsed.rhythm,
          nextWall(wall) {
            looks++;
            return parsed.nextWall(wall);
          },
        };
        const after = Date.UTC(2026, 0, 1) + days * 86_400_000;
        return { after, next: nextFire(counted, zone, dst, after), looks };
      };
      let started = performance.now();
      const found = evaluate();
      let ms = performance.now() - started;
      // Whoever took that long may only have been interrupted.
      for (let again = 0; long && ms > slowest.ms && again < 5; again++) {
        started = performance.now();
        evaluate();
        ms = Math.min(ms, performance.now() - started);
      }
      if (ms > slowest.ms) Object.assign(slowest, { ms, what: `${dialect} ${text} ${dst.gap}` });
      if ("code" in found) {
        count.refused++;
        expect(found.message).toMatch(/\S/);
        return;
      }
      count.accepted++;
      expect(found.next === null || found.next > found.after).toBe(true);
      expect(found.looks).toBeLessThan(2_000);
      count.mostLooks = Math.max(count.mostLooks, found.looks);
    }),
    { numRuns: TEXTS },
  );
  const grownMiB = Math.round((process.memoryUsage().heapUsed - heapBefore) / 2 ** 20);
  if (long) console.log(`texts: ${JSON.stringify({ texts: TEXTS, ...count, slowest, grownMiB })}`);
  expect(count.accepted).toBeGreaterThan(1_000);
  expect(count.refused).toBeGreaterThan(1_000);
});
