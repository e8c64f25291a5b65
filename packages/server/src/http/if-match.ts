import { invalid } from "@carillon/core";
import type { FastifyRequest } from "fastify";

/** The version that must still be the present one. */
export function readIfMatch(request: FastifyRequest): number | undefined {
  const header = request.headers["if-match"];
  if (header === undefined) return undefined;
  const match = /^"(\d{1,9})"$/.exec(header);
  if (match) return Number(match[1]);
  throw invalid("If-Match", "invalid_format", 'The ETag that was read, such as "3".');
}
