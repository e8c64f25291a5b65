/** `/openapi.json` and its human form at `/docs`: static pages made from the document, without a script and without a third party. */
import { errorCodes } from "@carillon/core";
import type { FastifyInstance } from "fastify";
import { docsStyle } from "./docs-style.ts";
import { type Document, type Operation, resolve } from "./openapi.ts";

export function docsRoutes(app: FastifyInstance): void {
  let reference = "";
  const html = "text/html; charset=utf-8";
  const hidden = { schema: { hide: true } };
  const read = () => app.swagger() as unknown as Document;
  app.get("/openapi.json", hidden, async () => read());
  app.get("/docs", hidden, async (_request, reply) => reply.type(html).send((reference ||= referencePage(read()))));
  app.get("/docs/errors", hidden, async (_request, reply) => reply.type(html).send(errorsPage()));
  app.get("/docs/style.css", hidden, async (_request, reply) => reply.type("text/css; charset=utf-8").send(docsStyle));
}

function toHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** Escaped, with `code` between backticks. */
function prose(text: string): string {
  return toHtml(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>");
}

function page(title: string, navigation: string, content: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${toHtml(title)} · Carillon</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/style.css">
<nav><a href="/">Dashboard</a> <a href="/docs">API</a> <a href="/docs/errors">Errors</a> <a href="/openapi.json">openapi.json</a>${navigation}</nav>
<main><h1>${toHtml(title)}</h1>
${content}
</main>
</html>
`;
}

function referencePage(document: Document): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const sections = document.tags.map((tag) => ({
    ...tag,
    operations: operations.filter(({ operation }) => operation.tags.includes(tag.name)),
  }));
  const navigation = sections
    .map(({ name, operations }) => {
      const links = operations.map(
        ({ operation }) => `<li><a href="#${operation.operationId}">${toHtml(operation.summary)}</a>`,
      );
      return `<h2>${toHtml(name)}</h2><ul>${links.join("")}</ul>`;
    })
    .join("");
  const content = sections.map(({ name, description, operations }) => {
    const parts = operations.map((entry) => operationSection(entry, document));
    return `<section><h2 id="${name}">${toHtml(name)}</h2><p>${prose(description)}</p>${parts.join("")}</section>`;
  });
  const { title, version, description } = document.info;
  const intro = `<p>Version ${toHtml(version)}. ${prose(description)} Refusals are <a href="/docs/errors">problem documents</a>.</p>`;
  return page(`${title} API`, navigation, intro + content.join(""));
}

function operationSection(
  { path, method, operation }: { path: string; method: string; operation: Operation },
  document: Document,
): string {
  const { operationId, summary, description, requestBody, responses } = operation;
  return `<article id="${operationId}"><h3>${toHtml(summary)}</h3>
<pre class="call"><b>${method}</b> ${toHtml(path)}</pre>
${description ? `<p>${prose(description)}</p>` : ""}
${parameterTable(operation)}
${Object.values(requestBody?.content ?? {})
  .slice(0, 1)
  .map((media) => `<h4>Body</h4>${fieldTable(media.schema, document)}${exampleBlock(media.example)}`)
  .join("")}
<h4>Answers</h4>
${Object.entries(responses)
  .filter(([status]) => /^\d+$/.test(status))
  .map(([status, response]) => {
    const [media] = Object.values(response.content ?? {});
    return `<p><b>${status}</b> ${prose(response.description)}</p>${exampleBlock(media?.example)}`;
  })
  .join("")}
</article>`;
}

function parameterTable({ parameters = [] }: Operation): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map(
    ({ name, in: place, required, description = "" }) =>
      `<tr><td><code>${toHtml(name)}</code><td>${place}${required ? ", required" : ""}<td>${prose(description)}`,
  );
  return `<h4>Parameters</h4><table>${rows.join("")}</table>`;
}

interface FieldSchema {
  type?: string | string[];
  description?: string;
  enum?: unknown[];
  properties?: Record<string, FieldSchema>;
  required?: string[];
  items?: FieldSchema;
  $ref?: string;
}

function fieldTable(schema: FieldSchema | undefined, document: Document): string {
  const rows = fieldRows(schema, document, "");
  return rows.length === 0 ? "<p>None.</p>" : `<table>${rows.join("")}</table>`;
}

function fieldRows(schema: FieldSchema | undefined, document: Document, prefix: string): string[] {
  const { properties = {}, required = [] } = (resolve(schema, document.components.schemas) ?? {}) as FieldSchema;
  return Object.entries(properties).flatMap(([name, given]) => {
    const field = resolve(given, document.components.schemas) as FieldSchema;
    const path = `${prefix}${name}`;
    const type = field.enum ? field.enum.map(String).join(" | ") : [field.type ?? "any"].flat().join(" | ");
    const row = `<tr><td><code>${toHtml(path)}</code><td>${toHtml(type)}${required.includes(name) ? ", required" : ""}<td>${prose(field.description ?? "")}`;
    const inner = field.items ? fieldRows(field.items, document, `${path}[].`) : fieldRows(field, document, `${path}.`);
    return [row, ...inner];
  });
}

function exampleBlock(example: unknown): string {
  return example === undefined ? "" : `<pre>${toHtml(JSON.stringify(example, null, 2))}</pre>`;
}

function errorsPage(): string {
  const rows = Object.entries(errorCodes).map(
    ([code, { http, title, retryable }]) =>
      `<tr id="${code}"><td><code>${code}</code><td>${http}<td>${toHtml(title)}<td>${retryable ? "yes, later" : "no"}`,
  );
  const intro =
    "<p>Every refusal is <code>application/problem+json</code> (RFC 9457). Tell errors apart by <code>code</code>. <code>errors</code> names each field: <code>pointer</code> into the body, or <code>parameter</code> of the query or a header. <code>requestId</code> is in the server's log. 429 and 503 carry <code>Retry-After</code>.</p>";
  const head = "<tr><th>Code<th>Status<th>Title<th>Worth repeating";
  return page("Errors", "", `${intro}<table><thead>${head}</thead><tbody>${rows.join("")}</tbody></table>`);
}
