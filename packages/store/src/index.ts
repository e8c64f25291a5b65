export { type EmbeddedOptions, type EmbeddedPostgres, startEmbedded } from "./embedded/start.ts";
export * from "./memory/index.ts";
export { isDiskFull } from "./postgres/db-errors.ts";
export * from "./postgres/index.ts";
export * from "./store.ts";
