/**
 * Reads a request body. `JSON.parse` alone would block the process on five million brackets, keep the second of two equal keys, turn
 * 1e400 into Infinity and large integers into their neighbours; so the text is scanned once before it is parsed.
 */
import { CarillonError, type FieldError } from "@carillon/core";

/** Deeper than any request can be: 64 levels of payload inside a batch. What exactly is too deep, the schemas say. */
const MAX_DEPTH = 80;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The value of a body, which is never null; undefined for an empty one. Throws `invalid_request` with a pointer where there is one. */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  let text: string;
  try {
    text = decoder.decode(body);
  } catch {
    throw refuse({ pointer: "", code: "invalid_utf8", message: "The body is not valid UTF-8." });
  }
  const found = findProblem(text);
  if (found) throw refuse(found);
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null) return value;
  } catch (error) {
    const where = /position (\d+)/.exec(String(error))?.[1];
    const message = `The body is not valid JSON${where ? ` (at character ${where})` : ""}.`;
    throw refuse({ pointer: "", code: "invalid_json", message });
  }
  throw refuse({ pointer: "", code: "invalid_type", message: "Expected an object, got null." });
}

function refuse(error: FieldError): CarillonError {
  return new CarillonError("invalid_request", { detail: error.message, errors: [error] });
}

interface Level {
  /** Null in an array. */
  keys: Set<string> | null;
  /** The present key or index, for the pointer. */
  at: string | number;
  /** In an object: the next string is a key. */
  keyNext: boolean;
}

/** The first thing that `JSON.parse` would let pass. Malformed text may go unnoticed here: the parser finds it. */
function findProblem(text: string): FieldError | null {
  const levels: Level[] = [];
  const problem = (code: string, message: string): FieldError => ({ pointer: pointerTo(levels), code, message });
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case 0x7b: // {
      case 0x5b: {
        // [
        if (levels.length === MAX_DEPTH) return problem("too_deep", `More than ${MAX_DEPTH} levels of nesting.`);
        const isObject = text.charCodeAt(index) === 0x7b;
        levels.push({ keys: isObject ? new Set() : null, at: isObject ? "" : 0, keyNext: isObject });
        break;
      }
      case 0x7d: // }
      case 0x5d: // ]
        levels.pop();
        break;
      case 0x2c: {
        // ,
        const level = levels.at(-1);
        if (level?.keys) level.keyNext = true;
        else if (level) level.at = (level.at as number) + 1;
        break;
      }
      case 0x22: {
        // "
        const end = endOfString(text, index);
        const raw = text.slice(index, end);
        index = end - 1;
        const level = levels.at(-1);
        const isKey = level?.keyNext === true;
        const value = raw.includes("\\") ? readString(raw) : isKey ? raw.slice(1, -1) : null;
        if (isKey && value !== null) {
          level.at = value;
          level.keyNext = false;
          if (value === "__proto__") return problem("forbidden_key", "`__proto__` is not allowed as a key.");
          if (level.keys!.has(value)) return problem("duplicate_field", "The same field is given twice.");
          level.keys!.add(value);
        }
        if (value?.includes("\0")) return problem("nul", "Text holds no NUL character.");
        if (value !== null && !isWellFormed(value)) return problem("lone_surrogate", "Text holds half a character.");
        break;
      }
      default: {
        const code = text.charCodeAt(index);
        if (code !== 0x2d && (code < 0x30 || code > 0x39)) break;
        const start = index;
        while (index + 1 < text.length && /[0-9.eE+-]/.test(text[index + 1]!)) index++;
        const number = text.slice(start, index + 1);
        if (!isExact(number)) {
          return problem("number_out_of_range", "A number that JSON readers would change; send it as text.");
        }
      }
    }
  }
  return null;
}

function endOfString(text: string, start: number): number {
  let index = start + 1;
  for (;;) {
    const quote = text.indexOf('"', index);
    if (quote === -1) return text.length;
    let escapes = 0;
    while (text.charCodeAt(quote - 1 - escapes) === 0x5c && quote - 1 - escapes > start) escapes++;
    if (escapes % 2 === 0) return quote + 1;
    index = quote + 1;
  }
}

/** Null for what is no JSON string. */
function readString(raw: string): string | null {
  try {
    return JSON.parse(raw) as string;
  } catch {
    return null;
  }
}

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

function isWellFormed(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

/** Fractions may be rounded; integers and magnitudes may not. */
function isExact(number: string): boolean {
  const value = Number(number);
  if (Number.isNaN(value)) return true;
  if (!Number.isFinite(value)) return false;
  return !/^-?\d+$/.test(number) || Number.isSafeInteger(value);
}

function pointerTo(levels: Level[]): string {
  return levels.map(({ at }) => `/${escapePointer(String(at).slice(0, 128))}`).join("");
}

export function escapePointer(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1");
}
