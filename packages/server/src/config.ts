/**
 * What an operator can set, where each value came from, and what is refused. Flags beat environment beats file beats default; an unknown
 * key is an error with a suggestion; a secret can also be given as `…_FILE`.
 */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { CarillonError, type FieldError, limits, suggest } from "@carillon/core";
import { parseDuration } from "@carillon/core/duration";
import { z } from "zod";
import { parseAllowEntry } from "./egress/address-guard.ts";

const duration = z.string("not a duration such as 14d").transform((text, context) => {
  const ms = parseDuration(text);
  if (ms === null || ms <= 0) context.addIssue({ code: "custom", message: `"${text}" is not a duration such as 14d` });
  return ms ?? 0;
});
const list = z.union([
  z.string().transform((text) =>
    text
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== ""),
  ),
  z.array(z.string()),
]);
/** Digits, as text or as a JSON number. */
const integer = (min: number, max: number) =>
  z
    .union(
      [
        z.int(),
        z
          .string()
          .regex(/^\d{1,9}$/)
          .transform(Number),
      ],
      `a whole number from ${min} to ${max}`,
    )
    .refine((value) => value >= min && value <= max, `a whole number from ${min} to ${max}`);
const postgresUrl = z.string().superRefine((text, context) => {
  const message = postgresUrlProblem(text);
  if (message !== null) context.addIssue({ code: "custom", message });
});
/** Hosts, addresses and CIDRs; a slip in this list could open more than was meant. */
const allowList = list.pipe(
  z.array(
    z.string().refine((entry) => parseAllowEntry(entry) !== null, {
      error: ({ input }) => `"${input}" is no host name, address or CIDR`,
    }),
  ),
);

export const roles = ["api", "dispatcher", "planner"] as const;
export type Role = (typeof roles)[number];

export function unknownRole(role: unknown): string {
  return `"${String(role)}" is no role; there are ${roles.join(", ")}${suggest(String(role), roles)}`;
}

/** Key, environment variable, meaning. The order is the order of `carillon config print`. */
export const settings = {
  databaseUrl: {
    env: "CARILLON_DATABASE_URL",
    secret: true,
    schema: postgresUrl.optional(),
    help: "PostgreSQL 15 or newer; absent: an embedded one",
  },
  databaseDirectUrl: {
    env: "CARILLON_DATABASE_DIRECT_URL",
    secret: true,
    schema: postgresUrl.optional(),
    help: "the same past a pooler, for hints between nodes; absent: behind a pooler there are none",
  },
  postgresBin: {
    env: "CARILLON_POSTGRES_BIN",
    secret: false,
    schema: z.string().optional(),
    help: "folder of PostgreSQL binaries for the embedded database",
  },
  dataDir: { env: "CARILLON_DATA_DIR", secret: false, schema: z.string(), help: "where the embedded database lives" },
  host: { env: "CARILLON_HOST", secret: false, schema: z.string(), help: "address to listen on" },
  port: {
    env: "CARILLON_PORT",
    secret: false,
    schema: integer(0, 65_535),
    help: "port for REST, gRPC and the dashboard",
  },
  advertiseUrl: {
    env: "CARILLON_ADVERTISE_URL",
    secret: false,
    schema: z.url({ protocol: /^https?$/, error: "not an http or https URL" }).optional(),
    help: "address under which workers and other nodes reach this node",
  },
  roles: {
    env: "CARILLON_ROLES",
    secret: false,
    schema: list.pipe(
      z.array(z.enum(roles, { error: ({ input }) => unknownRole(input) })).min(1, "name at least one role"),
    ),
    help: "what this node does; all by default",
  },
  auth: {
    env: "CARILLON_AUTH",
    secret: false,
    schema: z.literal(
      "off",
      "only `off` exists so far: there are no API keys yet, and a node answers on loopback only",
    ),
    help: "only `off` exists so far: no API keys, and answers on loopback only",
  },
  retention: { env: "CARILLON_RETENTION", secret: false, schema: duration, help: "how long final tasks are kept" },
  logRetention: { env: "CARILLON_LOG_RETENTION", secret: false, schema: duration, help: "how long log lines are kept" },
  httpAllow: {
    env: "CARILLON_HTTP_ALLOW",
    secret: false,
    schema: allowList,
    help: "hosts and CIDRs that http tasks may reach although they are not public",
  },
  maxBacklog: {
    env: "CARILLON_MAX_BACKLOG",
    secret: false,
    schema: integer(1, limits.maxBacklogOfNamespace).optional(),
    help: "tasks that a namespace may hold that are not final; absent: as many as there are",
  },
  logLevel: {
    env: "CARILLON_LOG_LEVEL",
    secret: false,
    schema: z.enum(["debug", "info", "warn", "error"], "one of debug, info, warn, error"),
    help: "least level that is logged",
  },
} as const;

export type SettingKey = keyof typeof settings;
type Settings = { [K in SettingKey]: z.output<(typeof settings)[K]["schema"]> };
export type Origin = "flag" | "environment" | "file" | "default";
export type Config = Settings & { origins: Record<SettingKey, Origin> };

/** Environment variables that are not settings of a node. */
const OTHER_VARIABLES = new Set(["CARILLON_URL", "CARILLON_API_KEY", "CARILLON_CONFIG"]);
const TEST_PREFIX = "CARILLON_TEST_";

