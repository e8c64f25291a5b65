/** One-time tasks at instants: each reminder appears when it is due, also when this program was restarted in between. */
import { startNode, task } from "carillon";

const remind = task("remind", {
  run: ({ text }: { text: string }, { dueAt, log }) => {
    log.info(text);
    console.log(`${dueAt.toISOString()}  ${text}`);
    return { shown: true };
  },
});

const node = await startNode({
  dataDir: process.env.CARILLON_DATA_DIR ?? ".carillon/examples",
  tasks: [remind],
  listen: false,
});

const reminders = [
  { text: "stretch", inSeconds: 1 },
  { text: "drink some water", inSeconds: 2 },
  { text: "look out of the window", inSeconds: 3 },
];
const handles = await Promise.all(
  reminders.map(({ text, inSeconds }) =>
    node.client.tasks.create(remind, { text }, { dueAt: new Date(Date.now() + inSeconds * 1_000) }),
  ),
);
await Promise.all(handles.map((handle) => handle.result({ timeout: "30s" })));
for (const handle of handles)
  console.log(`${handle.id} started ${(await handle.get()).latenessMs} ms after its instant`);

await node.close();
