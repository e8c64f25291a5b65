/** `npm run bench`: every workload for every contender, interleaved, several rounds; a table on stdout and JSON with `--json FILE`. */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startActor } from "./actors.ts";
import { type ContenderName, contenders } from "./contenders/index.ts";
import { installPeers, PEERS, peerVersion } from "./contenders/peer.ts";
import { machine, type Report, type Result, toMarkdown } from "./report.ts";
import { nothing, openStores } from "./stores.ts";
import { onStage, type Workload } from "./workload.ts";
import { workloads } from "./workloads.ts";

const usage = `npm run bench -- [options]
  --only W1,W4         workloads by id, or by its first word; default: ${workloads.map(({ id }) => id).join(", ")}
  --contenders a,b     default: carillon, raw-sql
  --peers a,b          beside them: graphile-worker, pg-boss, bullmq (with and without fsync), or all
  --rounds N           default 3
  --scale X            how large everything is; default 1
  --json FILE          the raw figures
  --show FILE,FILE     nothing is run: the tables of earlier runs' raw figures, as if they were one`;

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    contenders: { type: "string", default: "carillon,raw-sql" },
    peers: { type: "string", default: "" },
    rounds: { type: "string", default: "3" },
    scale: { type: "string", default: "1" },
    json: { type: "string" },
    show: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (flags.help) {
  console.log(usage);
  process.exit(0);
}

if (flags.show) {
  const reports = list(flags.show).map((file) => JSON.parse(readFileSync(file, "utf8")) as Report);
  const command = reports.map((each) => each.command).join("`, `");
  console.log(toMarkdown({ ...reports[0]!, command, results: reports.flatMap(({ results }) => results) }));
  process.exit(0);
}

const wanted = [...new Set([...list(flags.contenders), ...peersOf(list(flags.peers))])] as ContenderName[];
for (const name of wanted) if (!(name in contenders)) fail(`There is no contender "${name}".\n${usage}`);
const prefixes = list(flags.only ?? "");
const chosen = workloads.filter(({ id, extra }) =>
  prefixes.length > 0 ? prefixes.some((prefix) => id === prefix || id.startsWith(`${prefix} `)) : !extra,
);
if (wanted.some((name) => contenders[name].peer)) installPeers(PEERS, "bullmq");

const stores = await openStores(wanted);
const report: Report = {
  at: new Date().toISOString().slice(0, 10),
  command: `npm run bench -- ${process.argv.slice(2).join(" ")}`.trim(),
  machine: machine(),
  versions: { ...stores.versions, ...Object.fromEntries(wanted.flatMap(packageVersion)) },
  settings: {},
  results: [],
};
try {
  for (const name of wanted) report.settings[name] = await settingsOf(name);
  for (const workload of chosen) {
    const results = wanted
      .filter((name) => !workload.only || workload.only.includes(name))
      .map((name) => empty(workload, name));
    report.results.push(...results);
    const rounds = workload.once ? 1 : Number(flags.rounds);
    for (let round = 0; round < rounds; round++) {
      for (const result of results) await oneRound(workload, result);
    }
    if (flags.json) writeFileSync(flags.json, `${JSON.stringify(report, null, 1)}\n`);
  }
} finally {
  await stores.close();
}
console.log(toMarkdown(report));
// A figure that could not be had is a failure of the run, not a line to overlook.
process.exit(report.results.some(({ error }) => error !== undefined) ? 1 : 0);

async function oneRound(workload: Workload, result: Result): Promise<void> {
  if (result.error) return;
  try {
    await onStage({ name: result.contender, stores, scale: Number(flags.scale) }, async (stage) => {
      const figures = await workload.run(stage);
      result.rounds.push(figures);
      result.cpu.push(stage.cpu());
      console.error(`${workload.id} ${result.contender}: ${JSON.stringify(figures)}`);
    });
  } catch (error) {
    result.error = (error as Error).message.split("\n")[0]!;
    console.error(`${workload.id} ${result.contender}:`, error);
  }
}

async function settingsOf(name: ContenderName): Promise<string> {
  const actor = await startActor(name, nothing);
  try {
    return await actor.call<string>("settings");
  } finally {
    await actor.close();
  }
}

function packageVersion(name: ContenderName): [string, string][] {
  const { peer, title } = contenders[name];
  return peer ? [[title.split(",")[0]!, peerVersion(name === "bullmq-fsync" ? "bullmq" : name)]] : [];
}

function empty({ id, title, unit, better }: Workload, contender: ContenderName): Result {
  return { workload: id, title, unit, better, contender, rounds: [], cpu: [] };
}

function peersOf(names: string[]): string[] {
  const all = names.includes("all") ? ["graphile-worker", "pg-boss", "bullmq", "timers"] : names;
  return all.flatMap((name) => (name === "bullmq" ? ["bullmq", "bullmq-fsync"] : name));
}

function list(text: string): string[] {
  return text.split(",").filter((part) => part !== "");
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
