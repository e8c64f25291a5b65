import { expect, test } from "vitest";
import { updateInPlace } from "./steady-rows.ts";

const row = (id: string, state: string) => ({ id, state });
const idOf = (row: { id: string }) => row.id;

test("rows under the pointer keep their place and take their new values", () => {
  const shown = [row("b", "running"), row("a", "queued")];
  const now = [row("c", "queued"), row("b", "succeeded")];
  expect(updateInPlace(shown, now, idOf)).toEqual([row("b", "succeeded"), row("a", "queued")]);
});

test("another page or filter replaces all of them", () => {
  const now = [row("x", "failed")];
  expect(updateInPlace([row("a", "queued")], now, idOf)).toBe(now);
});
