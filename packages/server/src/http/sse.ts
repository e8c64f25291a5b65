/** Server-sent events. A reader that does not keep up is cut: it comes back and reads again, and nothing is buffered without bound. */
import { setMaxListeners } from "node:events";
import { CarillonError, type Clock } from "@carillon/core";
import type { FastifyReply } from "fastify";

const MAX_BUFFERED_BYTES = 256 * 1024;
const COMMENT_INTERVAL_MS = 15_000;
const RECONNECT_MS = 1_000;
const MAX_STREAMS = 1_000;

export interface EventStream {
  /** Aborts when the reader is gone, was cut, or the node drains. */
  readonly closed: AbortSignal;
  send(event: { name?: string; id?: string; data: unknown }): void;
  end(): void;
}

/** Opens streams of one node, until `draining` aborts. */
export function createEventStreams({ clock, draining }: { clock: Clock; draining: AbortSignal }) {
  let open = 0;
  // Each stream listens to it; their number is bounded here.
  setMaxListeners(0, draining);
  return function openStream(reply: FastifyReply): EventStream {
    if (draining.aborted) throw new CarillonError("unavailable", { detail: "This node is leaving." });
    if (open >= MAX_STREAMS) throw new CarillonError("unavailable", { detail: "Too many event streams are open." });
    open++;
    reply.hijack();
    const { raw } = reply;
    const closed = new AbortController();
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });

    const write = (text: string) => {
      if (closed.signal.aborted) return;
      raw.write(text);
      if (raw.writableLength > MAX_BUFFERED_BYTES) raw.destroy();
    };
    const comment = () => {
      write(":\n\n");
      cancelComment = clock.after(COMMENT_INTERVAL_MS, comment);
    };
    let cancelComment = clock.after(COMMENT_INTERVAL_MS, comment);
    const leave = () => {
      write(`retry: ${RECONNECT_MS}\n\n`);
      raw.end();
      close();
    };
    const close = () => {
      if (closed.signal.aborted) return;
      open--;
      cancelComment();
      draining.removeEventListener("abort", leave);
      closed.abort();
    };
    raw.on("close", close);
    raw.on("error", close);
    draining.addEventListener("abort", leave, { once: true });
    write(`retry: ${RECONNECT_MS}\n\n`);

    return {
      closed: closed.signal,
      send({ name, id, data }) {
        const fields = [
          ...(name === undefined ? [] : [`event: ${name}`]),
          ...(id === undefined ? [] : [`id: ${id}`]),
          `data: ${JSON.stringify(data)}`,
        ];
        write(`${fields.join("\n")}\n\n`);
      },
      end() {
        raw.end();
        close();
      },
    };
  };
}
