import { afterAll } from "vitest";
import { openPostgres } from "./open-postgres.ts";
import { storeSuite } from "./store-suite.ts";

for (const version of [18, 15] as const) {
  const postgres = await openPostgres(version);
  if (!postgres) continue;
  afterAll(() => postgres.close());
  storeSuite(`the store on PostgreSQL ${version}`, async () => {
    await postgres.clear();
    return postgres.store;
  });
}
