/** Workers that are connected now: to this node as it sees them, to the others as they said last, a few seconds ago at most. */
import { formatInstant, limits, sortedLabels } from "@carillon/core";
import type { ConnectedWorker, WorkerFacts } from "@carillon/store";
import type { WorkerAnswer } from "../http/schemas/workers.ts";
import type { Deps } from "./deps.ts";
import { readPageToken, writePageToken } from "./page-token.ts";

/** By name. */
export async function connectedWorkers(
  { store, dispatcher }: Pick<Deps, "store" | "dispatcher">,
  namespace: string,
): Promise<(WorkerFacts & Partial<ConnectedWorker>)[]> {
  const said = await store.connectedWorkers(namespace);
  const session = dispatcher?.session ?? null;
  const own = session === null ? [] : dispatcher!.workers().filter((worker) => worker.namespace === namespace);
  const node = said.find((worker) => worker.session === session)?.node;
  const mine = own.map((worker) => ({
    ...worker,
    ...(session === null ? {} : { session }),
    ...(node ? { node } : {}),
  }));
  return [...mine, ...said.filter((worker) => session === null || worker.session !== session)].sort((a, b) =>
    placeOf(a) < placeOf(b) ? -1 : 1,
  );
}

export async function listWorkers(
  deps: Pick<Deps, "store" | "dispatcher">,
  namespace: string,
  {
    pageSize = limits.defaultPageSize,
    pageToken,
  }: { pageSize?: number | undefined; pageToken?: string | undefined } = {},
): Promise<{ workers: WorkerAnswer[]; nextPageToken: string | null }> {
  const list = ["workers", namespace];
  const after = readPageToken(list, pageToken);
  const left = (await connectedWorkers(deps, namespace)).filter((worker) => after === null || placeOf(worker) > after);
  const page = left.slice(0, pageSize);
  const next = left.length > page.length ? placeOf(page.at(-1)!) : null;
  return { workers: page.map(toWorker), nextPageToken: writePageToken(list, next) };
}

/** Names are for people: several processes may have the same. */
function placeOf({ name, connectedAt, session = 0n }: WorkerFacts & Partial<ConnectedWorker>): string {
  return `${name} ${String(connectedAt).padStart(20, "0")} ${session}`;
}

function toWorker({
  name,
  version,
  labels,
  queues,
  types,
  slots,
  busy,
  connectedAt,
  node = null,
}: WorkerFacts & { node?: string | null }): WorkerAnswer {
  return {
    name,
    node,
    version,
    labels: sortedLabels(labels),
    queues: [...queues].sort(),
    types: [...types].sort(),
    slots,
    busy,
    connectedAt: formatInstant(connectedAt),
  };
}