export interface ConfigSources {
  /** Values from the command line, as text or already typed; undefined ones are not given. */
  flags: Partial<Record<SettingKey, unknown>>;
  environment: NodeJS.ProcessEnv;
  /** A JSON file with these keys; absent: `CARILLON_CONFIG`. */
  file?: string | undefined;
  isRoot: boolean;
}

/** Throws `invalid_request` naming every setting that is wrong and where it came from. */
export function loadConfig({ flags, environment, file, isRoot }: ConfigSources): Config {
  const errors: FieldError[] = [];
  const path = file ?? environment.CARILLON_CONFIG ?? "";
  const fromFile = path === "" ? {} : readConfigFile(path, errors);
  const fromEnvironment = readEnvironment(environment, errors);
  const defaults: Partial<Record<SettingKey, unknown>> = {
    dataDir: isRoot ? "/var/lib/carillon" : "./.carillon",
    host: "127.0.0.1",
    port: 7070,
    roles: [...roles],
    auth: "off",
    retention: "14d",
    logRetention: "7d",
    httpAllow: [],
    logLevel: "info",
  };
  const layers: [Origin, Partial<Record<SettingKey, unknown>>][] = [
    ["flag", flags],
    ["environment", fromEnvironment],
    ["file", fromFile],
    ["default", defaults],
  ];

  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const key of Object.keys(settings) as SettingKey[]) {
    const [origin, layer] = layers.find(([, candidate]) => candidate[key] !== undefined) ?? ["default", {}];
    const parsed = settings[key].schema.safeParse(layer[key]);
    origins[key] = origin;
    if (parsed.success) values[key] = parsed.data;
    else
      errors.push({
        parameter: `${settings[key].env} (${origin})`,
        code: "invalid",
        message: parsed.error.issues[0]?.message ?? "invalid",
      });
  }
  if (typeof values.host === "string" && !isLoopback(values.host)) {
    errors.push({
      parameter: `CARILLON_HOST (${origins.host})`,
      code: "not_loopback",
      message: `${values.host} is not a loopback address; without authentication a node answers on loopback only`,
    });
  }
  if (errors.length > 0) {
    const detail = errors.map(({ parameter, message }) => `${parameter}: ${message}`).join("; ");
    throw new CarillonError("invalid_request", { detail, errors });
  }
  return { ...(values as Settings), origins: origins as Record<SettingKey, Origin> };
}

/** What is wrong with the form of a database's URL, in words that do not repeat it: it may hold a password. Null: nothing. */
export function postgresUrlProblem(text: string): string | null {
  if (!/^postgres(ql)?:\/\//.test(text)) return "not a URL such as postgres://user@host/database";
  // The driver takes one without a host, too: `postgres://user@/database?host=/run/postgresql`.
  if (URL.canParse(text.replace("@/", "@localhost/"))) return null;
  return "no usable URL; special characters of a user name or password are percent-encoded in it (/ as %2F, # as %23, @ as %40)";
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function readEnvironment(environment: NodeJS.ProcessEnv, errors: FieldError[]): Partial<Record<SettingKey, unknown>> {
  const keys = new Map((Object.keys(settings) as SettingKey[]).map((key) => [settings[key].env as string, key]));
  const values: Partial<Record<SettingKey, unknown>> = {};
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith("CARILLON_") || OTHER_VARIABLES.has(variable) || variable.startsWith(TEST_PREFIX))
      continue;
    const key = keys.get(variable);
    const secretKey = variable.endsWith("_FILE") ? keys.get(variable.slice(0, -"_FILE".length)) : undefined;
    // An empty variable is one that was not set: compose files and units often leave them so.
    const given = value !== undefined && value !== "";
    if (key) {
      if (given) values[key] = value;
    } else if (secretKey && settings[secretKey].secret) {
      if (!given) continue;
      if (environment[settings[secretKey].env]) {
        const message = `${settings[secretKey].env} is set, too; give one of them`;
        errors.push({ parameter: variable, code: "exclusive", message });
      } else values[secretKey] = readSecret(variable, value, errors);
    } else
      errors.push({
        parameter: variable,
        code: "unknown_setting",
        message: `unknown setting${suggest(variable, [...keys.keys()])}`,
      });
  }
  return values;
}

function readSecret(variable: string, path: string, errors: FieldError[]): string | undefined {
  try {
    const secret = readFileSync(path, "utf8").trim();
    if (secret === "") throw new Error(`${path} is empty`);
    return secret;
  } catch (error) {
    errors.push({ parameter: variable, code: "unreadable", message: (error as Error).message });
    return undefined;
  }
}

function readConfigFile(path: string, errors: FieldError[]): Partial<Record<SettingKey, unknown>> {
  try {
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof content !== "object" || content === null || Array.isArray(content)) throw new Error("not a JSON object");
    for (const key of Object.keys(content)) {
      if (Object.hasOwn(settings, key)) continue;
      errors.push({
        parameter: `${path}: ${key}`,
        code: "unknown_setting",
        message: `unknown setting${suggest(key, Object.keys(settings))}`,
      });
    }
    return content;
  } catch (error) {
    errors.push({ parameter: path, code: "unreadable", message: (error as Error).message });
    return {};
  }
}
