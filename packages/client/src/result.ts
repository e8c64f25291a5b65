/**
 * What a result may be so that it can be stored, sent on and shown: the rules of payloads. The worker asks for the sake of its user, the
 * node because workers come in any language.
 */
import { limits } from "@carillon/core/limits";
import type { TaskErrorCode } from "@carillon/core/outcome";
import { jsonDepth } from "./text.ts";

export interface ResultProblem {
  code: TaskErrorCode;
  message: string;
}

/** Null when this valid JSON text can be kept. */
export function resultProblem(json: string): ResultProblem | null {
  if (Buffer.byteLength(json) > limits.resultBytes)
    return { code: "result_too_large", message: `the result is larger than ${limits.resultBytes} bytes` };
  if (jsonDepth(json) > limits.jsonDepth)
    return { code: "result_too_large", message: `the result has more than ${limits.jsonDepth} levels` };
  return suspicious(json) ? contentProblem(json) : null;
}

/** What is looked for appears in JSON text as an escape or by its name; few results have either, or room for so many keys. */
function suspicious(json: string): boolean {
  return json.includes("\\u") || json.includes("__proto__") || json.length > SHORTEST_KEY * limits.jsonKeys;
}

const SHORTEST_KEY = '"":0'.length;
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

function contentProblem(json: string): ResultProblem | null {
  let keys = 0;
  let problem: ResultProblem | null = null;
  const check = (text: string) => {
    if (text.includes("\0")) problem = { code: "handler_error", message: "the result holds a NUL character" };
    else if (LONE_SURROGATE.test(text))
      problem = { code: "handler_error", message: "the result holds half a character (a lone surrogate)" };
  };
  JSON.parse(json, function (this: unknown, key, value: unknown) {
    if (!Array.isArray(this)) {
      keys++;
      check(key);
      if (key === "__proto__") problem = { code: "handler_error", message: "the result has a key `__proto__`" };
    }
    if (typeof value === "string") check(value);
    return value;
  });
  // The value itself counts as the member of an object with an empty name.
  if (keys - 1 > limits.jsonKeys)
    return { code: "result_too_large", message: `the result has more than ${limits.jsonKeys} keys` };
  return problem;
}
