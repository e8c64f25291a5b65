/** What answers HTTP/2 on the node's port: gRPC and nothing else. */
import { randomBytes } from "node:crypto";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { MAX_MESSAGE_BYTES } from "@carillon/client/wire";
import { CarillonError } from "@carillon/core";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { toProblem } from "../http/problem.ts";
import { type HealthDeps, healthService } from "./health-service.ts";
import type { PortHandlers } from "./port.ts";
import { type WorkerServiceDeps, workerService } from "./worker-service.ts";

const RESOURCE_EXHAUSTED = "8";
const UNIMPLEMENTED = "12";
/** More than workers may have, so that probes are answered beside them. */
const MAX_STREAMS = 6_000;

export interface RpcHandlerDeps extends WorkerServiceDeps, HealthDeps {
  /** Streams of all connections and services that are open at once; others are refused. Default 6,000. */
  maxStreams?: number;
}

export function createRpcHandler({ maxStreams = MAX_STREAMS, ...deps }: RpcHandlerDeps): PortHandlers["http2"] {
  const answer = connectNodeAdapter({
    routes(router) {
      workerService(router, deps);
      healthService(router, deps);
    },
    grpcWeb: false,
    connect: false,
    // Compressed, a few bytes could become gigabytes.
    acceptCompression: [],
    readMaxBytes: MAX_MESSAGE_BYTES,
    fallback: (request, response) => answerUnknown(request as Http2ServerRequest, response as Http2ServerResponse),
  });
  let streams = 0;
  return (request, response) => {
    if (streams >= maxStreams) {
      answerStatus(response, RESOURCE_EXHAUSTED);
      return;
    }
    streams++;
    response.stream.once("close", () => streams--);
    // A stream that was answered is over, also when its peer never ends its side: a half-open one would stay for ever.
    response.stream.once("wantTrailers", () => setImmediate(() => response.stream.close()));
    answer(request, response);
  };
}

/** gRPC says "no such method" in a trailer of a 200; anything else over HTTP/2 is not for this port. */
function answerUnknown(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const type = request.headers["content-type"] ?? "";
  if (type.startsWith("application/grpc")) {
    answerStatus(response, UNIMPLEMENTED);
    return;
  }
  const id = `req_${randomBytes(6).toString("hex")}`;
  const detail = "HTTP/2 is for gRPC here; REST and the dashboard speak HTTP/1.1.";
  const { status, headers, body } = toProblem(new CarillonError("not_found", { detail }), { url: request.url, id });
  response.writeHead(status, { ...headers, "x-request-id": id });
  response.end(JSON.stringify(body));
}

function answerStatus(response: Http2ServerResponse, status: string): void {
  response.writeHead(200, { "content-type": "application/grpc", "grpc-status": status });
  response.end();
}
