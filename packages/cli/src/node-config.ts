import { type Config, loadConfig, postgresUrlProblem, type SettingKey } from "@carillon/server";
import { usageError } from "./input.ts";

/** Settings of a node from flags, this process' environment and a file. */
export function nodeConfig(flags: Partial<Record<SettingKey, unknown>>, file?: string): Config {
  return loadConfig({ flags, environment: process.env, file, isRoot: process.getuid?.() === 0 });
}

/** `DATABASE_URL`, which counts for some commands only and is no setting of a node. */
export function foreignDatabaseUrl(): string | undefined {
  const url = process.env.DATABASE_URL || undefined;
  const problem = url === undefined ? null : postgresUrlProblem(url);
  if (problem !== null) throw usageError(`DATABASE_URL: ${problem}`);
  return url;
}
