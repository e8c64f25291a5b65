import { backfillSchedule, bulkTasks, cancelOperation, getOperation, listOperations } from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { readIdempotency } from "../idempotency.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers, emptyBody, idempotencyHeader } from "../openapi.ts";
import { bulkCount, bulkTasksBody } from "../schemas/bulk.ts";
import {
  backfillBody,
  listOperationsQuery,
  operationAnswer,
  operationList,
  operationParams,
} from "../schemas/operations.ts";
import { scheduleParams } from "../schemas/schedules.ts";
import { collectionVerb, verb } from "../verb.ts";

const OPERATIONS = "/api/v1/operations";
const tags = ["operations"];

export function operationRoutes(app: App, deps: RouteDeps): void {
  app.post(
    verb("/api/v1/schedules", "name", "backfill"),
    {
      preValidation: readIdempotency,
      schema: {
        tags: ["schedules"],
        operationId: "backfillSchedule",
        summary: "Create the tasks of past fires that have none",
        description:
          "In the background, by the schedule as it is now, a few at a time; the answer is an operation that counts them.",
        params: scheduleParams,
        headers: idempotencyHeader,
        body: backfillBody,
        response: answers({ 202: operationAnswer }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { operation, replayed } = await backfillSchedule(deps, namespace, name, request.body, request.idempotency);
      if (replayed) reply.header("idempotent-replayed", "true");
      return reply.code(202).header("location", `${OPERATIONS}/${operation.id}`).send(operation);
    },
  );

  app.post(
    collectionVerb("/api/v1/tasks", "bulk"),
    {
      preValidation: readIdempotency,
      schema: {
        tags: ["tasks"],
        operationId: "bulkTasks",
        summary: "Cancel, retry or hurry all tasks that match, or change their priority",
        description:
          "In the background, the newest first; the answer is an operation that counts them. A task that has changed before its turn comes is left alone. `dryRun`: 200, and nothing but their number.",
        headers: idempotencyHeader,
        body: bulkTasksBody,
        response: answers({ 202: operationAnswer, 200: bulkCount }),
      },
    },
    async (request, reply) => {
      const answer = await bulkTasks(deps, namespace, request.body, request.idempotency);
      if (!("operation" in answer)) return reply.code(200).send(answer);
      const { operation, replayed } = answer;
      if (replayed) reply.header("idempotent-replayed", "true");
      return reply.code(202).header("location", `${OPERATIONS}/${operation.id}`).send(operation);
    },
  );

  app.get(
    OPERATIONS,
    {
      schema: {
        tags,
        operationId: "listOperations",
        summary: "List operations, newest first",
        querystring: listOperationsQuery,
        response: answers({ 200: operationList }),
      },
    },
    async (request) => listOperations(deps, namespace, request.query),
  );

  app.get(
    `${OPERATIONS}/:id`,
    {
      schema: {
        tags,
        operationId: "getOperation",
        summary: "Get an operation",
        params: operationParams,
        response: answers({ 200: operationAnswer }),
      },
    },
    async (request) => getOperation(deps, namespace, request.params.id),
  );

  app.post(
    verb(OPERATIONS, "id", "cancel"),
    {
      schema: {
        tags,
        operationId: "cancelOperation",
        summary: "Cancel an operation",
        description: "It stops where it is; what it has done stays.",
        params: operationParams,
        body: emptyBody,
        response: answers({ 200: operationAnswer }),
      },
    },
    async (request) => cancelOperation(deps, namespace, request.params.id),
  );
}
