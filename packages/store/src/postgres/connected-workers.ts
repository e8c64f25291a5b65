/** Workers as their nodes tell of them, kept with the node's session: what a node said disappears with it. */
import type { Id } from "@carillon/core";
import type { ConnectedWorker, WorkerFacts } from "../store.ts";
import type { Db, Statement } from "./db.ts";

/** Workers of one kind are many, and each may have thousands of types: those are written once. */
interface Said {
  kinds: Pick<WorkerFacts, "namespace" | "queues" | "types">[];
  workers: (Omit<WorkerFacts, "namespace" | "queues" | "types"> & { kind: number })[];
}

export async function recordWorkers(db: Db, session: Id, workers: readonly WorkerFacts[]): Promise<void> {
  const said: Said = { kinds: [], workers: [] };
  const places = new Map<string, number>();
  for (const { namespace, queues, types, ...worker } of workers) {
    const key = JSON.stringify([namespace, queues, types]);
    const kind = places.get(key) ?? said.kinds.push({ namespace, queues, types }) - 1;
    places.set(key, kind);
    said.workers.push({ ...worker, kind });
  }
  await db.query(writeWorkers, [session, JSON.stringify(said)]);
}

export async function connectedWorkers(db: Db, namespace: string): Promise<ConnectedWorker[]> {
  const rows = await db.query<[session: Id, node: string, workers: string]>(selectWorkers, []);
  return rows.flatMap(([session, node, text]) => {
    const { kinds, workers }: Said = JSON.parse(text);
    return workers
      .map(({ kind, ...worker }) => ({ ...worker, ...kinds[kind]!, session, node }))
      .filter((worker) => worker.namespace === namespace);
  });
}

const writeWorkers: Statement = {
  name: "write_workers",
  text: "update session set workers = $2::jsonb where id = $1 and dead_at is null and closed_at is null",
};

const selectWorkers: Statement = {
  name: "select_workers",
  text: `
select id, node, workers from session
 where dead_at is null and closed_at is null and workers is not null
 order by id`,
};
