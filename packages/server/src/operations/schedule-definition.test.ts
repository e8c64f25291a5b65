import { expect, test } from "vitest";
import { toRule } from "./schedule-definition.ts";

test("a rule that earlier versions knew has the fields that they stored, so the same PUT still changes nothing", () => {
  expect(toRule({ cron: "0 2 * * *" }, "nightly")).toStrictEqual({
    cron: "0 2 * * *",
    every: null,
    timeZone: "UTC",
    dialect: "ocps",
    dst: { gap: "next", overlap: "first" },
    jitter: null,
    startAt: null,
    endAt: null,
    maxFires: null,
  });
});

test("the name is part of a rule only where something is spread by it", () => {
  expect(toRule({ cron: "H 2 * * THU" }, "nightly").hashKey).toBe("nightly");
  expect(toRule({ rules: [{ every: "1h" }, { cron: "0 H * * *" }] }, "nightly").hashKey).toBe("nightly");
  expect(toRule({ cron: "0 2 * MAR THU" }, "nightly")).not.toHaveProperty("hashKey");
});
