import { pino } from "pino";
import { expect, test } from "vitest";
import { openDatabase } from "./database.ts";

const log = pino({ level: "silent" });
const onLost = () => {};

test("a server that exists is used as it is, and its password is not shown", async () => {
  const databaseUrl = "postgres://app:s3cret@db.example:5433/tasks?sslmode=verify-full&password=s3cret";
  const database = await openDatabase({ databaseUrl }, { log, onLost });
  expect(database).toMatchObject({
    url: databaseUrl,
    directUrl: undefined,
    description: { kind: "server", warnings: [] },
  });
  expect(database.description.place).toMatch(/^PostgreSQL at postgres:\/\/app:\*\*\*@db\.example:5433\/tasks/);
  expect(JSON.stringify(database.description)).not.toContain("s3cret");
  await database.close();

  const pooled = await openDatabase({ databaseUrl, databaseDirectUrl: "postgres://direct/d" }, { log, onLost });
  expect(pooled).toMatchObject({ url: databaseUrl, directUrl: "postgres://direct/d" });
  const odd = await openDatabase({ databaseUrl: "host=db password=s3cret" }, { log, onLost });
  expect(odd.description.place).toBe("PostgreSQL at the configured address");
});
