/** Server-sent events over `fetch`: the display feed of changes, and a task's log lines as they come. */
import { delay } from "@carillon/core/clock";
import { CarillonError } from "@carillon/core/errors";
import { type HttpOptions, open, ROUNDS } from "./http.ts";
import { processClock } from "./process-clock.ts";

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;

export type ChangeEvent =
  | { kind: "change"; topic: string; id: string; state: string | null; at: string }
  /** Changes may have been missed: read again what matters. Also the first event of each connection. */
  | { kind: "reset" };

export interface ServerSentEvent {
  event: string;
  data: string;
}

/**
 * The events of a path. Comes back after a cut, behind the last event that had an id, until the signal fires (then it ends). Throws when
 * the node refuses, and when none could be reached in the first place.
 */
export async function* followEvents(
  options: HttpOptions,
  path: string,
  { query, signal }: { query?: Record<string, string>; signal?: AbortSignal | undefined } = {},
): AsyncGenerator<ServerSentEvent> {
  let lastId = "";
  let opened = false;
  for (let failures = 0; !signal?.aborted; ) {
    try {
      const headers = lastId === "" ? {} : { "last-event-id": lastId };
      const response = await open(options, {
        method: "GET",
        path,
        headers,
        signal,
        accept: "text/event-stream",
        ...(query === undefined ? {} : { query }),
      });
      opened = true;
      for await (const { id, ...event } of readStream(response)) {
        failures = 0;
        if (id !== null) lastId = id;
        yield event;
      }
    } catch (error) {
      if (signal?.aborted) return;
      const lastTry = !opened && failures + 1 >= ROUNDS * options.urls.length;
      if (lastTry || !CarillonError.from(error).retryable) throw error;
    }
    failures++;
    const longestMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
    await delay(processClock(), longestMs * (0.5 + Math.random() / 2), signal);
  }
}

async function* readStream(response: Response): AsyncGenerator<ServerSentEvent & { id: string | null }> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split(/\r?\n\r?\n/);
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = parseBlock(block);
        if (event) yield event;
      }
    }
  } catch (cause) {
    throw new CarillonError("unavailable", { detail: "the stream broke off", cause });
  }
}

/** Null for comments and the like, which carry no data. */
function parseBlock(block: string): (ServerSentEvent & { id: string | null }) | null {
  let event = "message";
  let id: string | null = null;
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value = ""] = /^([a-z]+):? ?(.*)$/.exec(line) ?? [];
    if (field === "event") event = value;
    else if (field === "id") id = value;
    else if (field === "data") data.push(value);
  }
  return data.length === 0 ? null : { event, id, data: data.join("\n") };
}
