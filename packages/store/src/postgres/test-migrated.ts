/** For tests: a database of this version's schema, a copy of one that the test run migrates once. */
import { createTestDatabase, type Original, type TestDatabase, type TestVersion } from "../embedded/test-database.ts";
import { migrate } from "./migrate.ts";

const copyOf: Original = { name: "carillon_migrated", prepare: migrate };

export function createMigratedDatabase(options?: { version?: 18 }): Promise<TestDatabase>;
export function createMigratedDatabase(options: { version: TestVersion }): Promise<TestDatabase | null>;
export function createMigratedDatabase({ version = 18 }: { version?: TestVersion } = {}): Promise<TestDatabase | null> {
  return createTestDatabase({ version, copyOf });
}
