import { errorCodes } from "@carillon/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp, type TestApp } from "../../test/http/setup.ts";
import { createHttpApp } from "./app.ts";
import type { Document } from "./openapi.ts";

let t: TestApp;
let document: Document;
beforeAll(async () => {
  t = await startApp();
  document = (await t.call("GET", "/openapi.json")).body;
});
afterAll(() => t.close());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

test("the OpenAPI document is 3.1, and everything it refers to is there", () => {
  expect(document.openapi).toBe("3.1.0");
  const schemas = Object.keys(document.components.schemas);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, reference]) => reference);
  expect(references.length).toBeGreaterThan(20);
  for (const reference of references) {
    expect(schemas.map((name) => `#/components/schemas/${name}`)).toContain(reference);
  }
  for (const name of schemas) expect(references).toContain(`#/components/schemas/${name}`);
});

test("every operation has a name of its own, a summary, declared parameters, described answers and an example body", () => {
  const names = operations().map(({ operation }) => operation.operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const { path, method, operation } of operations()) {
    const where = `${method} ${path}`;
    expect(operation.summary, where).toBeTruthy();
    expect(
      document.tags.map(({ name }) => name),
      where,
    ).toContain(operation.tags[0]);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
    expect(
      declared.map(({ name }) => name),
      where,
    ).toEqual(inPath);
    expect(
      declared.every(({ required }) => required),
      where,
    ).toBe(true);
    for (const parameter of operation.parameters ?? []) expect(parameter.schema, where).toBeTypeOf("object");
    const statuses = Object.keys(operation.responses);
    expect(
      statuses.every((status) => /^([1-5]\d\d|[45]XX)$/.test(status)),
      where,
    ).toBe(true);
    for (const response of Object.values(operation.responses)) {
      expect(response.description, where).toBeTruthy();
      expect(response.description, where).not.toBe("Default Response");
    }
    for (const media of Object.values(operation.requestBody?.content ?? {})) {
      expect(media.schema, where).toBeTypeOf("object");
      const empty = /:(retry|run-now|resume)$|operations\/\{id\}:cancel$/.test(path);
      if (!empty) expect(media.example, where).toBeTypeOf("object");
    }
  }
});

test("schemas use only what JSON Schema 2020-12 knows", () => {
  const keywords = new Set(
    "$ref type properties required additionalProperties items enum const anyOf allOf oneOf not description examples default pattern format minLength maxLength minimum maximum exclusiveMinimum exclusiveMaximum minItems maxItems propertyNames title readOnly".split(
      " ",
    ),
  );
  const visit = (schema: unknown, path: string): void => {
    if (typeof schema !== "object" || schema === null) return;
    for (const [keyword, value] of Object.entries(schema)) {
      expect([...keywords], path).toContain(keyword);
      if (keyword === "properties") {
        for (const [name, inner] of Object.entries(value as object)) visit(inner, `${path}/${name}`);
      } else if (keyword === "anyOf" || keyword === "allOf" || keyword === "oneOf") {
        for (const inner of value as unknown[]) visit(inner, path);
      } else if (keyword === "items" || keyword === "additionalProperties" || keyword === "propertyNames") {
        visit(value, path);
      }
    }
  };
  for (const [name, schema] of Object.entries(document.components.schemas)) visit(schema, name);
  for (const { path, operation } of operations()) {
    for (const { schema } of operation.parameters ?? []) visit(schema, path);
    for (const media of Object.values(operation.requestBody?.content ?? {})) visit(media.schema, path);
  }
});

test("the document covers every route under /api/v1 and nothing else", async () => {
  const app = createHttpApp(t.deps);
  const routes: string[] = [];
  app.addHook("onRoute", ({ method, url, schema }) => {
    const path = url
      .replaceAll("::", "\0")
      .replaceAll(/:(\w+)(\([^)]*\))?/g, "{$1}")
      .replaceAll("\0", ":");
    const hidden = (schema as { hide?: boolean } | undefined)?.hide === true;
    if (!hidden && method !== "HEAD") routes.push(`${method} ${path}`);
  });
  await app.ready();
  await app.close();
  expect(routes.filter((route) => route.includes("/api/v1/")).length).toBeGreaterThan(20);
  expect(
    operations()
      .map(({ path, method }) => `${method.toUpperCase()} ${path}`)
      .sort(),
  ).toEqual(routes.sort());
});

test("the example of every creating operation is accepted as it stands", async () => {
  const example = (path: string, method = "post") =>
    document.paths[path]![method]!.requestBody!.content["application/json"]!.example;
  const sent = async (method: string, path: string, url = path) =>
    (await t.call(method.toUpperCase(), url, example(path, method))).status;
  expect(await sent("post", "/api/v1/tasks")).toBe(202);
  expect(await sent("post", "/api/v1/tasks:batch")).toBe(202);
  expect(await sent("post", "/api/v1/schedules")).toBe(201);
  expect(await sent("put", "/api/v1/schedules/{name}", "/api/v1/schedules/other")).toBe(201);
  expect(await sent("patch", "/api/v1/schedules/{name}", "/api/v1/schedules/other")).toBe(200);
  expect(await sent("post", "/api/v1/schedules/{name}:pause", "/api/v1/schedules/other:pause")).toBe(200);
  expect(await sent("post", "/api/v1/schedules/{name}:trigger", "/api/v1/schedules/other:trigger")).toBe(202);
  expect(await sent("post", "/api/v1/schedules:preview")).toBe(200);
});

test("the reference is one page without a script, and every error code has its anchor", async () => {
  const reference = await t.call("GET", "/docs");
  expect(reference.status).toBe(200);
  expect(reference.text).not.toMatch(/<script|style=|https?:\/\//);
  for (const { operation } of operations()) expect(reference.text).toContain(`id="${operation.operationId}"`);
  const errors = await t.call("GET", "/docs/errors");
  for (const code of Object.keys(errorCodes)) expect(errors.text).toContain(`id="${code}"`);
  expect((await t.call("GET", "/docs/style.css")).headers["content-type"]).toContain("text/css");
});
