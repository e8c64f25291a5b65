/** Workers and probes on real sockets: the worker's own transport, the port, and the services behind it. */
import { EventEmitter, once } from "node:events";
import { createServer as createHttp1Server } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  type IncomingHttpHeaders,
} from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { toBinary } from "@bufbuild/protobuf";
import {
  type AssignedTask,
  type Link,
  type NodeMessage,
  task,
  Worker,
  type WorkerGate,
  type WorkerMessage,
  type WorkerOptions,
} from "@carillon/client";
import { toWorkRequest } from "@carillon/client/wire";
import { Health, WorkerService, type WorkRequest, WorkRequestSchema } from "@carillon/proto";
import { VirtualClock } from "@carillon/testkit";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { afterEach, expect, test } from "vitest";
import { createRpcHandler } from "./handler.ts";
import { listen, type Port } from "./port.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A node's side, played by the test: takes in workers and writes down what they say. */
class Reception implements WorkerGate {
  readonly links: {
    node: Link<NodeMessage>;
    heard: WorkerMessage[];
    closed: boolean;
    cause: unknown;
    namespace: string;
  }[] = [];
  onMessage: (message: WorkerMessage, node: Link<NodeMessage>) => void = () => {};
  #changed: (() => void)[] = [];

  accept: WorkerGate["accept"] = (node, namespace) => {
    const link = { node, heard: [] as WorkerMessage[], closed: false, cause: null as unknown, namespace };
    this.links.push(link);
    this.#notify();
    return {
      message: (message) => {
        link.heard.push(message);
        if (message.kind === "hello") node.send({ kind: "welcome", node: "n", nodes: [], now: Date.now() });
        if (message.kind === "ping") node.send({ kind: "pong" });
        this.onMessage(message, node);
        this.#notify();
      },
      closed: (cause) => {
        link.closed = true;
        link.cause = cause;
        this.#notify();
      },
    };
  };

  get last() {
    return this.links.at(-1)!;
  }

