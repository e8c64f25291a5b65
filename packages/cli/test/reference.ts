/** The pages of `docs/reference/`, written from what the code itself knows. */
import { CarillonError, type ErrorCode, errorCodes } from "@carillon/core";
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
  ]);
}

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
  const tags = [...new Set(operations.flatMap((operation) => operation.tags ?? []))];
  return page("REST", [
    "A node answers with its own full reference at `/docs` and the OpenAPI 3.1 document at `/openapi.json`. Bodies are JSON; unknown fields and wrong types are refused (see [errors](errors.md)). Instants are RFC 3339 with any offset, or a wall time with its zone such as `2026-03-29T02:30[Europe/Paris]`; durations are texts such as `1h30m`. Lists take `pageSize` and `pageToken`.",
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
