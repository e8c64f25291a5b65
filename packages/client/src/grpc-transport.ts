/** Workers over gRPC: which node is next, without TLS or with, as its address says. */
import { invalid } from "@carillon/core/errors";
import type { WorkerTransport } from "./protocol.ts";

const DEFAULT_URL = "http://127.0.0.1:7070";

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
    async connect(listener, nodes) {
      const known = nodes.flatMap((url) => addressOf(url) ?? []);
      const addresses = [...new Set([...known, ...own])];
      last = addresses[(addresses.indexOf(last) + 1) % addresses.length] as string;
      // Loaded when it is needed: an application that only creates tasks starts without gRPC.
      const { openStream } = await import("./grpc-stream.ts");
      return openStream(last, apiKey, listener);
    },
  };
}

function addressOf(url: string): string | null {
  if (!URL.canParse(url)) return null;
  const { protocol, origin, pathname } = new URL(url);
  return protocol === "http:" || protocol === "https:" ? origin + pathname.replace(/\/$/, "") : null;
}
