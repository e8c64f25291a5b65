/** The API over HTTP, under load. */
import type { RestAnswer } from "./actor.ts";
import type { Workload } from "./workload.ts";

export const rest: Workload = {
  id: "W10",
  title: "POST /api/v1/tasks over HTTP, 64 connections",
  unit: "requests/s",
  better: "higher",
  only: ["carillon-grpc"],
  async run(stage) {
    const node = await stage.actor("node");
    await node.call("work", { concurrency: 1, tuned: "lateness" });
    const client = await stage.actor("client");
    const load = { url: `${node.url}/api/v1/tasks`, connections: 64 };
    await client.call("post", { ...load, seconds: 2 });
    stage.begin();
    const answer = await client.call<RestAnswer>("post", { ...load, seconds: stage.sized(15, 1) });
    if (answer.refused > 0) throw new Error(`${answer.refused} requests were refused`);
    return { rate: answer.perSecond, p99Ms: answer.p99Ms, p50Ms: answer.p50Ms };
  },
};
