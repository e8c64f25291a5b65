/** The log of a task as it grows: every line once, in order, until the task is final and its last lines have arrived. */
import { delay, invalid, isFinal, type LogFilter, matchesLog } from "@carillon/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import { getTask, readTaskId } from "../../operations/index.ts";
import { toLogLine } from "../../operations/views.ts";
import type { RouteDeps } from "../deps.ts";

const POLL_MS = 500;
const PAGE = 200;

export async function followLogs(
  deps: RouteDeps,
  request: FastifyRequest<{ Params: { id: string } }>,
  reply: FastifyReply,
  { namespace, filter = {} }: { namespace: string; filter?: LogFilter | undefined },
): Promise<void> {
  const { store, clock } = deps;
  const id = readTaskId(request.params.id);
  await getTask(deps, namespace, request.params.id);
  let skip = linesSeen(request.headers["last-event-id"]);
  const stream = deps.openStream(reply);
  /** The beginning of the page that may still grow, and what was sent of it. */
  let after: string | null = null;
  let sentOfPage = 0;
  let count = 0;

  const sendNewLines = async () => {
    for (;;) {
      const page = await store.taskLogs(namespace, id, { pageSize: PAGE, after });
      for (const line of page.items.slice(sentOfPage)) {
        count++;
        if (skip > 0) skip--;
        else if (matchesLog(line, filter)) stream.send({ id: String(count), data: toLogLine(line) });
      }
      sentOfPage = page.next === null ? Math.max(sentOfPage, page.items.length) : 0;
      if (page.next === null || stream.closed.aborted) return;
      after = page.next;
    }
  };

  try {
    // Lines of the last moment may be written just after the outcome: a final task is read once more.
    for (let final = false; !stream.closed.aborted; ) {
      const wasFinal = final;
      const record = await store.getTask(namespace, id);
      final = record === null || isFinal(record.state);
      await sendNewLines();
      if (wasFinal && final) {
        stream.send({ name: "end", data: { state: record?.state ?? null } });
        break;
      }
      await delay(clock, POLL_MS, stream.closed);
    }
  } catch (error) {
    // The store is away: the reader comes back by itself.
    deps.log.debug({ err: error, requestId: request.id }, "log stream ended");
  }
  stream.end();
}

function linesSeen(header: string | string[] | undefined): number {
  if (header === undefined || header === "") return 0;
  if (typeof header === "string" && /^\d{1,9}$/.test(header)) return Number(header);
  throw invalid("Last-Event-ID", "invalid_format", "The id of an event of this stream.");
}
