/** A queue with limits: ten starts a second, and one task at a time for each customer, whoever creates them and wherever they run. */
import { startNode, task } from "carillon";

const running = new Map<string, number>();
let most = 0;
const starts: number[] = [];
const invoice = task("invoice", {
  queue: "billing",
  run: async ({ customer }: { customer: string }) => {
    starts.push(performance.now());
    running.set(customer, (running.get(customer) ?? 0) + 1);
    most = Math.max(most, ...running.values());
    await new Promise((resolve) => setTimeout(resolve, 50));
    running.set(customer, running.get(customer)! - 1);
  },
});

const node = await startNode({
  dataDir: process.env.CARILLON_DATA_DIR ?? ".carillon/examples",
  tasks: [invoice],
  concurrency: 20,
  listen: false,
});
const { queues, tasks } = node.client;

await queues.put("billing", { concurrencyPerKey: 1, rateLimit: { limit: 10, per: "1s", burst: 5 } });
const created = await tasks.createMany(
  invoice,
  Array.from({ length: 20 }, (_, n) => `customer-${n % 4}`).map((customer) => ({
    payload: { customer },
    concurrencyKey: customer,
  })),
);
const last = created.at(-1)!;
// The limits are met once the first ones have started.
let codes: string[];
do codes = (await tasks.explain(last.id)).reasons.map(({ code }) => code);
while (codes.includes("starting"));
console.log(`the last one waits: ${codes.join(", ")}`);
await Promise.all(created.map(({ id }) => tasks.wait(id, { timeout: "30s" })));

const seconds = (starts.at(-1)! - starts[0]!) / 1_000;
console.log(`${starts.length} tasks started within ${seconds.toFixed(1)} s, of one customer at most ${most} at a time`);

await node.close();
