export type { ConnectionTarget } from "./connection.ts";
export { type DatabaseFacts, databaseFacts } from "./facts.ts";
export { type MigrateOptions, migrate } from "./migrate.ts";
export { createPostgresStore, type PostgresStoreOptions } from "./store.ts";
