/** A small HTTP server that answers as a test says, and remembers what it was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface Asked {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage["headers"];
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  body: any;
  response: ServerResponse;
}

export type Answer =
  | { status?: number; headers?: Record<string, string>; body?: unknown }
  | "reset"
  | "hang"
  | "handled";

export async function serve(
  answer: (asked: Asked, count: number) => Answer | Promise<Answer>,
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const url = new URL(request.url ?? "", "http://x");
    const each: Asked = {
      method: request.method ?? "",
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: text === "" ? undefined : JSON.parse(text),
      response,
    };
    asked.push(each);
    const given = await answer(each, asked.length);
    if (given === "reset") request.socket.resetAndDestroy();
    else if (typeof given === "object") {
      const { status = 200, headers = {}, body = {} } = given;
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(typeof body === "string" ? body : status === 204 ? undefined : JSON.stringify(body));
    }
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

export const problem = (
  status: number,
  code: string,
  over: object = {},
  headers: Record<string, string> = {},
): Answer => ({
  status,
  headers: { "content-type": "application/problem+json", ...headers },
  body: { type: `/docs/errors#${code}`, title: code, status, code, detail: `about ${code}`, errors: [], ...over },
});

/** An address at which nobody listens. */
export async function nowhere(): Promise<string> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}
