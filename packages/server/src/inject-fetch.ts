import type { Fetch } from "@carillon/client";
import type { FastifyInstance, InjectOptions } from "fastify";

/** The REST API as `fetch`, without a network: the same routes, checks and answers. Streams (events, followed logs) need the network. */
export function injectFetch(app: FastifyInstance): Fetch {
  return async (url, { method = "GET", headers, body, signal }) => {
    signal?.throwIfAborted();
    const { pathname, search } = new URL(url);
    const response = await app.inject({
      method: method as NonNullable<InjectOptions["method"]>,
      url: pathname + search,
      headers: { host: "localhost", ...(headers as Record<string, string>) },
      ...(typeof body === "string" ? { payload: body } : {}),
    });
    const answered = Object.entries(response.headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    );
    const empty = response.statusCode === 204 || response.statusCode === 304;
    return new Response(empty ? null : new Uint8Array(response.rawPayload), {
      status: response.statusCode,
      headers: answered,
    });
  };
}