  /** Resolves once it is true, looking at each event. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }

  #notify(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}

async function node(
  options: {
    clock?: VirtualClock;
    ready?: () => Promise<boolean>;
    apiKey?: string;
    maxStreams?: number;
    maxWorkStreams?: number;
  } = {},
) {
  const gate = new Reception();
  const port = await listen({ host: "127.0.0.1", port: 0 });
  const http1 = createHttp1Server((_request, response) => response.end("rest"));
  port.serve({
    http1,
    http2: createRpcHandler({
      gate,
      ...options,
      ready: options.ready ?? (async () => true),
      authenticate: (headers) => {
        if (options.apiKey === undefined) return "default";
        if (headers.get("authorization") === `Bearer ${options.apiKey}`) return "paying";
        throw new ConnectError("no such key", Code.Unauthenticated);
      },
    }),
  });
  cleanups.push(() => port.close(0));
  return { gate, port };
}

function worker(url: string | string[], options: Partial<WorkerOptions> = {}): Worker {
  const echo = task("echo", { run: (payload) => payload });
  const made = new Worker({ url, tasks: [echo], name: "w", signals: false, ...options });
  cleanups.push(() => made.close({ timeout: "0s" }));
  made.start();
  return made;
}

/** Bytes pass until the test cuts, or holds, them. */
async function proxyTo(port: Port) {
  const pairs = new Set<[Socket, Socket]>();
  const server: Server = createServer((near) => {
    const far = connect(port.port, "127.0.0.1");
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    for (const socket of pair) socket.on("error", () => {});
    near.pipe(far);
    far.pipe(near);
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
    pairs.clear();
  };
  cleanups.push(() => {
    cut();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    cut,
    /** Both sides keep their connection and hear nothing any more. */
    blackHole() {
      for (const [near, far] of pairs) {
        near.unpipe(far);
        far.unpipe(near);
        near.pause();
        far.pause();
      }
    },
  };
}

function given(id: bigint, payload: unknown = null): AssignedTask {
  return {
    id,
    token: 1n,
    namespace: "default",
    type: "echo",
    queue: "default",
    payload: JSON.stringify(payload),
    attempt: 1,
    dueAt: Date.now(),
    fireAt: null,
    schedule: null,
    timeoutMs: 60_000,
  };
}

const outcomesOf = (gate: Reception) =>
  gate.links.flatMap(({ heard }) => heard).flatMap((message) => (message.kind === "outcomes" ? message.outcomes : []));

// --------------------------------------------------------------------------------------------------------------- workers

test("a worker says hello, gets tasks, reports outcomes and logs, and says goodbye", async () => {
  const { gate, port } = await node();
  const chatty = task("echo", {
    run: (payload, { log }) => {
      log.info("here");
      return payload;
    },
  });
  const w = worker(port.url, { tasks: [chatty], concurrency: 3, labels: { zone: "b" } });
  await w.connected();
  expect(gate.last.heard[0]).toMatchObject({ kind: "hello", hello: { worker: "w", slots: 3, labels: { zone: "b" } } });
  expect(gate.last.namespace).toBe("default");
  gate.last.node.send({ kind: "tasks", tasks: [given(1n, { n: 1 }), given(2n, "two")] });
  await gate.until(() => outcomesOf(gate).length === 2);
  expect(outcomesOf(gate)).toMatchObject([
    { id: 1n, token: 1n, report: { kind: "succeeded", result: '{"n":1}' } },
    { id: 2n, token: 1n, report: { kind: "succeeded", result: '"two"' } },
  ]);
  expect(gate.last.heard).toContainEqual(
    expect.objectContaining({ kind: "logs", lines: [expect.objectContaining({ message: "here" }), expect.anything()] }),
  );
  gate.last.node.send({ kind: "recorded", outcomes: [1n, 2n].map((id) => ({ id, token: 1n, accepted: true })) });
  await w.close();
  await gate.until(() => gate.last.closed);
  expect(gate.last.heard.at(-1)).toEqual({ kind: "leaving" });
  expect(gate.last.cause).toBeNull();
  expect(gate.links).toHaveLength(1);
});

test("a worker says how far a task has come, before it says how it ended", async () => {
  const { gate, port } = await node();
  const told = task("echo", {
    run: (_payload, { progress }) => {
      progress(0.5, "half");
      progress(1);
    },
  });
  const w = worker(port.url, { tasks: [told] });
  await w.connected();
  gate.last.node.send({ kind: "tasks", tasks: [given(1n, null)] });
  await gate.until(() => outcomesOf(gate).length === 1);
  const kinds = gate.last.heard.map(({ kind }) => kind);
  expect(kinds.indexOf("progress")).toBeLessThan(kinds.indexOf("outcomes"));
  const reports = [{ id: 1n, token: 1n, fraction: 1, message: null }];
  expect(gate.last.heard).toContainEqual({ kind: "progress", reports });
});

test("40 MiB of payloads and of results pass in messages that both sides take", async () => {
  const { gate, port } = await node();
  const w = worker(port.url, { concurrency: 200 });
  await w.connected();
  const large = "ä".repeat(120_000);
  const tasks = Array.from({ length: 160 }, (_, i) => given(BigInt(i + 1), large));
  gate.last.node.send({ kind: "tasks", tasks });
  await gate.until(() => outcomesOf(gate).length === 160);
  expect(outcomesOf(gate).every(({ report }) => report.kind === "succeeded")).toBe(true);
  expect(gate.links).toHaveLength(1);
});

test("a worker that is killed, or cut off with a reset, is noticed, and comes back by itself", async () => {
  const { gate, port } = await node();
  const proxy = await proxyTo(port);
  const w = worker(proxy.url);
  await w.connected();
  proxy.cut();
  await gate.until(() => gate.links[0]!.closed);
  await gate.until(() => gate.links.length === 2 && gate.last.heard.length > 0);
});

test("a connection that is dead without a word is left, with what runs", async () => {
  const { gate, port } = await node();
  const other = await node();
  const proxy = await proxyTo(port);
  const never = task("echo", { run: () => new Promise(() => {}) });
  const w = worker(proxy.url, { tasks: [never] });
  await w.connected();
  gate.last.node.send({ kind: "welcome", node: "n", nodes: [other.port.url], now: Date.now() });
  gate.last.node.send({ kind: "tasks", tasks: [given(7n)] });
  await gate.until(() => gate.last.heard.some(({ kind }) => kind === "ping"));
  expect(w.held).toBe(1);
  proxy.blackHole();
  await other.gate.until(() => other.gate.links.length > 0 && other.gate.last.heard.length > 0);
  expect(other.gate.last.heard[0]).toMatchObject({ hello: { held: [{ id: 7n, token: 1n }] } });
});

test("goes through its addresses until a node answers", async () => {
  const { gate, port } = await node();
  const dead = await listen({ host: "127.0.0.1", port: 0 });
  await dead.close(0);
  const w = worker([dead.url, port.url, "http://127.0.0.1:1"]);
  await w.connected();
  expect(gate.links).toHaveLength(1);
});

test("an address that is none is refused at once", () => {
  for (const url of ["localhost:7070", "ftp://x", "", "grpc://x:1"]) expect(() => worker(url), url).toThrow(/http/);
});

test("a node that ends the link gracefully is followed by the next connection", async () => {
  const { gate, port } = await node();
  const w = worker(port.url);
  await w.connected();
  gate.last.node.close();
  await gate.until(() => gate.links.length === 2 && gate.last.heard.length > 0);
  expect(gate.last.heard[0]!.kind).toBe("hello");
});

test("closing the port ends workers' links", async () => {
  const { gate, port } = await node();
  await Promise.all(Array.from({ length: 50 }, (_, i) => worker(port.url, { name: `w${i}` }).connected()));
  // More than these on a busy machine: who waits too long for its welcome tries again.
  expect(gate.links.length).toBeGreaterThanOrEqual(50);
  await port.close(10);
  await gate.until(() => gate.links.every(({ closed }) => closed));
});

test("without the right key a worker is not let in", async () => {
  const { gate, port } = await node({ apiKey: "secret" });
  const stranger = await call(port).work([hello()]);
  await expect(drain(stranger)).rejects.toMatchObject({ code: Code.Unauthenticated });
  expect(gate.links).toHaveLength(0);
  await worker(port.url, { apiKey: "secret" }).connected();
  expect(gate.last.namespace).toBe("paying");
});

// ---------------------------------------------------------------------------------------------------- strange clients

function transport(port: Port) {
  const sessionManager = new Http2SessionManager(port.url);
  cleanups.push(() => sessionManager.abort());
  return createGrpcTransport({ baseUrl: port.url, sessionManager });
}

function call(port: Port) {
  const client = createClient(WorkerService, transport(port));
  return {
    work: (messages: WorkRequest[]) =>
      client.work(
        (async function* () {
          yield* messages;
          await new Promise((resolve) => cleanups.push(() => resolve(null)));
        })(),
      ),
  };
}

function connection(port: Port): ClientHttp2Session {
  const client = connectHttp2(port.url);
  client.on("error", () => {});
  cleanups.push(() => client.destroy());
  return client;
}

function rawStream(client: ClientHttp2Session, path = "/carillon.v1.WorkerService/Work"): ClientHttp2Stream {
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const stream = client.request(headers, { endStream: false });
  stream.on("error", () => {});
  return stream;
}

/** With which status the node ended the stream, although this side never ends its own. */
async function ended(stream: ClientHttp2Stream): Promise<Code> {
  let status: unknown;
  for (const event of ["response", "trailers"] as const)
    stream.on(event, (headers: IncomingHttpHeaders) => {
      status = headers["grpc-status"] ?? status;
    });
  await once(stream.resume(), "close");
  // Node 20 spins when a stream's own callback goes on to close others of its connection.
  await new Promise((resolve) => setImmediate(resolve));
  return Number(status);
}

/** A message as gRPC frames it. */
function framed(request: WorkRequest): Buffer {
  const bytes = toBinary(WorkRequestSchema, request);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** `timers(n)` resolves once the node has set so many. */
function watchedClock(): { clock: VirtualClock; timers: (count: number) => Promise<void> } {
  const clock = new VirtualClock();
  const after = clock.after.bind(clock);
  let set = 0;
  const changes = new EventEmitter();
  clock.after = (delayMs, callback) => {
    set++;
    changes.emit("set");
    return after(delayMs, callback);
  };
  return {
    clock,
    async timers(count) {
      while (set < count) await once(changes, "set");
    },
  };
}

const hello = (over: object = {}) =>
  toWorkRequest({
    kind: "hello",
    hello: { worker: "w", version: "1", types: [], queues: [], labels: {}, slots: 1, held: [], ...over },
  });

async function drain(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of messages);
}

test("a hello that makes no sense is answered with what is wrong", async () => {
  const { gate, port } = await node();
  const failure = drain(call(port).work([hello({ worker: "no name" })]));
  await expect(failure).rejects.toMatchObject({ code: Code.InvalidArgument });
  expect(gate.links).toHaveLength(0);
});

test("who does not say hello within 10 s is cut off, and is nobody to the node until then", async () => {
  const { clock, timers } = watchedClock();
  const { gate, port } = await node({ clock });
  let refused = false;
  const failure = drain(call(port).work([toWorkRequest({ kind: "ping" })])).finally(() => {
    refused = true;
  });
  const outcome = expect(failure).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  await timers(1);
  await clock.advance(9_999);
  expect(refused).toBe(false);
  await clock.advance(1);
  await outcome;
  expect(gate.links).toHaveLength(0);

  const polite = drain(call(port).work([hello()]));
  polite.catch(() => {});
  await gate.until(() => gate.links.length === 1 && gate.last.heard.length === 1);
  await clock.advance(60_000);
  expect(gate.last.closed).toBe(false);
});

test("a message over 4 MiB is refused, and one just below passes", async () => {
  const { gate, port } = await node();
  const logs = (bytes: number) =>
    toWorkRequest({
      kind: "logs",
      lines: [{ id: 1n, token: 1n, at: 1, level: "info", message: "x".repeat(bytes), attempt: 1 }],
    });
  const fits = drain(call(port).work([hello(), logs(4 * 1024 * 1024 - 1_000)]));
  fits.catch(() => {});
  await gate.until(() => gate.links.length === 1 && gate.last.heard.length === 2);
  const tooLarge = drain(call(port).work([hello(), logs(4 * 1024 * 1024 + 1)]));
  await expect(tooLarge).rejects.toMatchObject({ code: Code.ResourceExhausted });
  await gate.until(() => gate.last.closed);
});

test("of streams that say nothing a node holds 256, on however many connections, and forgets them after 10 s", async () => {
  const { clock, timers } = watchedClock();
  const { gate, port } = await node({ clock });
  const silent = Array.from({ length: 16 }, () => connection(port)).flatMap((client) =>
    Array.from({ length: 16 }, () => ended(rawStream(client))),
  );
  await timers(256);
  expect(await ended(rawStream(connection(port)))).toBe(Code.ResourceExhausted);
  expect(gate.links).toHaveLength(0);
  await clock.advance(10_000);
  expect(new Set(await Promise.all(silent))).toEqual(new Set([Code.DeadlineExceeded]));
  await worker(port.url).connected();
});

test("a node takes in so many workers, and another one when one has left", async () => {
  const { gate, port } = await node({ maxWorkStreams: 2 });
  const first = worker(port.url, { name: "first" });
  await Promise.all([first.connected(), worker(port.url, { name: "second" }).connected()]);
  await expect(drain(call(port).work([hello()]))).rejects.toMatchObject({ code: Code.ResourceExhausted });
  expect(gate.links).toHaveLength(2);
  await first.close();
  await worker(port.url, { name: "third" }).connected();
});

test("streams of every service are bounded together", async () => {
  const { gate, port } = await node({ maxStreams: 3 });
  const client = connection(port);
  for (const method of ["Check", "Watch"]) rawStream(client, `/grpc.health.v1.Health/${method}`);
  rawStream(client).write(framed(hello()));
  await gate.until(() => gate.links.length === 1);
  expect(await ended(rawStream(client))).toBe(Code.ResourceExhausted);
  client.destroy();
  await gate.until(() => gate.last.closed);
  expect(await createClient(Health, transport(port)).check({})).toMatchObject({ status: 1 });
});

test("a connection carries 16 streams", async () => {
  const { port } = await node();
  const client = connection(port);
  await once(client, "remoteSettings");
  expect(client.remoteSettings.maxConcurrentStreams).toBe(16);
});

test("a peer that never reads is cut off instead of buffered for", async () => {
  const { gate, port } = await node();
  const stream = rawStream(connection(port));
  stream.pause();
  stream.write(framed(hello()));
  await gate.until(() => gate.links.length === 1);
  const tasks = [given(1n, "x".repeat(10_000))];
  for (let i = 0; i < 20_000 && !gate.last.closed; i++) gate.last.node.send({ kind: "tasks", tasks });
  expect(gate.last.closed).toBe(true);
  expect(gate.last.cause).toMatchObject({ code: Code.ResourceExhausted });
});

test("a worker's stream runs no further ahead of what the node has understood than flow control allows", async () => {
  const { gate, port } = await node();
  let pulled = 0;
  const lines = Array.from({ length: 100 }, () => ({
    id: 1n,
    token: 1n,
    at: 1,
    level: "info" as const,
    message: "x".repeat(8_000),
    attempt: 1,
  }));
  const client = createClient(WorkerService, transport(port));
  const stop = new AbortController();
  cleanups.push(() => stop.abort());
  const answers = client.work(
    (async function* () {
      yield hello();
      for (;;) {
        pulled++;
        yield toWorkRequest({ kind: "logs", lines });
      }
    })(),
    { signal: stop.signal },
  );
  drain(answers).catch(() => {});
  let heard = 0;
  gate.onMessage = () => {
    heard++;
  };
  await gate.until(() => heard >= 20);
  expect(pulled - heard).toBeLessThan(20);
});

test("what the node does not serve is unimplemented for gRPC, and not found for everybody else", async () => {
  const { port } = await node();
  const client = connectHttp2(port.url);
  cleanups.push(() => client.destroy());
  const ask = async (headers: Record<string, string>) => {
    const stream = client.request({ ":method": "POST", ...headers });
    stream.end();
    const [answer] = (await once(stream, "response")) as [Record<string, unknown>];
    stream.resume();
    return answer;
  };
  expect(
    await ask({ ":path": "/grpc.reflection.v1.ServerReflection/X", "content-type": "application/grpc" }),
  ).toMatchObject({ ":status": 200, "grpc-status": "12" });
  expect(await ask({ ":path": "/api/v1/tasks", "content-type": "application/json" })).toMatchObject({
    ":status": 404,
    "content-type": "application/problem+json; charset=utf-8",
    "x-request-id": expect.stringMatching(/^req_/),
  });
});

// ---------------------------------------------------------------------------------------------------------------- health

test("health follows readiness, for the node and for its services, and needs no key", async () => {
  let ready: () => Promise<boolean> = async () => true;
  const { port } = await node({ ready: () => ready(), apiKey: "secret" });
  const health = createClient(Health, transport(port));
  expect(await health.check({})).toMatchObject({ status: 1 });
  expect(await health.check({ service: "carillon.v1.WorkerService" })).toMatchObject({ status: 1 });
  await expect(health.check({ service: "other" })).rejects.toMatchObject({ code: Code.NotFound });
  ready = async () => false;
  expect(await health.check({})).toMatchObject({ status: 2 });
  ready = () => Promise.reject(new Error("no database"));
  expect(await health.check({})).toMatchObject({ status: 2 });
});

test("a watcher hears each change of health once", async () => {
  const clock = new VirtualClock();
  let serving = true;
  let looks = 0;
  const { port } = await node({
    clock,
    ready: async () => {
      looks++;
      return serving;
    },
  });
  const health = createClient(Health, transport(port));
  const stop = new AbortController();
  const statuses: number[] = [];
  const watching = (async () => {
    for await (const { status } of health.watch({}, { signal: stop.signal })) {
      statuses.push(status);
      if (statuses.length === 1) serving = false;
      if (statuses.length === 2) serving = true;
      if (statuses.length === 3) stop.abort();
    }
  })().catch(() => {});
  while (statuses.length < 3) await clock.advance(1_000);
  await watching;
  expect(statuses).toEqual([1, 2, 1]);
  expect(looks).toBeGreaterThanOrEqual(3);

  const leave = new AbortController();
  for await (const { status } of health.watch({ service: "other" }, { signal: leave.signal })) {
    expect(status).toBe(3);
    break;
  }
  leave.abort();
});
