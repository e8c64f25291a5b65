/**
 * The HTTP/1.1 side of a node: REST under `/api/v1`, health, metrics, the API's description and the dashboard. Does not listen; whoever
 * has the port hands connections to `app.server`.
 */

import type { Socket } from "node:net";
import { CarillonError, errorCodes } from "@carillon/core";
import swagger from "@fastify/swagger";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { z } from "zod";
import { dashboardRoutes } from "./dashboard.ts";
import type { HttpDeps, RouteDeps } from "./deps.ts";
import { docsRoutes } from "./docs.ts";
import { parseRequest, type RequestPart } from "./field-errors.ts";
import { checkRequest, securityHeaders } from "./guard.ts";
import { parseJson } from "./json.ts";
import { refuseOtherMethods } from "./methods.ts";
import { openApiDocument, swaggerTransforms } from "./openapi.ts";
import { fromFastify, PROBLEM_TYPE, toProblem } from "./problem.ts";
import { calendarRoutes } from "./routes/calendars.ts";
import { eventRoutes } from "./routes/events.ts";
import { failureRoutes } from "./routes/failures.ts";
import { healthRoutes } from "./routes/health.ts";
import { latenessRoutes } from "./routes/lateness.ts";
import { logRoutes } from "./routes/logs.ts";
import { operationRoutes } from "./routes/operations.ts";
import { outlookRoutes } from "./routes/outlook.ts";
import { queueRoutes } from "./routes/queues.ts";
import { scheduleRoutes } from "./routes/schedules.ts";
import { statsRoutes } from "./routes/stats.ts";
import { targetRoutes } from "./routes/targets.ts";
import { taskRoutes } from "./routes/tasks.ts";
import { typeRoutes } from "./routes/types.ts";
import { workerRoutes } from "./routes/workers.ts";
import { workflowRoutes } from "./routes/workflows.ts";
import { createEventStreams } from "./sse.ts";

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const CHECK_INTERVAL_MS = 2_000;
const REQUESTS_PER_SOCKET = 1_000;
/** One more than is allowed, so that too many can be told from just enough. */
const HEADERS_READ = 101;

