import { Readable } from "node:stream";
import type { Fetch } from "@carillon/client";
import type { FastifyInstance, InjectOptions } from "fastify";

/** The REST API as `fetch`, without a network: the same routes, checks, answers and event streams. */
export function injectFetch(app: FastifyInstance): Fetch {
  return async (url, { method = "GET", headers, body, signal }) => {
    signal?.throwIfAborted();
    const { pathname, search } = new URL(url);
    const answering = app.inject({
      method: method as NonNullable<InjectOptions["method"]>,
      url: pathname + search,
      headers: { host: "localhost", ...(headers as Record<string, string>) },
      ...(typeof body === "string" ? { payload: body } : {}),
      payloadAsStream: true,
    });
    const response = await (signal ? Promise.race([answering, aborted(signal)]) : answering);
    const stream = response.stream();
    // Whoever stops reading is gone, as one who hangs up.
    stream.once("close", () => response.raw.res.destroy());
    const hangUp = () => stream.destroy(signal?.reason as Error);
    signal?.addEventListener("abort", hangUp, { once: true });
    stream.once("close", () => signal?.removeEventListener("abort", hangUp));

    const answered = Object.entries(response.headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as [string, string]],
    );
    const empty = response.statusCode === 204 || response.statusCode === 304;
    if (empty) stream.resume();
    return new Response(empty ? null : (Readable.toWeb(stream) as ReadableStream<Uint8Array>), {
      status: response.statusCode,
      headers: answered,
    });
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
