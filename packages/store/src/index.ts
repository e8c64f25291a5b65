export * from "./store.ts";
export * from "./memory/index.ts";
export * from "./postgres/index.ts";
