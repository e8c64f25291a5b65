import fc from "fast-check";
import { expect, test } from "vitest";
import { clip, jsonDepth, logText, textOf } from "./text.ts";

test("a cut text fits, is a beginning of the whole, and ends in no half character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.integer({ min: 3, max: 300 }), (text, maxBytes) => {
      const cut = clip(text, maxBytes);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(maxBytes);
      expect(cut).not.toContain("\0");
      const stored = Buffer.from(text.replaceAll("\0", "\uFFFD")).toString();
      if (cut !== stored) {
        expect(cut.endsWith("…")).toBe(true);
        expect(stored.startsWith(cut.slice(0, -1))).toBe(true);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("the depth of a JSON text is that of the value", () => {
  const depthOf = (value: unknown): number =>
    typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
      expect(jsonDepth(JSON.stringify(value))).toBe(depthOf(value));
    }),
  );
  expect(jsonDepth('["\\"[", "]", {"[{": "\\\\"}]')).toBe(2);
});

test("a part of a log line is its text, an error's stack, or JSON", () => {
  expect(logText("as it is")).toBe("as it is");
  expect(logText({ rows: 3, names: ["a"] })).toBe('{"rows":3,"names":["a"]}');
  expect(logText(null)).toBe("null");
  expect(logText(undefined)).toBe("undefined");
  expect(logText(12n)).toBe("12");
  expect(logText(new TypeError("no"))).toMatch(/^TypeError: no\n {4}at /);
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  expect(logText(cycle)).toBe("[object Object]");
});

test("anything can be made a text", () => {
  expect(textOf("as it is")).toBe("as it is");
  expect(textOf(undefined)).toBe("undefined");
  expect(textOf(Object.create(null))).toBe("[object Object]");
});
