import { firstIdAt, type Id, idCreatedAt } from "@carillon/core";
import {
  type ConnectedWorker,
  type CreatedCounts,
  isAsked,
  type LaneFilter,
  type NodeFigures,
  type Session,
  type WorkerFacts,
} from "../store.ts";
import { isLive, type MemoryDatabase, type TaskRow } from "./database.ts";

export function created(
  database: MemoryDatabase,
  { from, cap, ...filter }: { from: number; cap: number } & LaneFilter,
): CreatedCounts {
  const latest = (rows: Iterable<TaskRow>) =>
    [...rows]
      .filter(({ id }) => id >= firstIdAt(from))
      .sort((a, b) => (a.id > b.id ? -1 : 1))
      .slice(0, cap);
  const found = [latest(database.tasks.values()), latest(database.archive.values())];
  const begins = found.filter(({ length }) => length === cap).map((rows) => idCreatedAt(rows.at(-1)!.id));
  const begin = Math.max(from, ...begins);
  const counts = new Map<number, CreatedCounts["lanes"][0]>();
  for (const { id, lane } of found.flat()) {
    if (idCreatedAt(id) < begin || !isAsked(lane, filter)) continue;
    const entry = counts.get(lane.id) ?? { lane, count: 0 };
    entry.count++;
    counts.set(lane.id, entry);
  }
  return { from: begin, lanes: [...counts.values()] };
}

export function recordFigures(database: MemoryDatabase, id: Id, figures: NodeFigures): void {
  const session = database.sessions.get(id);
  if (session) session.figures = structuredClone(figures);
}

export function nodeFigures(database: MemoryDatabase): (NodeFigures & Pick<Session, "node" | "zoneData">)[] {
  return [...database.sessions.values()]
    .filter(({ id }) => isLive(database, id))
    .map(({ node, zoneData, figures }) => ({ node, zoneData, ...(figures ?? { workers: 0, pools: [], queues: [] }) }));
}

export function recordWorkers(database: MemoryDatabase, id: Id, workers: readonly WorkerFacts[]): void {
  const session = database.sessions.get(id);
  if (session && isLive(database, id)) session.workers = structuredClone(workers) as WorkerFacts[];
}

export function connectedWorkers(database: MemoryDatabase, namespace: string): ConnectedWorker[] {
  return [...database.sessions.values()]
    .filter(({ id }) => isLive(database, id))
    .flatMap(({ id: session, node, workers }) =>
      structuredClone(workers).map((worker) => ({ ...worker, session, node })),
    )
    .filter((worker) => worker.namespace === namespace);
}
