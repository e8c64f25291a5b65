/** A producer is a node that only answers (`roles: ["api"]`), called without a network; a worker is a node with a worker in its process. */
import { type AnyTask, type CarillonNode, httpTask, startNode, task } from "carillon";
import { type Contender, databaseUrl, type Payload, type Producer, type WorkerOptions } from "./contender.ts";

const TYPE = "bench";

export const carillon: Contender = {
  settings:
    "node and worker in one process, another node as producer; concurrency 2,000 (throughput), 1,000 (lateness)",
  async prepare() {
    const node = await startNode({ databaseUrl: databaseUrl(), listen: false, roles: ["api"] });
    await node.close();
  },
  async openProducer() {
    const node = await startNode({ databaseUrl: databaseUrl(), listen: false, roles: ["api"] });
    return producerOn(node);
  },
  async openWorker(options) {
    const node = await startNode({
      databaseUrl: databaseUrl(),
      listen: false,
      tasks: [benchTask(options)],
      concurrency: options.concurrency,
    });
    return { close: () => node.close({ timeout: "5s" }) };
  },
  async openPlanner() {
    const node = await startNode({ databaseUrl: databaseUrl(), listen: false, roles: ["planner"] });
    return { close: () => node.close({ timeout: "5s" }) };
  },
  async openCaller({ concurrency }) {
    const tasks = [httpTask(["127.0.0.1"])];
    const node = await startNode({ databaseUrl: databaseUrl(), listen: false, tasks, concurrency });
    return {
      async call(calls) {
        const made = calls.map(({ url, due }) => ({ payload: { url }, dueAt: new Date(due), timeout: "5s" }));
        await node.client.tasks.createMany("http", made);
      },
      close: () => node.close({ timeout: "5s" }),
    };
  },
};

export function benchTask({ onStart }: Pick<WorkerOptions, "onStart">): AnyTask {
  return task(TYPE, {
    run({ due }: Payload, { schedule, dueAt }) {
      const held = onStart(due ?? (schedule === null ? null : dueAt.getTime()));
      return held instanceof Promise ? held : null;
    },
  });
}

export function producerOn(node: CarillonNode): Producer {
  let sent = 0;
  return {
    async bulk(dueAts) {
      await node.client.tasks.createMany(
        TYPE,
        dueAts.map((due) => ({ payload: { n: sent++, due }, ...(due === null ? {} : { dueAt: new Date(due) }) })),
      );
    },
    async single() {
      await node.client.tasks.create(TYPE, { n: sent++, due: null });
    },
    async schedules(count, seconds, edition = 0) {
      for (let i = 0; i < count; i += 20) {
        await Promise.all(
          Array.from({ length: Math.min(20, count - i) }, (_, j) =>
            node.client.schedules.put(`bench-${i + j}`, {
              every: `${seconds}s`,
              task: { type: TYPE, payload: { n: i + j, due: null, edition } },
            }),
          ),
        );
      }
    },
    close: () => node.close({ timeout: "5s" }),
  };
}
