/** Text on its way into the store. */

/** Whatever a handler logged or threw, as text. Never throws. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** One argument of a log call: text as it is, an error with its stack, everything else as JSON. Never throws. */
export function logText(value: unknown): string {
  if (typeof value === "string") return value;
  try {
    if (value instanceof Error) return textOf(value.stack ?? value);
    return JSON.stringify(value) ?? textOf(value);
  } catch {
    return textOf(value); // BigInts, cycles.
  }
}

/** At most so many bytes of UTF-8, without half characters. NUL, which cannot be stored, is replaced. */
export function clip(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text.replaceAll("\u0000", "\uFFFD"));
  if (bytes.length <= maxBytes) return bytes.toString();
  const ellipsis = "…";
  let end = maxBytes - Buffer.byteLength(ellipsis);
  // Bytes 10xxxxxx go on with a character that began before.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString() + ellipsis;
}

/** How many levels of objects and arrays a JSON text has. */
export function jsonDepth(json: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (inString) {
      if (character === "\\") i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === "{" || character === "[") deepest = Math.max(deepest, ++depth);
    else if (character === "}" || character === "]") depth--;
  }
  return deepest;
}
