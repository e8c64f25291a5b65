/**
 * Data goes to stdout: a table for people, tab-separated lines without a heading into a pipe, JSON with `--json`. Talk goes to stderr.
 * Texts of users never reach the terminal as control characters.
 */

export interface Column<Row> {
  title: string;
  /** Null: there is nothing. */
  value: (row: Row) => string | number | null;
}

/** With `--json` a line of JSON for each row. */
export function printRows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], json: boolean): void {
  if (json) for (const row of rows) printJson(row);
  else if (rows.length === 0) say("none");
  else print(formatRows(rows, columns, process.stdout.isTTY ? "table" : "plain"));
}

export function formatRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  style: "table" | "plain",
): string {
  const cells = rows.map((row) => columns.map(({ value }) => cell(value(row))));
  if (style === "plain") return cells.map((row) => row.join("\t")).join("\n");
  const shown = [columns.map(({ title }) => title), ...cells.map((row) => row.map((text) => text || "–"))];
  const widths = columns.map((_, index) => Math.max(...shown.map((row) => row[index]?.length ?? 0)));
  return shown
    .map((row) =>
      row
        .map((text, index) => text.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** One object: its fields a line each, without those that hold nothing. */
export function printRecord(record: object, json: boolean): void {
  if (json) {
    printJson(record);
    return;
  }
  const entries = Object.entries(record).filter(
    ([, value]) => value !== null && !(Array.isArray(value) && value.length === 0),
  );
  const width = process.stdout.isTTY ? Math.max(...entries.map(([key]) => key.length)) : 0;
  for (const [key, value] of entries) {
    print(
      `${key.padEnd(width)}${width > 0 ? "  " : "\t"}${cell(typeof value === "object" ? JSON.stringify(value) : value)}`,
    );
  }
}

/** One line. Control characters that JSON would leave as they are become escapes too. */
export function printJson(value: unknown): void {
  console.log((JSON.stringify(value) ?? "null").replace(DANGEROUS, unicodeEscape));
}

export function print(text: string): void {
  console.log(printable(text));
}

export function say(text: string): void {
  console.error(printable(text));
}

/** Escape sequences and other control characters are shown, not obeyed; tabs and line ends stay. */
export function printable(text: string): string {
  return text.replace(DANGEROUS, (character) => (/[\t\n]/.test(character) ? character : unicodeEscape(character)));
}

/** Control characters, and those that turn the direction of text around. */
const DANGEROUS = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function cell(value: unknown): string {
  return value === null || value === undefined
    ? ""
    : printable(String(value)).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}
