import { expect, test } from "vitest";
import { float8Array, int2Array, int4Array, int8Array, textArray } from "./arrays.ts";
import { setup } from "./test-store.ts";

test("arrays arrive as they were sent", async () => {
  await using t = await setup();
  const cases = [
    ["int2", int2Array([0, 1, -1, 32_767]), '["0", "1", "-1", "32767"]'],
    ["int4", int4Array([0, -2_147_483_648]), '["0", "-2147483648"]'],
    ["int8", int8Array([0n, null, -1n, (1n << 63n) - 1n]), '["0", null, "-1", "9223372036854775807"]'],
    ["float8", float8Array([0, null, 1_784_116_800_000.25]), '["0", null, "1784116800000.25"]'],
    ["text", textArray(["", null, 'a"b\\,{}', "NULL", "ü€😀"]), JSON.stringify(["", null, 'a"b\\,{}', "NULL", "ü€😀"])],
    ["text", textArray([]), null],
  ] as const;
  for (const [type, value, expected] of cases) {
    const [row] = await t.sql<{ items: unknown }>(
      `select to_json(array_agg(x::text)) as items from unnest($1::${type}[]) x`,
      [value],
    );
    expect(row!.items).toEqual(expected === null ? null : JSON.parse(expected));
  }
});
