import { afterAll, expect, test } from "vitest";
import { openProxy } from "../src/postgres/test-proxy.ts";
import { openPostgres } from "./open-postgres.ts";
import { storeSuite } from "./store-suite.ts";

let listener: Awaited<ReturnType<typeof openProxy>> | null = null;
/** Hears what the store says to its database. */
const overheard = async (connectionString: string) => (listener = await openProxy(connectionString));

for (const [name, version, options] of [
  ["PostgreSQL 18", 18, { through: overheard }],
  ["PostgreSQL 15", 15, {}],
  ["PostgreSQL 18 behind a pooler in transaction mode", 18, { pooled: true }],
] as const) {
  const postgres = await openPostgres(version, options);
  if (!postgres) continue;
  afterAll(() => postgres.close());
  storeSuite(`the store on ${name}`, async () => {
    await postgres.clear();
    return postgres.store;
  });
}

// A commit with a NOTIFY takes a lock of the whole server. Runs last, and so hears of every verb.
test.skipIf(process.env.CARILLON_TEST_POOLER)(
  "nobody's tasks wait for a NOTIFY: of all connections the one for hints alone sends any",
  async () => {
    const connections = listener!.sent();
    const writing = connections.filter((sent) => /\b(begin|insert|update|delete)\b/i.test(sent));
    expect(writing.join().length).toBeGreaterThan(100_000);
    expect(writing.filter((sent) => /notify/i.test(sent))).toEqual([]);
    expect(connections.filter((sent) => sent.includes("pg_notify"))).toHaveLength(1);
  },
);
