import type pg from "pg";

/** Where the database is: a URL, or the same as fields. */
export type ConnectionTarget = string | pg.ClientConfig;

/**
 * Of every connection. Plans that were good for an empty table stay wrong for a full one (52 ms a claim after 1,000,000 inserts), hence
 * those for the planner.
 */
export const settings: Record<string, string> = {
  search_path: "carillon",
  plan_cache_mode: "force_custom_plan",
  enable_seqscan: "off",
  enable_bitmapscan: "off",
  jit: "off",
  timezone: "UTC",
  datestyle: "ISO",
  idle_in_transaction_session_timeout: "10s",
  default_transaction_isolation: "read committed",
};

/** Everything a connection needs. `startUpOptions: false` is for what may lead through a pooler, `extra` are settings of this one. */
export function connectionConfig(
  target: ConnectionTarget,
  { startUpOptions = true, extra = {} }: { startUpOptions?: boolean; extra?: Record<string, string> } = {},
): pg.ClientConfig {
  const config: pg.ClientConfig = typeof target === "string" ? { connectionString: target } : { ...target };
  const options = Object.entries({ ...settings, ...extra }).map(
    ([name, value]) => `-c ${name}=${value.replaceAll(" ", "\\ ")}`,
  );
  return {
    application_name: "carillon",
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...config,
    types: { getTypeParser: parserOf } as unknown as NonNullable<pg.ClientConfig["types"]>,
    ...(startUpOptions ? { options: [config.options, ...options].filter(Boolean).join(" ") } : {}),
  };
}

/** Begins a transaction that has these settings, and leaves none behind: for connections that are no sessions. */
export function beginWith(local: Record<string, string>): string {
  const set = Object.entries(local).map(([name, value]) => `set local ${name} = '${value}'`);
  return ["begin isolation level read committed", ...set].join("; ");
}

/** bigint for int8; JSON stays text, since values of users only pass through. */
function parserOf(type: number): (text: string) => unknown {
  switch (type) {
    case 16: // bool
      return (text) => text === "t";
    case 20: // int8
      return BigInt;
    case 21: // int2
    case 23: // int4
    case 26: // oid
    case 700: // float4
    case 701: // float8
      return Number;
    case 1009: // text[]
      return parseTextArray;
    default:
      return (text) => text;
  }
}

/** One dimension, as PostgreSQL writes it: `{a,"b,c",NULL}`. */
function parseTextArray(text: string): (string | null)[] {
  const items: (string | null)[] = [];
  for (const match of text.matchAll(/[{,](?:"((?:[^"\\]|\\.)*)"|([^,{}"]+))/gs)) {
    const [, quoted, bare] = match;
    if (quoted !== undefined) items.push(quoted.replace(/\\(.)/gs, "$1"));
    else items.push(bare === "NULL" ? null : bare!);
  }
  return items;
}
