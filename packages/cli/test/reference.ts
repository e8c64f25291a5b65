/** The pages of `docs/reference/`, written from what the code itself knows. */
import { CarillonError, type ErrorCode, errorCodes, type TaskErrorCode } from "@carillon/core";
import { loadConfig, type SettingKey, settings } from "@carillon/server";
import type { Argument, Command, Option } from "commander";
import { exitCodeOf, exitCodes } from "../src/exit.ts";

const generated = "<!-- Written by `npx vitest run packages/cli -u` from the code; a test keeps both equal. -->";

export function commandLinePage(program: Command): string {
  return page("Command line", [
    "From a checkout `npx carillon …`. Data goes to stdout and talk to stderr. On a terminal lists are tables; into a pipe they are tab-separated lines without a heading; with `--json` one JSON object per line.",
    "## Every command",
    optionTable(program),
    "## Exit codes",
    table(["code", "meaning"], Object.entries(exitCodes)),
    ...program.commands.flatMap((command) => commandSection(command, "carillon")),
  ]);
}

function commandSection(command: Command, parent: string): string[] {
  const path = `${parent} ${command.name()}`;
  if (command.commands.length > 0) {
    return command.commands.flatMap((inner) => commandSection(inner, path));
  }
  const usage = [
    path,
    ...command.registeredArguments.map(argumentUsage),
    ...(command.options.length > 0 ? ["[options]"] : []),
  ];
  return [
    `## ${path}`,
    `${command.description()}.`,
    `\`\`\`\n${usage.join(" ")}\n\`\`\``,
    ...(command.options.length > 0 ? [optionTable(command)] : []),
  ];
}

function argumentUsage(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function optionTable(command: Command): string {
  const rows = command.options.map((option) => [`\`${option.flags}\``, describeOption(option)]);
  return table(["option", "meaning"], rows);
}

function describeOption({ description, argChoices, defaultValue, mandatory }: Option): string {
  return [
    mandatory ? `${description}; required` : description,
    argChoices ? `: ${argChoices.join(" or ")}` : "",
    defaultValue === undefined ? "" : ` (default ${defaultValue})`,
  ].join("");
}

export function configurationPage(): string {
  const defaults = loadConfig({ flags: {}, environment: {}, isRoot: false });
  const rows = (Object.keys(settings) as SettingKey[]).map((key) => [
    `\`${settings[key].env}\`${settings[key].secret ? ", `…_FILE`" : ""}`,
    `\`${key}\``,
    settings[key].help,
    showDefault(key, defaults[key]),
  ]);
  return page("Configuration", [
    "A flag beats the environment, which beats the file (`--config FILE` or `CARILLON_CONFIG`, a JSON object with the names of the second column), which beats the default. An unknown `CARILLON_…` variable or key is an error that names the nearest one. A secret can be put in a file instead: `CARILLON_DATABASE_URL_FILE=/run/secrets/database`.",
    "`carillon config print --show-origin` prints what a node started here would use, and where each value comes from.",
    table(["variable", "key", "meaning", "default"], rows),
    "As root the data folder is `/var/lib/carillon`. `DATABASE_URL` counts for `carillon server` and `carillon migrate` only, since in many shells it is the application's own.",
    "Clients and workers read `CARILLON_URL` (default `http://127.0.0.1:7070`) and `CARILLON_API_KEY`.",
  ]);
}

function showDefault(key: SettingKey, value: unknown): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return "–";
  if (key === "retention" || key === "logRetention") return `\`${Number(value) / 86_400_000}d\``;
  return `\`${Array.isArray(value) ? value.join(",") : value}\``;
}

