/** Workers over gRPC: one bidirectional stream of `carillon.v1.WorkerService`, HTTP/2 without TLS or with, as the address says. */
import { WorkerService, type WorkRequest, type WorkResponse } from "@carillon/proto";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { cutWorkerMessage, fromWorkResponse, toWorkRequest } from "./grpc-messages.ts";
import { outbox } from "./outbox.ts";
import type { Link, LinkListener, NodeMessage, WorkerMessage, WorkerTransport } from "./protocol.ts";

const DEFAULT_URL = "http://127.0.0.1:7070";

export function grpcTransport(options: {
  url?: string | string[] | undefined;
  apiKey?: string | undefined;
}): WorkerTransport {
  const own = [options.url ?? process.env.CARILLON_URL ?? DEFAULT_URL].flat();
  const apiKey = options.apiKey ?? process.env.CARILLON_API_KEY;
  let turn = 0;
  return {
    connect(listener, nodes) {
      const addresses = [...new Set([...nodes, ...own])];
      return openStream(addresses[turn++ % addresses.length] as string, apiKey, listener);
    },
  };
}

function openStream(
  baseUrl: string,
  apiKey: string | undefined,
  listener: LinkListener<NodeMessage>,
): Link<WorkerMessage> {
  const abort = new AbortController();
  const outgoing = outbox<WorkRequest>();
  const transport = createGrpcTransport({ baseUrl });
  const headers = new Headers(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` });
  const incoming = createClient(WorkerService, transport).work(outgoing, {
    signal: abort.signal,
    headers,
    timeoutMs: 0,
  });
  void receive(incoming, listener, abort.signal);
  return {
    send(message) {
      for (const part of cutWorkerMessage(message)) outgoing.push(toWorkRequest(part));
    },
    close() {
      outgoing.end();
      // What was pushed before gets its turn to leave; the stream ends itself when the node has read it, or is cut.
      setTimeout(() => abort.abort(), 100).unref();
    },
  };
}

async function receive(
  incoming: AsyncIterable<WorkResponse>,
  listener: LinkListener<NodeMessage>,
  signal: AbortSignal,
): Promise<void> {
  let cause: unknown = null;
  try {
    for await (const response of incoming) {
      const message = fromWorkResponse(response);
      if (message) listener.message(message);
    }
  } catch (error) {
    cause = error;
  }
  if (!signal.aborted) listener.closed(cause);
}
