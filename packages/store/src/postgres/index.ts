export type { ConnectionTarget } from "./connection.ts";
export { type MigrateOptions, migrate } from "./migrate.ts";
export { createPostgresStore, type PostgresStoreOptions } from "./store.ts";
