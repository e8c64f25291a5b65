import { type Config, loadConfig, type SettingKey } from "@carillon/server";

/** Settings of a node from flags, this process' environment and a file. */
export function nodeConfig(flags: Partial<Record<SettingKey, unknown>>, file?: string): Config {
  return loadConfig({ flags, environment: process.env, file, isRoot: process.getuid?.() === 0 });
}
