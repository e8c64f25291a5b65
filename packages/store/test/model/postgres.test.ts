import { createMemoryDatabase, createMemoryStore, type Store } from "@carillon/store";
import { expect, test } from "vitest";
import { openPostgres } from "../open-postgres.ts";
import { type Amount, compareStores } from "./sequences.ts";

/**
 * `least` sequences whatever the time, `more` while it lasts. `MODEL_SEQUENCES` is for long runs instead, `MODEL_SEED` repeats one that
 * failed.
 */
function amounts(least: number, more: number): Amount[] {
  const { MODEL_SEQUENCES, MODEL_SEED } = process.env;
  const seed = MODEL_SEED === undefined ? {} : { seed: Number(MODEL_SEED) };
  if (MODEL_SEQUENCES !== undefined) return [{ sequences: Number(MODEL_SEQUENCES), ...seed }];
  return [
    { sequences: least, ...seed },
    { sequences: more, limitMs: 45_000 },
  ];
}

test.for([
  { version: 18, least: 50, more: 250 },
  { version: 15, least: 20, more: 30 },
] as const)(
  "the memory store and PostgreSQL $version answer the same",
  { timeout: 3_600_000 },
  async (given, { skip }) => {
    const postgres = await openPostgres(given.version);
    if (!postgres) return skip(`PostgreSQL ${given.version} is not on this machine.`);
    const fresh = async (): Promise<[Store, Store]> => {
      await postgres.clear();
      return [createMemoryStore(createMemoryDatabase({ now: () => 0 })), postgres.store];
    };
    try {
      let compared = 0;
      for (const amount of amounts(given.least, given.more)) compared += await compareStores(fresh, amount);
      expect(compared).toBeGreaterThanOrEqual(given.least);
    } finally {
      await postgres.close();
    }
  },
);
