/** Server-sent events over `fetch`: the display feed of changes, and a task's log lines as they come. */
import { CarillonError } from "@carillon/core/errors";
import type { HttpOptions } from "./http.ts";

export type ChangeEvent =
  | { kind: "change"; topic: string; id: string; state: string | null; at: string }
  /** Changes may have been missed: read again what matters. Also the first event of each connection. */
  | { kind: "reset" };

export interface ServerSentEvent {
  event: string;
  data: string;
}

/** One connection's events; ends when the server ends it. */
export async function* readEvents(
  { urls, apiKey, fetch }: HttpOptions,
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<ServerSentEvent> {
  const headers = { accept: "text/event-stream", ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }) };
  const response = await fetch(new URL(path, urls[0]).href, { headers, signal: signal ?? null });
  if (!response.ok || !response.body) throw new CarillonError("unavailable", { detail: `HTTP ${response.status}` });
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = parseBlock(block);
      if (event) yield event;
    }
  }
}

function parseBlock(block: string): ServerSentEvent | null {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length === 0 && event === "message" ? null : { event, data: data.join("\n") };
}
