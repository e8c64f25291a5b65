import { queryOptions } from "@tanstack/react-query";
import { request } from "./http.ts";
import type { TaskError } from "./tasks.ts";

const REFRESH_MS = 10_000;

/** Failed tasks of the same type, error and place. */
export interface FailureGroup {
  fingerprint: string;
  type: string;
  /** Of the newest. */
  error: TaskError;
  count: number;
  firstAt: string;
  lastAt: string;
  /** Ids of the newest, a few. */
  tasks: string[];
}

interface FailureList {
  failures: FailureGroup[];
  read: number;
  complete: boolean;
}

export function failuresQuery() {
  return queryOptions({
    queryKey: ["failures"],
    queryFn: ({ signal }) => request<FailureList>("GET", "/failures", { signal }),
    refetchInterval: REFRESH_MS,
  });
}
