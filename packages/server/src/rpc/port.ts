/**
 * One port for REST, the dashboard and gRPC: the first bytes of a connection say whether it speaks HTTP/2 (gRPC over h2c) or HTTP/1.1,
 * and it is handed to the server for that.
 */
import type { Server as Http1Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { processClock } from "@carillon/client";
import type { Clock } from "@carillon/core";

const HTTP2_PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** Who has not said how it wants to talk by then is cut off. */
const PREFACE_MS = 10_000;
/** An HTTP/2 connection on which nothing passes for so long is asked whether anybody is there, and has so long to answer. */
const IDLE_MS = 30_000;
const ANSWER_MS = 10_000;
const TCP_KEEP_ALIVE_MS = 10_000;
/** A worker needs one, a probe a few. */
const MAX_STREAMS_PER_CONNECTION = 16;
const MAX_CONNECTIONS = 10_000;

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
export async function listen(
  options: { host: string; port: number },
  timers: Pick<Clock, "after"> = processClock(),
): Promise<Port> {
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  let http1: Http1Server | null = null;
  let route: (socket: Socket) => void = () => {};
  const server = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS },
    (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      // Whichever server takes it over listens too; until then a reset is nobody else's to hear.
      socket.on("error", () => socket.destroy());
      route(socket);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
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
        session.setTimeout(IDLE_MS, () => askForLife(session, timers));
      });
      // What a broken client does to its connection ends that connection.
      http2.on("sessionError", (_error, session) => session.destroy());
      route = (socket) => sniff(socket, handlers.http1, http2, timers);
      for (const socket of sockets) route(socket);
    },
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      http1?.closeIdleConnections();
      const cancelCut = timers.after(graceMs, () => {
        for (const socket of sockets) socket.destroy();
      });
      await closed;
      cancelCut();
    },
  };
}

function askForLife(session: ServerHttp2Session, timers: Pick<Clock, "after">): void {
  const cancelCut = timers.after(ANSWER_MS, () => session.destroy());
  session.once("close", cancelCut);
  session.ping((error) => {
    cancelCut();
    session.off("close", cancelCut);
    if (error) session.destroy();
  });
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
function sniff(socket: Socket, http1: Http1Server, http2: Http2Server, timers: Pick<Clock, "after">): void {
  let seen: Buffer = Buffer.alloc(0);
  const cancelDeadline = timers.after(PREFACE_MS, () => socket.destroy());
  const onData = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, HTTP2_PREFACE.length);
    const maybeHttp2 = seen.subarray(0, length).equals(HTTP2_PREFACE.subarray(0, length));
    if (maybeHttp2 && length < HTTP2_PREFACE.length) return;
    cancelDeadline();
    socket.off("close", cancelDeadline);
    socket.off("data", onData);
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
  socket.on("close", cancelDeadline);
}
