import { expect, test } from "vitest";
import { comparable, diffFires, type ShownFire } from "./fire-diff.ts";

const fires = (...times: string[]): ShownFire[] =>
  times.map((time) => ({ at: `2026-11-${time}:00:00.000Z`, local: time }));

/** As text, for comparison. */
function diff(before: ShownFire[], after: ShownFire[]) {
  const { added, removed, moved, kept } = diffFires(before, after);
  const names = (shown: ShownFire[]) => shown.map(({ local }) => local);
  return {
    added: names(added),
    removed: names(removed),
    moved: moved.map(({ from, to }) => `${from.local}>${to.local}`),
    kept,
  };
}

test("another hour moves each fire", () => {
  expect(diff(fires("21T02", "22T02", "23T02"), fires("21T03", "22T03", "23T03"))).toEqual({
    added: [],
    removed: [],
    moved: ["21T02>21T03", "22T02>22T03", "23T02>23T03"],
    kept: 0,
  });
});

test("a second hour adds fires, and taking it away removes them", () => {
  const once = fires("21T02", "22T02");
  const twice = fires("21T02", "21T14", "22T02", "22T14");
  expect(diff(once, twice)).toEqual({ added: ["21T14", "22T14"], removed: [], moved: [], kept: 2 });
  expect(diff(twice, once)).toEqual({ added: [], removed: ["21T14", "22T14"], moved: [], kept: 2 });
});

test("only what lies between two that stay is moved", () => {
  const before = fires("21T02", "21T08", "22T02", "22T08");
  const after = fires("21T02", "21T09", "22T02");
  expect(diff(before, after)).toEqual({ added: [], removed: ["22T08"], moved: ["21T08>21T09"], kept: 2 });
});

test("a schedule that is new adds all its fires, an equal one changes none", () => {
  expect(diff([], fires("21T02"))).toEqual({ added: ["21T02"], removed: [], moved: [], kept: 0 });
  expect(diff(fires("21T02"), fires("21T02"))).toEqual({ added: [], removed: [], moved: [], kept: 1 });
});

test("lists are compared as far as both are known", () => {
  const until = "2026-11-28T00:00:00.000Z";
  const often = fires("21T01", "21T02", "21T03");
  const daily = fires("21T02", "22T02");
  expect(comparable(daily, often, { count: 3, until })).toEqual({
    before: fires("21T02"),
    after: often,
    until: "2026-11-21T03:00:00.000Z",
  });
  expect(comparable(daily, fires("29T02"), { count: 3, until })).toEqual({ before: daily, after: [], until });
});
