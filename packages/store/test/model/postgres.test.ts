import { createMemoryDatabase, createMemoryStore, type Store } from "@carillon/store";
import { expect, test } from "vitest";
import { openPostgres } from "../open-postgres.ts";
import { compareStores } from "./sequences.ts";

/** How many at least, whatever the time, and how many more while it lasts. `MODEL_SEQUENCES` and `MODEL_SEED` are for longer and repeated runs. */
const amounts = {
  18: { least: 50, more: Number(process.env.MODEL_SEQUENCES ?? 250), limitMs: 60_000 },
  15: { least: 20, more: 0, limitMs: 60_000 },
} as const;
const seed = process.env.MODEL_SEED === undefined ? {} : { seed: Number(process.env.MODEL_SEED) };

for (const version of [18, 15] as const) {
  test(`the memory store and PostgreSQL ${version} answer the same`, { timeout: 300_000 }, async ({ skip }) => {
    const postgres = await openPostgres(version);
    if (!postgres) return skip(`PostgreSQL ${version} is not on this machine.`);
    const fresh = async (): Promise<[Store, Store]> => {
      await postgres.clear();
      return [createMemoryStore(createMemoryDatabase({ now: () => 0 })), postgres.store];
    };
    try {
      const { least, more, limitMs } = amounts[version];
      const compared = await compareStores(fresh, { sequences: least, ...seed });
      expect(compared).toBeGreaterThanOrEqual(least);
      if (more > 0 && process.env.MODEL_SEED === undefined) {
        await compareStores(fresh, { sequences: more, limitMs });
      }
    } finally {
      await postgres.close();
    }
  });
}
