import type { FastifyReply } from "fastify";
import { getQueue, listQueues, patchQueue, pauseQueue, putQueue, resumeQueue } from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { readIfMatch } from "../if-match.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers, emptyBody, ifMatchHeader, optionalBody } from "../openapi.ts";
import {
  listQueuesQuery,
  patchQueueBody,
  pauseQueueBody,
  putQueueBody,
  type Queue,
  queueAnswer,
  queueList,
  queueParams,
} from "../schemas/queues.ts";
import { verb } from "../verb.ts";

const QUEUES = "/api/v1/queues";
const tags = ["queues"];

export function queueRoutes(app: App, deps: RouteDeps): void {
  app.get(
    QUEUES,
    {
      schema: {
        tags,
        operationId: "listQueues",
        summary: "List queues by name",
        description: "Those that tasks were created in, and those that something was set on.",
        querystring: listQueuesQuery,
        response: answers({ 200: queueList }),
      },
    },
    async (request) => listQueues(deps, namespace, request.query),
  );

  app.get(
    `${QUEUES}/:name`,
    {
      schema: {
        tags,
        operationId: "getQueue",
        summary: "Get what a queue allows, and whether it is paused",
        description: "Queues exist by being used: one that nobody has set anything on has no limits, and version 0.",
        params: queueParams,
        response: answers({ 200: queueAnswer }),
      },
    },
    async (request, reply) => sendQueue(reply, await getQueue(deps, namespace, request.params.name)),
  );

  app.put(
    `${QUEUES}/:name`,
    {
      schema: {
        tags,
        operationId: "putQueue",
        summary: "Set what a queue allows",
        description:
          "What is left out has no limit; `paused` stays as it is. Equal settings change nothing. Limits hold over all nodes and workers; lower ones let what runs end.",
        params: queueParams,
        headers: ifMatchHeader,
        body: putQueueBody,
        response: answers({ 200: queueAnswer }),
      },
    },
    async (request, reply) =>
      sendQueue(reply, await putQueue(deps, namespace, request.params.name, request.body, readIfMatch(request))),
  );

  app.patch(
    `${QUEUES}/:name`,
    {
      schema: {
        tags,
        operationId: "patchQueue",
        consumes: ["application/json", "application/merge-patch+json"],
        summary: "Change parts of what a queue allows",
        description: "A merge patch (RFC 7396): what is left out stays, null is no limit.",
        params: queueParams,
        headers: ifMatchHeader,
        body: patchQueueBody,
        response: answers({ 200: queueAnswer }),
      },
    },
    async (request, reply) =>
      sendQueue(reply, await patchQueue(deps, namespace, request.params.name, request.body, readIfMatch(request))),
  );

  app.post(
    verb(QUEUES, "name", "pause"),
    {
      schema: {
        tags,
        operationId: "pauseQueue",
        summary: "Pause a queue",
        description:
          "Nothing starts in it until it is resumed; what runs goes on, and new tasks wait. To pause it again replaces the reason, if one is given.",
        params: queueParams,
        body: optionalBody(pauseQueueBody),
        response: answers({ 200: queueAnswer }),
      },
    },
    async (request, reply) => sendQueue(reply, await pauseQueue(deps, namespace, request.params.name, request.body)),
  );

  app.post(
    verb(QUEUES, "name", "resume"),
    {
      schema: {
        tags,
        operationId: "resumeQueue",
        summary: "Resume a queue",
        params: queueParams,
        body: emptyBody,
        response: answers({ 200: queueAnswer }),
      },
    },
    async (request, reply) => sendQueue(reply, await resumeQueue(deps, namespace, request.params.name)),
  );
}

function sendQueue(reply: FastifyReply, queue: Queue): FastifyReply {
  return reply.header("etag", `"${queue.version}"`).send(queue);
}
