import { expect, test } from "vitest";
import { hasLabels, labelsText, labelValueProblem, sortedLabels } from "./labels.ts";

test("equal labels are the same text, in whatever order, and different ones never are", () => {
  expect(labelsText({ region: "eu", gpu: "a100" })).toBe(labelsText({ gpu: "a100", region: "eu" }));
  expect(labelsText({})).toBe("");
  expect(labelsText(undefined)).toBe("");
  const different = [{ a: "b,c" }, { a: "b", c: "" }, { a: 'b","c' }, { "a=b": "c" }, { a: "b=c" }];
  expect(new Set(different.map((labels) => labelsText(labels as Record<string, string>))).size).toBe(different.length);
  expect(Object.keys(sortedLabels({ b: "1", a: "2" }))).toEqual(["a", "b"]);
});

test("a worker has what is asked for only with the same value", () => {
  const worker = { region: "eu", worker: "w-1" };
  expect(hasLabels(worker, {})).toBe(true);
  expect(hasLabels(worker, { region: "eu" })).toBe(true);
  expect(hasLabels(worker, { region: "us" })).toBe(false);
  expect(hasLabels(worker, { region: "eu", gpu: "a100" })).toBe(false);
  // No property that every object has is a label.
  expect(hasLabels({}, { constructor: "x" })).toBe(false);
});

test("a label has a value that people can read", () => {
  expect(labelValueProblem("eu west")).toBeNull();
  expect(labelValueProblem("")).toBeNull();
  for (const value of ["a\0b", "\ud800", "x".repeat(257)]) expect(labelValueProblem(value)).toContain("value");
});
