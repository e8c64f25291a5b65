import { type CarillonError, invalid, limits } from "@carillon/core";

/** Each way to ask for labels is a lane of its own, and one for each part of fair keys, which every node remembers. */
export function tooManyKinds(namespace: string): CarillonError {
  return invalid(
    "/requires",
    "too_many",
    `Tasks of the namespace ${namespace} ask for labels in ${limits.requiresKinds} different ways already, by queue, type and fair key.`,
  );
}
