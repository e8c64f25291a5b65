/** What a JSON value may be so that it can be stored, sent on and printed without surprise. */
import { limits } from "@carillon/core";

export interface PayloadProblem {
  code: string;
  message: string;
}

/** Null when the value is within the limits. Bytes are those of its compact JSON text. */
export function payloadProblem(value: unknown): PayloadProblem | null {
  const shape = { keys: 0 };
  const tooDeep = { code: "too_deep", message: `At most ${limits.jsonDepth} levels of objects and arrays.` };
  if (!withinDepth(value, limits.jsonDepth, shape)) return tooDeep;
  if (shape.keys > limits.jsonKeys) return { code: "too_many_keys", message: `At most ${limits.jsonKeys} keys.` };
  if (Buffer.byteLength(JSON.stringify(value)) > limits.payloadBytes) {
    return { code: "too_large", message: `At most ${limits.payloadBytes / 1024} KiB of JSON.` };
  }
  return null;
}

function withinDepth(value: unknown, levels: number, shape: { keys: number }): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) return value.every((item) => withinDepth(item, levels - 1, shape));
  return Object.values(value).every((item) => {
    shape.keys++;
    return withinDepth(item, levels - 1, shape);
  });
}
