/**
 * Page tokens: where the next page begins, bound to the list they came from (namespace, path and filters). Opaque to clients; they hold
 * nothing secret, and one that was altered is refused.
 */
import { createHash } from "node:crypto";
import { invalid } from "@carillon/core";

export function writePageToken(list: unknown, next: string | null): string | null {
  if (next === null) return null;
  return `${Buffer.from(next).toString("base64url")}.${seal(list, next)}`;
}

/** Null for the first page. */
export function readPageToken(list: unknown, token: string | undefined): string | null {
  if (token === undefined) return null;
  const match = /^([A-Za-z0-9_-]{1,1000})\.([A-Za-z0-9_-]{16})$/.exec(token);
  const next = match ? Buffer.from(match[1]!, "base64url").toString() : "";
  if (match && match[2] === seal(list, next)) return next;
  throw invalid("pageToken", "invalid_page_token", "This page token is not from this list with these filters.");
}

/** Digests `undefined` and absent fields alike. */
function seal(list: unknown, next: string): string {
  return createHash("sha256")
    .update(`${JSON.stringify(list)}\n${next}`)
    .digest("base64url")
    .slice(0, 16);
}
