/** A target that is down for a while: tasks that call it wait without losing attempts, those for another one go on, and then all succeed. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { httpTask, startNode } from "carillon";

let calls = 0;
let isDown = true;
async function serve(status: () => number): Promise<{ url: string; close: () => void }> {
  const server = createServer((_request, response) => void response.writeHead(status()).end("{}")).listen(
    0,
    "127.0.0.1",
  );
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => server.close() };
}
const broken = await serve(() => {
  calls++;
  return isDown ? 503 : 200;
});
const well = await serve(() => 200);

const http = httpTask(["127.0.0.1"]);
const node = await startNode({
  dataDir: process.env.CARILLON_DATA_DIR ?? ".carillon/examples",
  tasks: [http],
  listen: false,
});
const { tasks, targets } = node.client;

const waiting = [];
for (let n = 0; n < 30; n++) waiting.push(await tasks.create(http, { url: broken.url }));
await untilOpen();
const [target] = (await targets.list()).items;
console.log(`${target!.name} is ${target!.state} after ${calls} calls: ${target!.reason}`);
const other = await tasks.create(http, { url: well.url });
await other.result({ timeout: "10s" });
console.log("a task for another target succeeded meanwhile");

isDown = false;
await Promise.all(waiting.map((handle) => handle.result({ timeout: "60s" })));
console.log(`all ${waiting.length} succeeded once it answered again`);

await node.close();
broken.close();
well.close();

async function untilOpen(): Promise<void> {
  while (!(await targets.list()).items.some(({ state }) => state === "open"))
    await new Promise((resolve) => setTimeout(resolve, 50));
}
