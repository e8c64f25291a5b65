/** What tasks call and had trouble: the answers about breakers. */
import { formatInstant, limits } from "@carillon/core";
import type { TargetSummary } from "@carillon/store";
import type { ListTargets, TargetList } from "../http/schemas/targets.ts";
import type { Deps } from "./deps.ts";
import { readPageToken, writePageToken } from "./page-token.ts";

/** So many waiting tasks are counted. */
const COUNTED = 1_000;

export async function listTargets(
  { store }: Deps,
  namespace: string,
  { pageSize = limits.defaultPageSize, pageToken }: ListTargets,
): Promise<TargetList> {
  const list = ["targets", namespace];
  const after = readPageToken(list, pageToken);
  const page = await store.listTargets(namespace, { pageSize, after, cap: COUNTED });
  return { targets: page.items.map(toTarget), nextPageToken: writePageToken(list, page.next) };
}

function toTarget({ name, state, since, until, trips, reason, waiting }: TargetSummary): TargetList["targets"][number] {
  const tried = until === null ? null : formatInstant(until);
  return { name, state, since: formatInstant(since), until: tried, trips, reason, waiting };
}
