/** `GET /api/v1/events`: what changed on any node, coalesced, for screens. */
import { z } from "zod";
import { type Change, type Topic, topics } from "../../feed.ts";
import type { App, RouteDeps } from "../deps.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers, textAnswer } from "../openapi.ts";
import { queryList } from "../schemas/common.ts";
import type { EventStream } from "../sse.ts";

const FLUSH_MS = 250;
/** More changes than this between two flushes: the screen reads again instead. */
const MAX_PENDING = 500;

export function eventRoutes(app: App, deps: RouteDeps): void {
  app.get(
    "/api/v1/events",
    {
      exposeHeadRoute: false,
      schema: {
        tags: ["events"],
        operationId: "followEvents",
        summary: "Follow what changes, as server-sent events",
        description:
          "`change` events hold `{topic, id, state, at}`; `reset` means: read again. The first event is `reset`. A display feed: under load changes of the same thing are merged.",
        querystring: z.strictObject({
          topics: queryList(z.enum(topics))
            .meta({ description: "`tasks`, `schedules`, `queues`; all by default." })
            .optional(),
        }),
        response: answers({ 200: textAnswer("text/event-stream", "Events until either side leaves") }),
      },
    },
    async (request, reply) => {
      followChanges(deps, deps.openStream(reply), request.query.topics ?? topics);
      return reply;
    },
  );
}

function followChanges({ feed, clock }: RouteDeps, stream: EventStream, wanted: readonly Topic[]): void {
  const pending = new Map<string, Change>();
  let reset = true;
  let cancelFlush: (() => void) | null = null;

  const flush = () => {
    cancelFlush = null;
    if (reset) stream.send({ name: "reset", data: {} });
    else for (const change of pending.values()) stream.send({ name: "change", data: change });
    pending.clear();
    reset = false;
  };
  const stop = feed.subscribe(namespace, wanted, (change) => {
    if (change === "reset" || pending.size >= MAX_PENDING) reset = true;
    else pending.set(`${change.topic} ${change.id}`, change);
    cancelFlush ??= clock.after(FLUSH_MS, flush);
  });
  stream.closed.addEventListener("abort", () => {
    stop();
    cancelFlush?.();
  });
  flush();
}
