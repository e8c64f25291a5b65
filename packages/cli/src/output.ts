/** Data on stdout: a table for people, JSON with `--json`. Control characters of user text never reach the terminal. */

export interface Column<Row> {
  title: string;
  value: (row: Row) => string | number | null;
}

export function printRows<Row>(rows: readonly Row[], columns: readonly Column<Row>[], json: boolean): void {
  if (json) {
    for (const row of rows) console.log(JSON.stringify(row));
    return;
  }
  const cells = rows.map((row) => columns.map(({ value }) => printable(String(value(row) ?? "–"))));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const line = (row: string[]) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join("  ")
      .trimEnd();
  if (rows.length === 0) {
    console.error("none");
    return;
  }
  console.log(line(columns.map(({ title }) => title)));
  for (const row of cells) console.log(line(row));
}

/** One object: its fields a line each. */
export function printRecord(record: object, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(record));
    return;
  }
  const entries = Object.entries(record).filter(
    ([, value]) => value !== null && !(Array.isArray(value) && value.length === 0),
  );
  const width = Math.max(...entries.map(([key]) => key.length));
  for (const [key, value] of entries) {
    console.log(
      `${key.padEnd(width)}  ${printable(typeof value === "object" ? JSON.stringify(value) : String(value))}`,
    );
  }
}

/** Escape sequences and other control characters are shown, not obeyed. */
export function printable(text: string): string {
  return text.replace(/[^\P{Cc}\t\n]/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
