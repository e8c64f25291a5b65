import { expect, test } from "vitest";
import { bulkVerbs } from "./bulk.ts";

test("only verbs that find something to do among what is shown are offered", () => {
  expect(bulkVerbs(["failed"])).toEqual(["retry"]);
  expect(bulkVerbs(["scheduled", "succeeded"])).toEqual(["run-now", "cancel"]);
  expect(bulkVerbs(["succeeded"])).toEqual([]);
  expect(bulkVerbs([])).toEqual(["retry", "run-now", "cancel"]);
});
