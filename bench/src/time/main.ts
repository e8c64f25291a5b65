/** `npm run bench:time`: how many of the cases each engine gets right. A table on stdout; `--cases` lists what was wrong, engine by engine. */
import { installPeers, TIME_PEERS } from "../contenders/peer.ts";
import { AROUND_MS, readCases, type TimeCase } from "./cases.ts";
import { type Engine, openEngines } from "./engines.ts";

const verdicts = ["right", "lost", "doubled", "moved", "threw"] as const;
type Verdict = (typeof verdicts)[number];

async function judge(engine: Engine, given: TimeCase): Promise<{ verdict: Verdict; found: string }> {
  const at = Date.parse(given.at);
  try {
    const fires = await engine.fires(given, at - AROUND_MS, at + AROUND_MS);
    const found = fires.map((fire) => new Date(fire).toISOString());
    const wanted = given.fires.map((fire) => new Date(fire).toISOString());
    const right = found.join() === wanted.join();
    const uneven = found.length < wanted.length ? "lost" : "doubled";
    const verdict = right ? "right" : found.length === wanted.length ? "moved" : uneven;
    return { verdict, found: found.join(" ") };
  } catch (error) {
    return { verdict: "threw", found: (error as Error).message };
  }
}

installPeers(TIME_PEERS, "croner");
const cases = readCases();
console.log(
  `| Engine | Used by | right of ${cases.length} | lost a fire | one too many | at another instant | threw |`,
);
console.log("|---|---|--:|--:|--:|--:|--:|");
for (const engine of await openEngines()) {
  const counts = Object.fromEntries(verdicts.map((verdict) => [verdict, 0])) as Record<Verdict, number>;
  for (const given of cases) {
    const { verdict, found } = await judge(engine, given);
    counts[verdict]++;
    if (verdict !== "right" && process.argv.includes("--cases")) {
      console.error(`${engine.title}: ${given.zone} ${given.at} ${given.expression} ${verdict}: ${found}`);
    }
  }
  console.log(`| ${engine.title} | ${engine.usedBy} | ${verdicts.map((verdict) => counts[verdict]).join(" | ")} |`);
}
process.exit(0);
