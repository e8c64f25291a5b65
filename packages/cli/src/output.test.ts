import { expect, test } from "vitest";
import { formatRows, printable } from "./output.ts";

const columns = [
  { title: "NAME", value: ({ name }: { name: string; late: number | null }) => name },
  { title: "LATE", value: ({ late }: { name: string; late: number | null }) => late },
];

test("people get a table with a heading, a pipe gets tab-separated lines", () => {
  const rows = [
    { name: "nightly", late: 12 },
    { name: "x", late: null },
  ];
  expect(formatRows(rows, columns, "table")).toBe("NAME     LATE\nnightly  12\nx        –");
  expect(formatRows(rows, columns, "plain")).toBe("nightly\t12\nx\t");
});

test("a cell stays one cell of one line", () => {
  expect(formatRows([{ name: "a\tb\nc", late: 0 }], columns, "plain")).toBe("a\\tb\\nc\t0");
});

test("escape sequences and characters that turn text around are shown, not obeyed", () => {
  expect(printable("\u001b[2Jgone\u009b1m \u202egnp.exe\r")).toBe("\\u001b[2Jgone\\u009b1m \\u202egnp.exe\\u000d");
  expect(printable("two\nlines\tand 😀 é")).toBe("two\nlines\tand 😀 é");
});
