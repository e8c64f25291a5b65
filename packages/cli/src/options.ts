/** How the values of options are read; a wrong one is refused before anything is done. */
import { parseDuration } from "@carillon/core/duration";
import { isName } from "@carillon/core/limits";
import { InvalidArgumentError } from "commander";

export function wholeNumber(from: number, to: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= from && number <= to) return number;
    throw new InvalidArgumentError(`A whole number from ${from} to ${to}.`);
  };
}

/** Checked here, kept as text. */
export function duration(text: string): string {
  if (parseDuration(text) !== null) return text;
  throw new InvalidArgumentError("A duration such as 500ms, 30s or 1h30m.");
}

export function name(text: string): string {
  if (isName(text)) return text;
  throw new InvalidArgumentError("A letter or digit, then up to 127 letters, digits, dots, dashes and underscores.");
}

/** May be repeated. */
export function collect(text: string, earlier: string[] = []): string[] {
  return [...earlier, text];
}

/** May be repeated, each time with one value or several between commas. */
export function list(text: string, earlier: string[] = []): string[] {
  return [...earlier, ...text.split(",").map((item) => item.trim())].filter((item) => item !== "");
}

/** `key=value`, several between commas or by repeating it. */
export function labels(text: string, earlier: Record<string, string> = {}): Record<string, string> {
  const given = text.split(",").map((pair): [string, string] => {
    const at = pair.indexOf("=");
    const [key, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    if (at < 1 || !isName(key)) throw new InvalidArgumentError("Give key=value, several between commas.");
    return [key, value];
  });
  return { ...earlier, ...Object.fromEntries(given) };
}

export function address(text: string, earlier: string[] = []): string[] {
  const protocol = URL.canParse(text) ? new URL(text).protocol : null;
  if (protocol !== "http:" && protocol !== "https:") {
    throw new InvalidArgumentError("An address such as http://127.0.0.1:7070.");
  }
  return [...earlier, text];
}