export function createHttpApp(deps: HttpDeps): FastifyInstance {
  const nextRequestId = requestIds(deps);
  const app = fastify({
    logger: false,
    bodyLimit: 1024 * 1024,
    requestTimeout: REQUEST_TIMEOUT_MS,
    maxRequestsPerSocket: REQUESTS_PER_SOCKET,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      // Node's own refusal is no problem document; `checkRequest` has one.
      requireHostHeader: false,
    },
    routerOptions: { maxParamLength: 512 },
    genReqId: nextRequestId,
    frameworkErrors: (error, request, reply) => void answerError(deps, error, request, reply),
    clientErrorHandler: (error, socket) => answerUnreadable(error, socket, nextRequestId()),
    return503OnClosing: false,
  });
  app.server.maxHeadersCount = HEADERS_READ;
  // Without a listener Node refuses what it cannot meet in its own way; `checkRequest` does it in ours.
  app.server.on("checkExpectation", (request, response) => void app.server.emit("request", request, response));
  const others = refuseOtherMethods(app);
  app.decorateRequest("idempotency", null);

  app.removeAllContentTypeParsers();
  for (const type of ["application/json", "application/merge-patch+json"]) {
    app.addContentTypeParser(type, { parseAs: "buffer" }, async (_request: FastifyRequest, body: Buffer) =>
      parseJson(body),
    );
  }
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (value) => {
    try {
      // Fastify says null for "no body"; a body that is null never comes this far.
      return { value: parseRequest(schema, value ?? undefined, requestParts[httpPart ?? "body"]) };
    } catch (error) {
      return { error: error as Error };
    }
  });
  // Answers are built by `operations/views.ts`; tests hold them against their schemas, requests do not pay for it.
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler((error, request, reply) => answerError(deps, error, request, reply));
  app.setNotFoundHandler(async () => {
    throw new CarillonError("not_found", { detail: "There is nothing at this path." });
  });
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(securityHeaders).header("x-request-id", request.id);
    checkRequest(request.raw);
    // Before the body is looked at: a wrong path is a 404 whatever was sent.
    if (request.is404) throw new CarillonError("not_found", { detail: "There is nothing at this path." });
  });
  app.addHook("onResponse", async (request, reply) => {
    const { method, url, id } = request;
    deps.log.debug({ requestId: id, method, url, status: reply.statusCode, ms: reply.elapsedTime }, "answered");
  });
  // Connections come from the port, not from listening, which is what starts the timer behind the two timeouts.
  app.addHook("onReady", async () => void app.server.emit("listening"));

  app.register(swagger, { openapi: openApiDocument(deps.version), ...swaggerTransforms });
  app.register(async (root) => {
    const routes: RouteDeps = { ...deps, openStream: createEventStreams(deps) };
    const api = root.withTypeProvider<ZodTypeProvider>();
    taskRoutes(api, routes);
    workflowRoutes(api, routes);
    scheduleRoutes(api, routes);
    outlookRoutes(api, routes);
    calendarRoutes(api, routes);
    operationRoutes(api, routes);
    failureRoutes(api, routes);
    logRoutes(api, routes);
    latenessRoutes(api, routes);
    targetRoutes(api, routes);
    queueRoutes(api, routes);
    statsRoutes(api, routes);
    typeRoutes(api, routes);
    workerRoutes(api, routes);
    eventRoutes(api, routes);
    healthRoutes(api, routes);
    docsRoutes(root);
    await dashboardRoutes(root, deps.dashboard);
    others.register(root);
  });
  return app as unknown as FastifyInstance;
}

const requestParts: Record<string, RequestPart> = {
  body: "body",
  querystring: "query",
  params: "path",
  headers: "headers",
};

function requestIds({ random }: HttpDeps): () => string {
  const run = Math.floor(random() * 36 ** 6)
    .toString(36)
    .padStart(6, "0");
  let count = 0;
  return () => `req_${run}${(count++).toString(36)}`;
}

async function answerError(
  deps: HttpDeps,
  caught: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const error = fromFastify(caught);
  const { status, headers, body } = toProblem(error, request);
  if (status === 500) {
    deps.log.error(
      { err: error.cause ?? error, requestId: request.id, method: request.method, url: request.url },
      "request failed",
    );
  }
  reply.headers({ ...securityHeaders, "x-request-id": request.id, ...headers });
  await reply.code(status).serializer(JSON.stringify).send(body);
}

/** For what is not even HTTP, too slow or too long: there is no request yet, only a socket. */
function answerUnreadable(error: Error & { code?: string; rawPacket?: unknown }, socket: Socket, id: string): void {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const tooLong = error.code === "HPE_HEADER_OVERFLOW";
  const late = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const code = tooLong ? "too_large" : "invalid_request";
  const status = tooLong ? "413 Content Too Large" : late ? "408 Request Timeout" : "400 Bad Request";
  const detail = tooLong
    ? "The headers are too long."
    : late
      ? "The request did not arrive in time."
      : "This is not a valid HTTP request.";
  const [, url = ""] =
    /^[A-Z-]+ (\/\S*) HTTP\//.exec(
      Buffer.isBuffer(error.rawPacket) ? error.rawPacket.toString("latin1", 0, 1_024) : "",
    ) ?? [];
  const problem = toProblem(new CarillonError(code, { detail }), { url, id });
  const body = JSON.stringify({ ...problem.body, status: Number.parseInt(status, 10), title: errorCodes[code].title });
  const headers = {
    ...securityHeaders,
    "x-request-id": id,
    "content-type": PROBLEM_TYPE,
    "content-length": Buffer.byteLength(body),
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end(`HTTP/1.1 ${status}\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
}
