/** For tests: a database of this version's schema, a copy of one that the test run migrates once. */
import {
  createTestDatabase,
  type Original,
  type TestDatabase,
  type TestVersion,
  testServers,
} from "../embedded/test-database.ts";
import { migrate } from "./migrate.ts";

const copyOf: Original = { name: "carillon_migrated", prepare: migrate };

export function createMigratedDatabase(options?: { version?: 18 }): Promise<TestDatabase>;
export function createMigratedDatabase(options: { version: TestVersion }): Promise<TestDatabase | null>;
export function createMigratedDatabase({ version = 18 }: { version?: TestVersion } = {}): Promise<TestDatabase | null> {
  return createTestDatabase({ version, copyOf });
}

/**
 * The same on a server of its own, for tests that count pages: entries of dead rows stay as long as any transaction of the server that
 * writes is as old as they are, also one of another database. Null as there.
 */
export async function createDatabaseAlone(version: TestVersion): Promise<TestDatabase | null> {
  const servers = testServers();
  const connectionString = await servers.connectionString(version);
  if (connectionString === null) return createMigratedDatabase({ version });
  await migrate(connectionString);
  return { connectionString, directUrl: connectionString, drop: () => servers.stop() };
}
