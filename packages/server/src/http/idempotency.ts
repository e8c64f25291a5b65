/** `Idempotency-Key`: the client's name for a request, and the fingerprint that tells a repetition from another request. */
import { createHash } from "node:crypto";
import { invalid, limits } from "@carillon/core";
import type { FastifyRequest } from "fastify";
import type { Idempotency } from "../operations/index.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Null without the header, and on routes that do not read it. */
    idempotency: Idempotency | null;
  }
}

/** A route's hook before validation, while the body is what was sent. */
export async function readIdempotency(request: FastifyRequest): Promise<void> {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return;
  if (typeof key !== "string" || !/^[\x21-\x7e]+$/.test(key)) {
    throw invalid("Idempotency-Key", "invalid_format", "An idempotency key is visible ASCII text.");
  }
  if (key.length > limits.idempotencyKeyLength) {
    throw invalid("Idempotency-Key", "too_long", `At most ${limits.idempotencyKeyLength} characters.`);
  }
  const sent = `${request.method} ${request.url.split("?", 1)[0]}\n${canonicalJson(request.body ?? {})}`;
  request.idempotency = { key, requestHash: createHash("sha256").update(sent).digest("base64url") };
}

/** The order of fields does not matter. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
