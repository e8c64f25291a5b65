/**
 * One port for REST, the dashboard and gRPC: the first bytes of a connection say whether it speaks HTTP/2 (gRPC over h2c) or HTTP/1.1,
 * and it is handed to the server for that.
 */
import type { Server as Http1Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import { createServer, type Server, type Socket } from "node:net";

const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Who has not said how it wants to talk by then is cut off. */
const PREFACE_TIMEOUT_MS = 10_000;
const MAX_STREAMS_PER_CONNECTION = 250;

export interface Port {
  /** The address as people write it: `http://127.0.0.1:7070`. */
  url: string;
  host: string;
  port: number;
  /** From now on connections are answered; those that came before have waited. */
  serve(handlers: PortHandlers): void;
  /** Stops accepting, ends idle connections, and cuts what is still open after the grace. */
  close(graceMs: number): Promise<void>;
}

export interface PortHandlers {
  http1: Http1Server;
  /** Handles gRPC; the compatibility API of node:http2. */
  http2: Parameters<typeof createHttp2Server>[1];
}

/** Takes the port at once, so that a taken one is known before anything else is started. */
export async function listen(options: { host: string; port: number }): Promise<Port> {
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  let http1: Http1Server | null = null;
  let route: (socket: Socket) => void = () => {};
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    route(socket);
  });
  await bind(server, options);
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : options.port;
  return {
    url: `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
    host: options.host,
    port,
    serve(handlers) {
      http1 = handlers.http1;
      const http2 = createHttp2Server(
        { settings: { maxConcurrentStreams: MAX_STREAMS_PER_CONNECTION } },
        handlers.http2,
      );
      http2.on("session", (session) => {
        sessions.add(session);
        session.on("close", () => sessions.delete(session));
      });
      route = (socket) => sniff(socket, handlers.http1, http2);
      for (const socket of sockets) route(socket);
    },
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      http1?.closeIdleConnections();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

function bind(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** HTTP/2 gets its bytes back before the hand-over and must not be resumed by us; HTTP/1 must be, on the next tick. */
function sniff(socket: Socket, http1: Http1Server, http2: Http2Server): void {
  let seen: Buffer = Buffer.alloc(0);
  const giveUp = () => socket.destroy();
  socket.setTimeout(PREFACE_TIMEOUT_MS, giveUp);
  socket.on("error", giveUp);
  const onData = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, HTTP2_PREFACE.length);
    const maybeHttp2 = seen.subarray(0, length).equals(HTTP2_PREFACE.subarray(0, length));
    if (maybeHttp2 && length < HTTP2_PREFACE.length) return;
    socket.off("data", onData);
    socket.off("error", giveUp);
    socket.setTimeout(0);
    socket.off("timeout", giveUp);
    socket.pause();
    socket.unshift(seen);
    if (maybeHttp2) {
      http2.emit("connection", socket);
    } else {
      http1.emit("connection", socket);
      process.nextTick(() => socket.resume());
    }
  };
  socket.on("data", onData);
}
