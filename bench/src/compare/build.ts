/** The process of a build: a node with a worker, from the checkout that it is given. Carries out a load for each message, and tells what it took. */
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { databaseUrl } from "../contenders/contender.ts";
import { until } from "../waiting.ts";
import { loads, TYPE } from "./loads.ts";

/** Milliseconds. */
export interface Took {
  wall: number;
  /** Processor time of this process. */
  node: number;
}

const entry = pathToFileURL(join(process.argv[2]!, "packages/cli/dist/index.js")).href;
const { startNode, task } = (await import(entry)) as typeof import("carillon");
const observer = new pg.Client({ connectionString: databaseUrl() });
await observer.connect();
let ran = 0;
const run = () => {
  ran++;
  return null;
};
const node = await startNode({
  databaseUrl: databaseUrl(),
  listen: false,
  tasks: [task(TYPE, { run })],
  concurrency: 2_000,
});

process.on("message", (name: string) => void carryOut(name).then((took) => process.send!(took)));
process.send!("ready");
await once(process, "disconnect");
await node.close({ timeout: "5s" });
await observer.end();

/** Until every task has run and its outcome is written. */
async function carryOut(name: string): Promise<Took> {
  const { tasks, create } = loads[name]!;
  const before = ran;
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await create(node.client);
  await until(() => ran === before + tasks);
  await until(async () => (await observer.query("select from carillon.task limit 1")).rowCount === 0);
  const wall = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  return { wall, node: (user + system) / 1_000 };
}
