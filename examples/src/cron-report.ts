/** A report by cron in a time zone. Here every second, so that there is something to see; in real life `0 8 * * 1-5`. */
import { startNode, task } from "carillon";

const FIRES = 3;
let seen = 0;
let done = () => {};
const enough = new Promise<void>((resolve) => {
  done = resolve;
});

const report = task("report", {
  run: ({ team }: { team: string }, { fireAt, schedule }) => {
    console.log(`${schedule}: report for ${team} of ${fireAt?.toISOString()}`);
    if (++seen === FIRES) done();
    return { rows: 42 };
  },
});

const node = await startNode({
  dataDir: process.env.CARILLON_DATA_DIR ?? ".carillon/examples",
  tasks: [report],
  listen: false,
});

const rule = { cron: "0 8 * * 1-5", timeZone: "Europe/Paris" };
const preview = await node.client.schedules.preview({ ...rule, count: 3 });
console.log(`${preview.words} (${rule.timeZone}), next:`);
for (const fire of preview.fires) console.log(`  ${fire.local}`);

await node.client.schedules.put("weekday-report", {
  cron: "* * * * * *",
  timeZone: rule.timeZone,
  task: report,
  payload: { team: "sales" },
});
await enough;

await node.client.schedules.delete("weekday-report");
await node.close();
