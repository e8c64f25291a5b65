import { expect, test } from "vitest";
import { Recent } from "./recent.ts";

test("what is used again and again is not forgotten, whatever comes by", () => {
  const recent = new Recent<string, number>(10);
  recent.set("used", 1);
  for (let key = 0; key < 1_000; key++) {
    recent.set(`once-${key}`, key);
    expect(recent.get("used")).toBe(1);
  }
  expect(recent.get("once-999")).toBe(999);
  expect(recent.get("once-970")).toBeUndefined();
});

test("what was deleted stays deleted", () => {
  const recent = new Recent<string, number>(1);
  recent.set("a", 1);
  recent.set("b", 2);
  recent.get("a");
  recent.delete("a");
  expect(recent.get("a")).toBeUndefined();
});
