import { once } from "node:events";
import { Agent, createServer as createHttp1Server, request as httpRequest, type Server } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { VirtualClock } from "@carillon/testkit";
import { afterEach, expect, test } from "vitest";
import { listen, type Port } from "./port.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open({ serve = true } = {}): Promise<{ port: Port; http1: Server; serveNow: () => void }> {
  const port = await listen({ host: "127.0.0.1", port: 0 });
  const http1 = createHttp1Server((request, response) => {
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
    });
    request.on("end", () => response.end(`1 ${request.method} ${request.url} ${size}`));
  });
  // Starts the timers of connections that nobody listened for.
  http1.emit("listening");
  const serveNow = () =>
    port.serve({
      http1,
      http2: (request, response) => {
        if (request.url === "/wait") return;
        request.resume();
        request.on("end", () => response.end(`2 ${request.url}`));
      },
    });
  if (serve) serveNow();
  cleanups.push(() => port.close(0));
  return { port, http1, serveNow };
}

function socketTo(port: Port): Socket {
  const socket = connect(port.port, "127.0.0.1");
  socket.on("error", () => {});
  cleanups.push(() => socket.destroy());
  return socket;
}

function get(port: Port, path: string, { agent, body }: { agent?: Agent; body?: string } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        port: port.port,
        host: "127.0.0.1",
        path,
        method: body === undefined ? "GET" : "POST",
        ...(agent ? { agent } : {}),
      },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on("end", () => resolve(text));
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

function session(port: Port): ClientHttp2Session {
  const client = connectHttp2(port.url);
  client.on("error", () => {});
  cleanups.push(() => client.destroy());
  return client;
}

function getOver(client: ClientHttp2Session, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = client.request({ ":path": path });
    let text = "";
    stream.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    stream.on("end", () => resolve(text));
    stream.on("error", reject);
    stream.on("close", () => reject(new Error("closed")));
    stream.end();
  });
}

async function read(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

test("HTTP/1.1 on kept-alive connections and HTTP/2 streams share one port", async () => {
  const { port } = await open();
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  cleanups.push(() => agent.destroy());
  const clients = Array.from({ length: 9 }, () => session(port));
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      i % 2 === 0 ? get(port, `/${i}`, { agent, body: "x".repeat(i) }) : getOver(clients[i % 9]!, `/${i}`),
    ),
  );
  for (const [i, answer] of answers.entries()) expect(answer).toBe(i % 2 === 0 ? `1 POST /${i} ${i}` : `2 /${i}`);
});

test("a large body that begins with the first bytes arrives whole", async () => {
  const { port } = await open();
  const size = 3_000_000;
  expect(await get(port, "/", { body: "y".repeat(size) })).toBe(`1 POST / ${size}`);
});

test("a preface that comes byte by byte is understood", async () => {
  const { port } = await open();
  const slow = socketTo(port);
  slow.setNoDelay(true);
  for (const byte of "GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") {
    slow.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await read(slow)).toMatch(/^HTTP\/1\.1 200.*1 GET \/slow 0/s);

  // The same for HTTP/2: a client's bytes in pieces that cut the preface in two.
  const raw = socketTo(port);
  await once(raw, "connect");
  raw.write("PRI * HTTP/2.0\r\n");
  await new Promise((resolve) => setImmediate(resolve));
  raw.write("\r\nSM\r\n\r\n");
  raw.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])); // an empty SETTINGS frame
  const [answer] = (await once(raw, "data")) as [Buffer];
  expect(answer[3]).toBe(4); // SETTINGS
});

test("who does not say within 10 s how it wants to talk is cut off, however busily it dribbles", async () => {
  const clock = new VirtualClock();
  const port = await listen({ host: "127.0.0.1", port: 0 }, clock);
  cleanups.push(
    () => port.close(0),
    () => clock.advance(1),
  );
  const http1 = createHttp1Server((_request, response) => response.end("1"));
  port.serve({ http1, http2: () => {} });
  const silent = socketTo(port);
  const slow = socketTo(port);
  await Promise.all([once(silent, "connect"), once(slow, "connect")]);
  slow.write("PRI * HTTP/2.0");
  const quick = await get(port, "/");
  expect(quick).toBe("1");
  await clock.advance(9_999);
  expect(silent.closed || slow.closed).toBe(false);
  slow.write("\r\n");
  const ended = Promise.all([once(silent, "close"), once(slow, "close")]);
  await clock.advance(1);
  await ended;
});

