/** A worker's link to a node over gRPC: one bidirectional stream of `carillon.v1.WorkerService` on an HTTP/2 connection of its own. */
import { WorkerService, type WorkRequest } from "@carillon/proto";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { outbox } from "./outbox.ts";
import type { Link, LinkListener, NodeMessage, WorkerMessage } from "./protocol.ts";
import { cutWorkerMessage, MAX_MESSAGE_BYTES } from "./wire-batches.ts";
import { fromWorkResponse } from "./wire-from-node.ts";
import { toWorkRequest } from "./wire-from-worker.ts";

/** What the last words have to reach the node after `close`. */
const LAST_WORDS_MS = 1_000;

export function openStream(
  baseUrl: string,
  apiKey: string | undefined,
  listener: LinkListener<NodeMessage>,
): Link<WorkerMessage> {
  const outgoing = outbox<WorkRequest>();
  // A connection of its own, which ends with the link.
  const session = new Http2SessionManager(baseUrl);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: session,
    readMaxBytes: MAX_MESSAGE_BYTES,
    acceptCompression: [],
  });
  const headers = new Headers(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` });
  const incoming = createClient(WorkerService, transport).work(outgoing, { headers });
  let closed = false;
  let cutLater: NodeJS.Timeout | undefined;

  async function receive(): Promise<void> {
    let cause: unknown = null;
    try {
      for await (const response of incoming) {
        const message = fromWorkResponse(response);
        if (message && !closed) listener.message(message);
      }
    } catch (error) {
      cause = error;
    }
    outgoing.end();
    session.abort();
    clearTimeout(cutLater);
    if (!closed) listener.closed(cause);
  }
  void receive();

  return {
    send(message) {
      for (const part of cutWorkerMessage(message)) {
        if (!outgoing.push(toWorkRequest(part))) session.abort(new Error("the node does not read"));
      }
    },
    close() {
      if (closed) return;
      closed = true;
      outgoing.end();
      cutLater = setTimeout(() => session.abort(), LAST_WORDS_MS);
    },
  };
}
