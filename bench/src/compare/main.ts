/**
 * `npm run bench:compare -- ../other`: what a task costs this build and the one in another checkout (built there). A node of each, on one
 * PostgreSQL, take turns of a fraction of a second, so that whatever else the machine does meets both. As a process keeps what its compiler
 * made of the first calls, for better or worse, there are several rounds with new ones.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Backing, openStores } from "../stores.ts";
import type { Took } from "./build.ts";
import { loads } from "./loads.ts";
import { type Round, type Turn, toMarkdown } from "./turns.ts";

const usage = `npm run bench:compare -- <checkout> [options]
  --rounds N      default 6
  --turns N       for each build and load of a round; default 15
  --only a,b      default: ${Object.keys(loads).join(", ")}`;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "6" },
    turns: { type: "string", default: "15" },
    only: { type: "string" },
  },
});
const [other] = positionals;
const chosen = flags.only?.split(",") ?? Object.keys(loads);
if (other === undefined || chosen.some((name) => !Object.hasOwn(loads, name))) {
  console.error(usage);
  process.exit(2);
}

interface Build {
  child: ChildProcess;
  backing: Backing;
}

const checkouts = { there: resolve(other), here: join(import.meta.dirname, "../../..") };
const stores = await openStores(["carillon"]);
const found: Record<string, Round[]> = Object.fromEntries(chosen.map((name) => [name, []]));
try {
  for (let round = 0; round < Number(flags.rounds); round++) {
    const builds: Build[] = [];
    try {
      const there = await open(checkouts.there, builds);
      const here = await open(checkouts.here, builds);
      for (const name of chosen) found[name]!.push(await compare(name, { there, here }));
    } finally {
      for (const build of builds) await close(build);
    }
  }
} finally {
  await stores.close();
}
for (const name of chosen) console.log(toMarkdown(name, found[name]!));

async function compare(name: string, { there, here }: { there: Build; here: Build }): Promise<Round> {
  // What is compiled, planned and cached by the first ones does not count.
  for (let turn = 0; turn < 4; turn++) for (const build of [there, here]) await costOf(build, name);
  const turns = new Map<Build, Turn[]>([
    [there, []],
    [here, []],
  ]);
  for (let turn = 0; turn < Number(flags.turns); turn++) {
    for (const build of turn % 2 === 0 ? [there, here] : [here, there])
      turns.get(build)!.push(await costOf(build, name));
  }
  return { there: turns.get(there)!, here: turns.get(here)! };
}

async function open(checkout: string, builds: Build[]): Promise<Build> {
  const backing = await stores.open("carillon");
  const child = fork(join(import.meta.dirname, "build.js"), [checkout], { env: { ...process.env, ...backing.env } });
  const build = { child, backing };
  builds.push(build);
  await answerOf(child);
  return build;
}

async function close({ child, backing }: Build): Promise<void> {
  if (child.connected) child.disconnect();
  if (child.exitCode === null) await once(child, "exit");
  await backing.drop();
}

async function costOf({ child, backing }: Build, name: string): Promise<Turn> {
  const before = backing.cpuSeconds();
  child.send(name);
  const { wall, node } = await answerOf<Took>(child);
  const store = (backing.cpuSeconds() - before) * 1_000;
  const each = (ms: number) => (ms * 1_000) / loads[name]!.tasks;
  return { wall: each(wall), node: each(node), store: each(store) };
}

/** What it sends next; an error when it ends instead. */
function answerOf<Answer>(child: ChildProcess): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`a build ended with ${code}`));
    child.once("exit", ended);
    child.once("message", (answer) => {
      child.off("exit", ended);
      resolve(answer as Answer);
    });
  });
}
