/** An account of when fires are that shares nothing with the product: not a line of `core`, nor its reading of zones. */
export * from "./expected-fires.ts";
export { type Dialect, readPlainly } from "./plain-cron.ts";
export { randomCron } from "./random-cron.ts";
export type { OracleRule } from "./rule.ts";
export { firesOf, type Policy, walk, walkFires } from "./walk.ts";
export { type Change, WallClock } from "./wall-clock.ts";
