/** Carillon calls a URL. This one answers 503 twice; the third attempt succeeds. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { httpTask, startNode } from "carillon";

let calls = 0;
const target = createServer((request, response) => {
  calls++;
  console.log(
    `call ${calls}: attempt ${request.headers["carillon-attempt"]}, key ${request.headers["idempotency-key"]}`,
  );
  response.writeHead(calls < 3 ? 503 : 200, { "content-type": "application/json" }).end(JSON.stringify({ calls }));
}).listen(0, "127.0.0.1");
await once(target, "listening");
const { port } = target.address() as AddressInfo;

// Loopback is not a public address: http tasks may reach it only because it is listed here.
const http = httpTask(["127.0.0.1"]);
const node = await startNode({
  dataDir: process.env.CARILLON_DATA_DIR ?? ".carillon/examples",
  tasks: [http],
  listen: false,
});

const handle = await node.client.tasks.create(
  http,
  { url: `http://127.0.0.1:${port}/orders`, body: { order: 42 } },
  { retry: { maxAttempts: 5, backoff: { kind: "fixed", initial: "200ms", jitter: "none" } } },
);
const { status, body } = await handle.result({ timeout: "30s" });
console.log(`${handle.id} succeeded with ${status} ${body} after ${calls} calls`);

await node.close();
target.close();
