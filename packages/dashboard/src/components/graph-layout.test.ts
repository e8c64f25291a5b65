import { expect, test } from "vitest";
import { placeTasks } from "./graph-layout.ts";

test("each task stands to the right of all that it comes after, in the order in which they were submitted", () => {
  const placed = placeTasks([
    { key: "last", after: ["left", "right", "first"] },
    { key: "first", after: [] },
    { key: "left", after: ["first"] },
    { key: "right", after: ["first"] },
    { key: "far", after: ["left"] },
    { key: "orphan", after: ["forgotten"] },
  ]);
  expect(Object.fromEntries(placed.map(({ key, column, row }) => [key, [column, row]]))).toEqual({
    first: [0, 0],
    orphan: [0, 1],
    left: [1, 0],
    right: [1, 1],
    last: [2, 0],
    far: [2, 1],
  });
});