test("what is neither HTTP/1.1 nor HTTP/2 is refused, and others are answered on", async () => {
  const { port } = await open();
  const wrong = [
    "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    "PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n",
    "PRX\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", // a TLS hello
    "\0\0\0\0",
    "hello\r\n\r\n",
  ];
  for (const text of wrong) {
    const socket = socketTo(port);
    socket.end(text, "latin1");
    expect(await read(socket).catch(() => ""), JSON.stringify(text)).toMatch(/^(HTTP\/1\.1 400|$)/);
  }
  const broken = socketTo(port);
  broken.end("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame at all, but long enough to be taken for one");
  await read(broken).catch(() => "");
  expect(await get(port, "/still")).toBe("1 GET /still 0");
});

test("connections that come before the node serves wait for it, and may go away meanwhile", async () => {
  const { port, serveNow } = await open({ serve: false });
  const early = get(port, "/early");
  const client = session(port);
  const earlyToo = getOver(client, "/early");
  const gone = socketTo(port);
  await once(gone, "connect");
  gone.write("GET / HT");
  gone.resetAndDestroy();
  await new Promise((resolve) => setImmediate(resolve));
  serveNow();
  expect(await early).toBe("1 GET /early 0");
  expect(await earlyToo).toBe("2 /early");
});

test("a client that is reset in the middle of its preface harms nobody", async () => {
  const { port } = await open();
  for (let i = 0; i < 20; i++) {
    const socket = socketTo(port);
    await once(socket, "connect");
    socket.write("PRI * HT");
    socket.resetAndDestroy();
  }
  expect(await get(port, "/fine")).toBe("1 GET /fine 0");
});

test("many connections at once are answered", async () => {
  const { port } = await open();
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? getOver(session(port), `/${i}`) : get(port, `/${i}`))),
  );
  expect(answers.every((answer, i) => answer.includes(`/${i}`))).toBe(true);
});

test("streams that are opened and reset by the thousand do not keep others waiting", async () => {
  const { port } = await open();
  for (let round = 0; round < 5; round++) {
    const attacker = session(port);
    for (let i = 0; i < 2_000 && !attacker.destroyed; i++) {
      const stream = attacker.request({ ":path": "/wait" });
      stream.on("error", () => {});
      stream.close(8);
    }
    await getOver(session(port), "/between");
  }
  const startedAt = performance.now();
  expect(await get(port, "/after")).toBe("1 GET /after 0");
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test("closing lets a request finish, ends idle connections at once, and cuts the rest after the grace", async () => {
  const { port, http1 } = await open();
  const agent = new Agent({ keepAlive: true });
  cleanups.push(() => agent.destroy());
  await get(port, "/", { agent });
  const client = session(port);
  await getOver(client, "/");
  const hanging = client.request({ ":path": "/wait" });
  hanging.on("error", () => {});
  hanging.end();
  const halfway = socketTo(port);
  await once(halfway, "connect");
  halfway.write("PRI * HTTP");
  await getOver(client, "/again");

  const startedAt = performance.now();
  await port.close(200);
  const tookMs = performance.now() - startedAt;
  expect(tookMs).toBeGreaterThan(150);
  expect(tookMs).toBeLessThan(3_000);
  await expect(get(port, "/late")).rejects.toThrow(/ECONNREFUSED/);
  expect(await new Promise((resolve) => http1.getConnections((_error, count) => resolve(count)))).toBe(0);
});

test("closing ends at once when nothing is open but idle connections", async () => {
  const { port } = await open();
  const agent = new Agent({ keepAlive: true });
  cleanups.push(() => agent.destroy());
  await get(port, "/", { agent });
  await getOver(session(port), "/");
  const startedAt = performance.now();
  await port.close(30_000);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test("a port that is taken is known at once", async () => {
  const { port } = await open();
  await expect(listen({ host: "127.0.0.1", port: port.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  const six = await listen({ host: "::1", port: 0 });
  cleanups.push(() => six.close(0));
  expect(six.url).toBe(`http://[::1]:${six.port}`);
});
