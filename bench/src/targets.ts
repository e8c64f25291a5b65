/** Calls of 100 targets over HTTP, one of which dies: how late the calls to the others arrive, before and after. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { latenessFigures } from "./statistics.ts";
import { now, until } from "./waiting.ts";
import type { Workload } from "./workload.ts";

const TARGETS = 100;
const PER_SECOND = 200;

export const deadTarget: Workload = {
  id: "targets",
  title: `${PER_SECOND} calls a second of ${TARGETS} targets, one of which no longer answers: how late the others are called`,
  unit: "ms late, p99",
  better: "lower",
  only: ["carillon"],
  async run(stage) {
    const targets = await Promise.all(Array.from({ length: TARGETS }, openTarget));
    const [dead, ...healthy] = targets as [Target, ...Target[]];
    try {
      const spanMs = stage.sized(20_000, 1_000);
      const caller = await stage.actor("caller");
      await caller.call("openCaller", { concurrency: 200 });
      const urls = targets.map(({ url }) => url);
      const round = async () => {
        const count = Math.round((spanMs / 1_000) * PER_SECOND);
        const from = now() + 1_500;
        await caller.call("call", { urls, count, from, spanMs });
        await until(() => called(healthy) >= Math.floor(count / TARGETS) * healthy.length, spanMs + 60_000);
        return latenessFigures(healthy.flatMap(({ lateness }) => lateness.splice(0)));
      };
      await round();
      stage.begin();
      const before = await round();
      dead.answers = false;
      // While it is found out.
      await round();
      dead.lateness.length = 0;
      const after = await round();
      return {
        p99: after.p99!,
        p99Before: before.p99!,
        p50: after.p50!,
        p50Before: before.p50!,
        callsOfDead: dead.lateness.length,
      };
    } finally {
      for (const { server } of targets) server.close().closeAllConnections();
    }
  },
};

interface Target {
  server: Server;
  url: string;
  answers: boolean;
  /** One for each call. */
  lateness: number[];
}

const called = (targets: Target[]) => targets.reduce((sum, { lateness }) => sum + lateness.length, 0);

async function openTarget(): Promise<Target> {
  const server = createServer((request, response) => {
    target.lateness.push(now() - Number(new URL(request.url!, target.url).searchParams.get("due")));
    request.resume();
    if (target.answers) response.end();
  });
  const target: Target = { server, url: "", answers: true, lateness: [] };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  target.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return target;
}
