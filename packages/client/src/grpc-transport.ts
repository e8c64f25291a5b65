/** Workers over gRPC: one bidirectional stream of `carillon.v1.WorkerService`, HTTP/2 without TLS or with, as the address says. */
import { invalid } from "@carillon/core/errors";
import { WorkerService, type WorkRequest } from "@carillon/proto";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { outbox } from "./outbox.ts";
import type { Link, LinkListener, NodeMessage, WorkerMessage, WorkerTransport } from "./protocol.ts";
import { cutWorkerMessage, MAX_MESSAGE_BYTES } from "./wire-batches.ts";
import { fromWorkResponse } from "./wire-from-node.ts";
import { toWorkRequest } from "./wire-from-worker.ts";

const DEFAULT_URL = "http://127.0.0.1:7070";
/** What the last words have to reach the node after `close`. */
const LAST_WORDS_MS = 1_000;

export function grpcTransport(options: {
  url?: string | string[] | undefined;
  apiKey?: string | undefined;
}): WorkerTransport {
  const own = [options.url ?? process.env.CARILLON_URL ?? DEFAULT_URL].flat().map((url) => {
    const address = addressOf(url);
    if (address === null) throw invalid("/url", "invalid_url", `"${url}" is no http or https URL`);
    return address;
  });
  const apiKey = options.apiKey ?? process.env.CARILLON_API_KEY;
  // Workers with the same list begin at different nodes of it.
  let last = own[Math.floor(Math.random() * own.length)] as string;
  return {
    connect(listener, nodes) {
      const known = nodes.flatMap((url) => addressOf(url) ?? []);
      const addresses = [...new Set([...known, ...own])];
      last = addresses[(addresses.indexOf(last) + 1) % addresses.length] as string;
      return openStream(last, apiKey, listener);
    },
  };
}

function addressOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { protocol, origin, pathname } = new URL(url);
  return protocol === "http:" || protocol === "https:" ? origin + pathname.replace(/\/$/, "") : null;
}

function openStream(
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
