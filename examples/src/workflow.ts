/**
 * A workflow: an order is charged and packed at the same time, then shipped; what fails is made up for, and tried again from there. Packing
 * adds a task for each thing to be wrapped, and shipping waits for these too.
 */
import { Fatal, startNode, task } from "carillon";

let truckIsHere = false;

const charge = task("charge", { run: ({ amount }: { amount: number }) => ({ charged: amount }) });
const wrap = task("wrap", { run: ({ item }: { item: string }) => `${item} in paper` });
const pack = task("pack", {
  run: async ({ items }: { items: string[] }, { workflow }) => {
    const { id, key: parent } = workflow!;
    // Another attempt would add the same keys, which are there only once.
    const tasks = items.map((item) => ({ key: `wrap-${item}`, type: wrap, payload: { item } }));
    await node.client.workflows.add(id, { parent, tasks });
    return { boxes: Math.ceil(items.length / 2) };
  },
});
const ship = task("ship", {
  run: (_payload, { parents }) => {
    const { boxes } = parents.pack as { boxes: number };
    if (!truckIsHere) throw new Fatal("there is no truck");
    return { shipped: `${boxes} boxes` };
  },
});
const apologise = task("apologise", {
  run: (_payload, { log }) => {
    log.info("sorry, it takes a little longer");
    console.log("the customer is told that it takes a little longer");
  },
});

const node = await startNode({
  dataDir: process.env.CARILLON_DATA_DIR ?? ".carillon/examples",
  tasks: [charge, pack, wrap, ship, apologise],
  listen: false,
});
const { workflows, tasks } = node.client;

const { id } = await workflows.create({
  name: "order-42",
  tasks: [
    { key: "charge", type: charge, payload: { amount: 120 } },
    { key: "pack", type: pack, payload: { items: ["lamp", "chair", "desk"] } },
    { key: "ship", type: ship, after: ["charge", "pack"] },
    { key: "apologise", type: apologise, after: ["ship"], when: "on-failure" },
  ],
});
const failed = await workflows.wait(id, { timeout: "30s" });
console.log(`${failed.name} ${failed.state}: ${failed.tasks.map(({ key, state }) => `${key} ${state}`).join(", ")}`);

truckIsHere = true;
await workflows.retry(id);
const ended = await workflows.wait(id, { timeout: "30s" });
const shipped = await tasks.get(ended.tasks.find(({ key }) => key === "ship")!.id);
console.log(`${ended.name} ${ended.state}: ${JSON.stringify(shipped.result)}`);

await node.close();
