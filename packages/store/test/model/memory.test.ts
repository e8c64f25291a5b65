import { createMemoryDatabase, createMemoryStore } from "@carillon/store";
import { expect, test } from "vitest";
import { compareStores } from "./sequences.ts";

const memory = () => createMemoryStore(createMemoryDatabase({ now: () => 0 }));

test("two memory stores answer the same, so that nothing in a comparison depends on chance", async () => {
  expect(await compareStores(async () => [memory(), memory()], { sequences: 100 })).toBe(100);
});
