import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CarillonError, type FieldError, suggest } from "@carillon/core";
import { expect, onTestFinished, test } from "vitest";
import { type ConfigSources, isLoopback, loadConfig } from "./config.ts";
import { startNode } from "./node.ts";

const load = (sources: Partial<ConfigSources> = {}) =>
  loadConfig({ flags: {}, environment: {}, isRoot: false, ...sources });

function file(content: unknown, name = "config.json"): string {
  const folder = mkdtempSync(join(tmpdir(), "carillon-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function errorsOf(sources: Partial<ConfigSources>): FieldError[] {
  try {
    load(sources);
  } catch (error) {
    if (CarillonError.is(error) && error.code === "invalid_request") return error.errors;
    throw error;
  }
  return [];
}

test("without anything said, the defaults", () => {
  const { origins, ...settings } = load();
  expect(settings).toEqual({
    dataDir: "./.carillon",
    host: "127.0.0.1",
    port: 7070,
    roles: ["api", "dispatcher", "planner"],
    auth: "off",
    retention: 14 * 86_400_000,
    logRetention: 7 * 86_400_000,
    httpAllow: [],
    logLevel: "info",
  });
  expect(new Set(Object.values(origins))).toEqual(new Set(["default"]));
  expect(load({ isRoot: true }).dataDir).toBe("/var/lib/carillon");
});

test("flags beat environment beats file beats default, and each value says where it comes from", () => {
  const path = file({ port: 1, host: "127.0.0.3", retention: "3d", dataDir: "/file" });
  const environment = { CARILLON_CONFIG: path, CARILLON_PORT: "2", CARILLON_HOST: "127.0.0.2", CARILLON_DATA_DIR: "" };
  const config = load({ flags: { port: "3", host: undefined }, environment });
  expect(config).toMatchObject({
    port: 3,
    host: "127.0.0.2",
    retention: 3 * 86_400_000,
    dataDir: "/file",
    logLevel: "info",
  });
  expect(config.origins).toMatchObject({
    port: "flag",
    host: "environment",
    retention: "file",
    dataDir: "file",
    logLevel: "default",
  });
  const other = file({ port: 9 });
  expect(load({ environment: { CARILLON_CONFIG: path }, file: other })).toMatchObject({
    port: 9,
    dataDir: "./.carillon",
  });
});

test("variables are read as text, a file as JSON", () => {
  const environment = {
    CARILLON_DATABASE_URL: "postgres://u@h/d",
    CARILLON_DATABASE_DIRECT_URL: "postgresql://u@h/d",
    CARILLON_PORT: "0",
    CARILLON_ROLES: "api, planner",
    CARILLON_HTTP_ALLOW: " 10.0.0.0/8,hooks.example , ,::1",
    CARILLON_LOG_RETENTION: "36h",
    CARILLON_ADVERTISE_URL: "https://node-1.example:7070",
    CARILLON_LOG_LEVEL: "debug",
    CARILLON_AUTH: "off",
  };
  const read = {
    roles: ["api", "planner"],
    httpAllow: ["10.0.0.0/8", "hooks.example", "::1"],
    logRetention: 129_600_000,
    port: 0,
  };
  expect(load({ environment })).toMatchObject({ ...read, logLevel: "debug", databaseUrl: "postgres://u@h/d" });
  const asFile = file({
    roles: ["api", "planner"],
    httpAllow: ["10.0.0.0/8", "hooks.example", "::1"],
    logRetention: "36h",
    port: 0,
  });
  expect(load({ file: asFile })).toMatchObject(read);
});

test("a database's URL that the driver could not read is refused without repeating it", () => {
  for (const url of ["postgres://me:pa#ss@db/x", "postgres://me:se/cret@db/x", "postgres://me:p@[db/x"]) {
    const refused = () => load({ environment: { CARILLON_DATABASE_URL: url } });
    expect(refused, url).toThrow(/^CARILLON_DATABASE_URL \(environment\): .*percent-encoded/);
  }
  expect(() => load({ flags: { databaseUrl: "mysql://me:secret@db/x" } })).toThrow(/not a URL such as postgres/);
  for (const url of [
    "postgres://me:pa%23ss@db:5433/x?sslmode=require",
    "postgres:///x?host=/run/postgresql&user=me",
    "postgres://me:secret@/x?host=/run/postgresql",
    "postgresql://me@%2Frun%2Fpostgresql/x",
  ])
    expect(load({ environment: { CARILLON_DATABASE_URL: url } }).databaseUrl, url).toBe(url);
});

test("an empty variable is one that was not set", () => {
  const environment = {
    CARILLON_PORT: "",
    CARILLON_DATABASE_URL: "",
    CARILLON_DATABASE_URL_FILE: "",
    CARILLON_CONFIG: "",
    CARILLON_ROLES: "",
  };
  expect(load({ environment })).toEqual(load());
});

test("other people's variables are left alone", () => {
  const environment = {
    PATH: "/bin",
    DATABASE_URL: "mysql://x",
    CARILLON_URL: "http://x",
    CARILLON_API_KEY: "k",
    CARILLON_TEST_REQUIRE: "all",
    carillon_port: "x",
  };
  expect(load({ environment })).toEqual(load());
});

test("an unknown key is an error with a suggestion, wherever it stands", () => {
  const cases: [Partial<ConfigSources>, string, RegExp][] = [
    [{ environment: { CARILLON_PROT: "1" } }, "CARILLON_PROT", /did you mean CARILLON_PORT\?/],
    [{ environment: { CARILLON_DATABASEURL: "x" } }, "CARILLON_DATABASEURL", /did you mean CARILLON_DATABASE_URL\?/],
    [{ environment: { CARILLON_RETENTON: "" } }, "CARILLON_RETENTON", /did you mean CARILLON_RETENTION\?/],
    [
      { environment: { CARILLON_SOMETHING_ELSE_ENTIRELY: "x" } },
      "CARILLON_SOMETHING_ELSE_ENTIRELY",
      /^unknown setting$/,
    ],
    [{ environment: { CARILLON_HOST_FILE: "/etc/host" } }, "CARILLON_HOST_FILE", /unknown setting/],
  ];
  for (const [sources, parameter, message] of cases)
    expect(errorsOf(sources), parameter).toEqual([
      { parameter, code: "unknown_setting", message: expect.stringMatching(message) },
    ]);
  const path = file('{"prot": 1, "__proto__": 1, "constructor": 1, "CARILLON_PORT": 1}');
  const errors = errorsOf({ file: path });
  expect(errors.map(({ parameter }) => parameter)).toEqual(
    ["prot", "__proto__", "constructor", "CARILLON_PORT"].map((key) => `${path}: ${key}`),
  );
  expect(errors[0]!.message).toMatch(/did you mean port\?/);
});

test("what is wrong is named with where it came from, all of it at once", () => {
  const wrong: [string, string][] = [
    ["CARILLON_PORT", "65536"],
    ["CARILLON_PORT", "-1"],
    ["CARILLON_PORT", "70.5"],
    ["CARILLON_PORT", "0x50"],
    ["CARILLON_PORT", "1e3"],
    ["CARILLON_PORT", " 70"],
    ["CARILLON_PORT", "http"],
    ["CARILLON_RETENTION", "14"],
    ["CARILLON_RETENTION", "0s"],
    ["CARILLON_RETENTION", "-1d"],
    ["CARILLON_RETENTION", "two weeks"],
    ["CARILLON_LOG_RETENTION", "7 d"],
    ["CARILLON_ROLES", "api,cook"],
    ["CARILLON_ROLES", ","],
    ["CARILLON_LOG_LEVEL", "loud"],
    ["CARILLON_AUTH", "on"],
    ["CARILLON_ADVERTISE_URL", "node-1:7070"],
    ["CARILLON_ADVERTISE_URL", "ftp://node"],
    ["CARILLON_DATABASE_URL", "mysql://h/d"],
    ["CARILLON_DATABASE_URL", "host=localhost"],
    ["CARILLON_HTTP_ALLOW", "10.0.0.0/"],
    ["CARILLON_HTTP_ALLOW", "10.0.0.0/99"],
    ["CARILLON_HTTP_ALLOW", "http://localhost:3000"],
    ["CARILLON_HTTP_ALLOW", "ok.example,*"],
  ];
  for (const [variable, value] of wrong)
    expect(errorsOf({ environment: { [variable]: value } }), `${variable}=${value}`).toEqual([
      { parameter: `${variable} (environment)`, code: "invalid", message: expect.any(String) },
    ]);
  const path = file({ port: "x", retention: 14, roles: "all", logLevel: null });
  const errors = errorsOf({ file: path, flags: { host: "0.0.0.0" } });
  expect(errors.map(({ parameter }) => parameter)).toEqual([
    "CARILLON_PORT (file)",
    "CARILLON_ROLES (file)",
    "CARILLON_RETENTION (file)",
    "CARILLON_LOG_LEVEL (file)",
    "CARILLON_HOST (flag)",
  ]);
  expect(errorsOf({ file: file({ port: true }) })).toHaveLength(1);
  expect(() => load({ environment: { CARILLON_PORT: "x" } })).toThrow(/^CARILLON_PORT \(environment\): /);
});

test("without keys a node answers on loopback only", () => {
  for (const host of [
    "0.0.0.0",
    "::",
    "192.168.1.5",
    "example.com",
    "127.evil.example",
    "::ffff:127.0.0.1",
    "128.0.0.1",
    "localhost.example",
  ]) {
    expect(isLoopback(host), host).toBe(false);
    expect(errorsOf({ flags: { host } }), host).toMatchObject([{ code: "not_loopback" }]);
  }
  for (const host of ["127.0.0.1", "127.8.9.10", "::1", "localhost"]) {
    expect(isLoopback(host), host).toBe(true);
    expect(load({ flags: { host } }).host).toBe(host);
  }
});

test("a secret can stand in a file, and its value is never in an error", () => {
  const path = file("postgres://u:secret@h/d\n", "url");
  const config = load({ environment: { CARILLON_DATABASE_URL_FILE: path } });
  expect(config.databaseUrl).toBe("postgres://u:secret@h/d");
  expect(config.origins.databaseUrl).toBe("environment");
  const wrong = file("mysql://u:secret@h/d", "url");
  const cases = [
    { CARILLON_DATABASE_URL_FILE: wrong },
    { CARILLON_DATABASE_URL: "mysql://u:secret@h/d" },
    { CARILLON_DATABASE_URL_FILE: path, CARILLON_DATABASE_URL: "postgres://u:secret@h/d" },
    { CARILLON_DATABASE_URL_FILE: `${path}.gone` },
    { CARILLON_DATABASE_URL_FILE: file("  \n", "empty") },
  ];
  for (const environment of cases) {
    const errors = errorsOf({ environment });
    expect(errors, JSON.stringify(environment)).toHaveLength(1);
    expect(JSON.stringify(errors)).not.toContain("secret");
  }
});

test("a file that cannot be read, or holds something else, is an error that names it", () => {
  for (const content of ["", "{", "[]", "null", "5", "port: 7070"]) {
    const path = file(content);
    expect(errorsOf({ file: path }), content).toMatchObject([{ parameter: path, code: "unreadable" }]);
  }
  expect(errorsOf({ file: "/nowhere/at/all.json" })).toMatchObject([{ code: "unreadable" }]);
  expect(errorsOf({ environment: { CARILLON_CONFIG: "/nowhere/at/all.json" } })).toMatchObject([
    { code: "unreadable" },
  ]);
});

test("a suggestion is made when a name is near, and not otherwise", () => {
  expect(suggest("prot", ["port", "host"])).toBe("; did you mean port?");
  expect(suggest("zzzzzz", ["port", "host"])).toBe("");
  expect(suggest("x", [])).toBe("");
});

test("a node refuses options and roles that there are not, before it does anything", async () => {
  await expect(startNode({ dataDirectory: "x" } as never)).rejects.toMatchObject({
    code: "invalid_request",
    message: 'there is no option "dataDirectory"',
    errors: [{ pointer: "/dataDirectory", code: "unknown_option" }],
  });
  await expect(startNode({ role: ["api"] } as never)).rejects.toThrow("did you mean roles?");
  await expect(startNode({ roles: ["apo"] as never })).rejects.toThrow("did you mean api?");
});

test("what is refused is said in words, with what there is", () => {
  expect(() => load({ environment: { CARILLON_AUTH: "maybe" } })).toThrow("only `off` exists so far");
  expect(() => load({ environment: { CARILLON_ROLES: "api,planer" } })).toThrow(
    '"planer" is no role; there are api, dispatcher, planner; did you mean planner?',
  );
});
