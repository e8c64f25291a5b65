import { queryOptions } from "@tanstack/react-query";
import { request } from "./http.ts";

const REFRESH_MS = 5_000;

export interface WorkerInfo {
  name: string;
  node: string | null;
  version: string;
  labels: Record<string, string>;
  queues: string[];
  types: string[];
  slots: number;
  busy: number;
  connectedAt: string;
}

/** The first two hundred by name. */
export function workersQuery() {
  return queryOptions({
    queryKey: ["workers"],
    queryFn: ({ signal }) =>
      request<{ workers: WorkerInfo[]; nextPageToken: string | null }>("GET", "/workers?pageSize=200", { signal }),
    refetchInterval: REFRESH_MS,
  });
}
