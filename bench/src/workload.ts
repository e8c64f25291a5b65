import { type Actor, startActor } from "./actors.ts";
import type { ContenderName } from "./contenders/index.ts";
import { cpuSeconds, megabytes } from "./processes.ts";
import type { Backing, Stores } from "./stores.ts";

/** One thing to measure. */
export interface Workload {
  id: string;
  title: string;
  /** What the figures mean. */
  unit: string;
  better: "higher" | "lower";
  /** Takes long, and is measured only when it is named. */
  extra?: boolean;
  /** One round is enough. */
  once?: boolean;
  /** Whom it is for; left out: everybody. */
  only?: readonly ContenderName[];
  /** The figure to compare by comes first. */
  run(stage: Stage): Promise<Record<string, number>>;
}

/** A workload's view of one contender: its store, its processes, and how large to make everything. */
export interface Stage {
  readonly name: ContenderName;
  readonly backing: Backing;
  /** 1 is the full size; continuous integration runs a hundredth. */
  readonly scale: number;
  /** At this scale, at least `least`. */
  sized(full: number, least?: number): number;
  actor(role: string, env?: Record<string, string>): Promise<Actor>;
  /** Whatever serves a contender's tasks: one process, or a node and its remote worker. */
  workers(count?: number): Promise<Actor[]>;
  /** To everything that serves tasks. */
  signal(signal: NodeJS.Signals): void;
  /** From here on processor time counts. */
  begin(): void;
  /** What the processes took since `begin`. */
  cpu(): Record<string, number>;
  /** Megabytes that each process, and the store with all of its processes, holds now. */
  memory(): Record<string, number>;
}

export async function onStage<Answer>(
  { name, stores, scale }: { name: ContenderName; stores: Stores; scale: number },
  work: (stage: Stage) => Promise<Answer>,
): Promise<Answer> {
  const backing = await stores.open(name);
  const actors: { role: string; actor: Actor }[] = [];
  let since: Record<string, number> = {};
  const read = (): Record<string, number> => ({
    ...Object.fromEntries(actors.map(({ role, actor }) => [role, cpuSeconds(actor.pid)])),
    store: backing.cpuSeconds(),
  });
  const stage: Stage = {
    name,
    backing,
    scale,
    sized: (full, least = 1) => Math.max(least, Math.round(full * scale)),
    async actor(role, env = {}) {
      const actor = await startActor(name, backing, env);
      actors.push({ role, actor });
      return actor;
    },
    async workers(count = 1) {
      if (name !== "carillon-grpc") {
        return Promise.all(Array.from({ length: count }, (_, i) => stage.actor(`worker ${i + 1}`)));
      }
      const node = await stage.actor("node");
      await node.call("work", { concurrency: 1, tuned: "lateness" });
      return Promise.all(
        Array.from({ length: count }, (_, i) => stage.actor(`worker ${i + 1}`, { BENCH_NODE_URL: node.url ?? "" })),
      );
    },
    signal(signal) {
      for (const { role, actor } of actors) if (role !== "producer") actor.signal(signal);
    },
    begin() {
      since = read();
    },
    cpu: () =>
      Object.fromEntries(
        Object.entries(read()).map(([role, seconds]) => [role, Math.round((seconds - (since[role] ?? 0)) * 100) / 100]),
      ),
    memory: () =>
      Object.fromEntries(
        [
          ...actors.map(({ role, actor }) => [role, megabytes(actor.pid)] as const),
          ["store", backing.megabytes()] as const,
        ].map(([role, used]) => [role, Math.round(used)]),
      ),
  };
  try {
    const preparing = await stage.actor("prepare");
    await preparing.call("prepare");
    await preparing.close();
    actors.length = 0;
    return await work(stage);
  } finally {
    await Promise.all(actors.map(({ actor }) => actor.close()));
    await backing.drop();
  }
}
