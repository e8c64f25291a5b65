import { useEffect, useState } from "react";
import { useLiveStatus } from "../services/live.ts";
import { problemOf } from "../services/problem.ts";

export interface ActionFailure {
  error: unknown;
  retry: () => void;
}

/**
 * What went wrong with the last action, until another one begins. One that got no answer is forgotten when the server is back: what is
 * shown then says whether it was done.
 */
export function useActionFailure(): [ActionFailure | null, (failure: ActionFailure | null) => void] {
  const [failure, report] = useState<ActionFailure | null>(null);
  const { kind } = useLiveStatus();
  useEffect(() => {
    if (kind === "live") report((failure) => (failure && problemOf(failure.error).status === 0 ? null : failure));
  }, [kind]);
  return [failure, report];
}
