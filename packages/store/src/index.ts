export * from "./store.ts";
export * from "./memory/index.ts";