export function errorsPage(): string {
  const rows = Object.entries(errorCodes).map(([code, { http, rpc, title, retryable }]) => [
    `\`${code}\``,
    title,
    String(http),
    `\`${rpc}\``,
    retryable ? "yes" : "no",
    String(exitCodeOf(new CarillonError(code as ErrorCode))),
  ]);
  return page("Errors", [
    "Every refused request is answered with `application/problem+json`. Tell errors apart by `code`, never by their text; the SDK throws a `CarillonError` with the same code.",
    [
      "```json",
      '{ "type": "/docs/errors#invalid_request", "title": "Invalid request", "status": 400, "code": "invalid_request",',
      '  "detail": "…", "instance": "/api/v1/tasks", "requestId": "…", "retryable": false,',
      '  "errors": [{ "pointer": "/dueAt", "code": "invalid_instant", "message": "…" }] }',
      "```",
    ].join("\n"),
    "`errors` names what is wrong by JSON pointer into the body, or by `parameter` for a query parameter or header. `retryable` says whether the same request can succeed later; then `Retry-After` says when.",
    table(["code", "title", "HTTP", "gRPC", "retryable", "CLI exit code"], rows),
    "## Why an attempt failed",
    "`error.code` of a task or an attempt. Whether it is tried again is decided by the task's `retry`, but for those that another attempt cannot help.",
    table(
      ["code", "meaning", "tried again"],
      Object.entries(attemptErrors).map(([code, [meaning, again]]) => [`\`${code}\``, meaning, again]),
    ),
  ]);
}

const attemptErrors: Record<TaskErrorCode, [meaning: string, again: string]> = {
  handler_error: [
    "the handler threw, or returned what is no JSON or breaks the rules of payloads",
    "yes; not after `Fatal`, nor because of its result",
  ],
  timeout: ["it took longer than `timeout`", "yes"],
  finish_within: ["the task was not final within its `finishWithin`", "no"],
  worker_lost: ["three workers died with it", "no"],
  invalid_payload: ["the payload does not fit the type's schema", "no"],
  result_too_large: ["the result is larger than 256 KiB, deeper than 64 levels or has more than 10,000 keys", "no"],
  http_status: ["the target of an `http` task answered with a status that is not expected", "408, 425, 429 and 5xx"],
  address_not_allowed: ["the target of an `http` task is not public and not in `CARILLON_HTTP_ALLOW`", "no"],
  exit_code: ["the executable of a `command` task ended with another code than 0, or by a signal", "yes"],
};

interface OpenApi {
  paths: Record<string, Record<string, OpenApiOperation>>;
}

interface OpenApiOperation {
  summary?: string;
  tags?: string[];
  parameters?: { name: string; in: string }[];
  responses: Record<string, unknown>;
}

export function restPage({ paths }: OpenApi): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
  );
  const safe = operations
    .filter(({ parameters = [] }) => parameters.some(({ name }) => name === "idempotency-key"))
    .map(({ method, path }) => `\`${method} ${path}\``);
  const tags = [...new Set(operations.flatMap((operation) => operation.tags ?? []))];
  return page("REST", [
    "A node answers with its own full reference at `/docs` and the OpenAPI 3.1 document at `/openapi.json`. Bodies are JSON; unknown fields and wrong types are refused (see [errors](errors.md)). Instants are RFC 3339 with any offset, or a wall time with its zone such as `2026-03-29T02:30[Europe/Paris]`; durations are texts such as `1h30m`. Lists take `pageSize` and `pageToken`.",
    `An \`Idempotency-Key\` header (at most 255 visible ASCII characters, remembered for 24 h) makes a creation safe to repeat: the same request gives the same answer, with \`Idempotent-Replayed: true\`; another one with the same key is a 409. It is read by ${safe.join(", ")}. The other calls do not read it: they change nothing that is already so.`,
    ...tags.flatMap((tag) => [
      `## ${tag}`,
      table(
        ["call", "meaning", "query", "answers"],
        operations
          .filter((operation) => operation.tags?.includes(tag))
          .map(({ method, path, summary = "", parameters = [], responses }) => [
            `\`${method} ${path}\``,
            summary,
            parameters.flatMap(({ name, in: place }) => (place === "query" ? `\`${name}\`` : [])).join(" "),
            Object.keys(responses)
              .filter((status) => /^[23]\d\d$/.test(status))
              .join(" "),
          ]),
      ),
    ]),
  ]);
}

function page(title: string, parts: string[]): string {
  return `${[generated, `# ${title}`, ...parts].join("\n\n")}\n`;
}

function table(head: string[], rows: (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
