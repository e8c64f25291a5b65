/**
 * Failures with the same cause mostly have the same type, name, message and place, but for what differs from case to case: ids, numbers,
 * names, the folder of a deployment, the line after an edit. Without those they are one group.
 */
import type { TaskError } from "./outcome.ts";
import { hashText } from "./text-hash.ts";

/** Sixteen hexadecimal digits. */
export function fingerprintOf(type: string, { code, name, message, stack }: TaskError): string {
  const text = [type, code, name, plainMessage(message), topFrame(stack)].join("\n");
  return [text, `\n${text}`].map((each) => hashText(each).toString(16).padStart(8, "0")).join("");
}

export const FINGERPRINT = /^[0-9a-f]{16}$/;

const PLAIN_LENGTH = 300;

/** Its first line, with a star for what may differ. */
export function plainMessage(message: string): string {
  const [line = ""] = message
    .trimStart()
    .slice(0, 2 * PLAIN_LENGTH)
    .split("\n");
  return line
    .replaceAll(/(["'`])(?:(?!\1).)*\1/g, "*")
    .replaceAll(/[\w.:%+-]+/g, (word) => (/\d/.test(word) ? "*" : word))
    .replaceAll(/\s+/g, " ")
    .trim()
    .slice(0, PLAIN_LENGTH);
}

/** Function and file in which it was thrown. */
function topFrame(stack: string | null): string {
  const frame = /^[ \t]*at (.{1,300})/m.exec(stack ?? "")?.[1] ?? "";
  return frame
    .replaceAll(/:\d+/g, "")
    .split(/([\s()])/)
    .map((part) => part.slice(Math.max(part.lastIndexOf("/"), part.lastIndexOf("\\")) + 1))
    .join("");
}
