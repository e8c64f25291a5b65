/** Contenders by name. Modules of peers are loaded from `bench/peers/node_modules` in the processes that run them. */
import type { Contender } from "./contender.ts";

export interface ContenderKind {
  title: string;
  store: "postgres" | "redis" | "redis-fsync" | "none";
  peer: boolean;
  load(): Promise<Contender>;
}

export const contenders = {
  carillon: {
    title: "Carillon",
    store: "postgres",
    peer: false,
    load: async () => (await import("./carillon.ts")).carillon,
  },
  "carillon-grpc": {
    title: "Carillon, remote workers",
    store: "postgres",
    peer: false,
    load: async () => (await import("./carillon-grpc.ts")).carillonGrpc,
  },
  "raw-sql": {
    title: "raw SQL",
    store: "postgres",
    peer: false,
    load: async () => (await import("./raw-sql.ts")).rawSql,
  },
  timers: { title: "timers", store: "none", peer: false, load: async () => (await import("./timers.ts")).timers },
  "graphile-worker": {
    title: "graphile-worker",
    store: "postgres",
    peer: true,
    load: async () => (await import("./graphile-worker.ts")).graphileWorker,
  },
  "pg-boss": {
    title: "pg-boss",
    store: "postgres",
    peer: true,
    load: async () => (await import("./pg-boss.ts")).pgBoss,
  },
  bullmq: {
    title: "BullMQ",
    store: "redis",
    peer: true,
    load: async () => (await import("./bullmq.ts")).bullmq,
  },
  "bullmq-fsync": {
    title: "BullMQ, fsync",
    store: "redis-fsync",
    peer: true,
    load: async () => (await import("./bullmq.ts")).bullmq,
  },
} as const satisfies Record<string, ContenderKind>;

export type ContenderName = keyof typeof contenders;
