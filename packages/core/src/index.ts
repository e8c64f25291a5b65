export * from "./clock.ts";
export * from "./errors.ts";
export * from "./id.ts";
export * from "./limits.ts";
export * from "./outcome.ts";
export * from "./retry.ts";
export * from "./states.ts";
