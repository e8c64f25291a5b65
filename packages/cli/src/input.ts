/** What the command line reads from files and standard input. Whatever is wrong with it is a mistake of usage. */
import { readFileSync } from "node:fs";
import { CarillonError } from "@carillon/client";

/** The text of a file, or of standard input for `-`. */
export function readText(file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file === "-" ? 0 : file));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why =
      code === "ENOENT"
        ? "does not exist"
        : code === "ERR_ENCODING_INVALID_ENCODED_DATA"
          ? "is no UTF-8 text"
          : message;
    throw usageError(`${file === "-" ? "standard input" : file} ${why}`, cause);
  }
}

/** JSON text, `@FILE`, or `-` for standard input. */
export function readPayload(argument: string | undefined): unknown {
  if (argument === undefined) return undefined;
  const text = argument === "-" ? readText("-") : argument.startsWith("@") ? readText(argument.slice(1)) : argument;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw usageError(`the payload is not JSON: ${(cause as Error).message}`, cause);
  }
}

export function usageError(detail: string, cause?: unknown): CarillonError {
  return new CarillonError("invalid_request", { detail, ...(cause === undefined ? {} : { cause }) });
}
