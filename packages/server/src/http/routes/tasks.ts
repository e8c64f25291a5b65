import { limits } from "@carillon/core";
import type { FastifyReply } from "fastify";
import {
  broadcastTask,
  type CreatedTask,
  cancelTask,
  createTask,
  createTasks,
  deleteTask,
  getTask,
  listAttempts,
  listLogs,
  listTasks,
  patchTask,
  replayTask,
  retryTask,
  runTaskNow,
  toLogFilter,
} from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { readIdempotency } from "../idempotency.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers, emptyBody, idempotencyHeader, noContent, optionalBody } from "../openapi.ts";
import { broadcastAnswer, broadcastBody } from "../schemas/broadcast.ts";
import {
  attemptList,
  cancelTaskBody,
  createTaskBody,
  createTasksAnswer,
  createTasksBody,
  getTaskQuery,
  listTasksQuery,
  logList,
  logsQuery,
  pageOnlyQuery,
  patchTaskBody,
  replayTaskBody,
  taskAnswer,
  taskList,
  taskParams,
} from "../schemas/tasks.ts";
import { collectionVerb, verb } from "../verb.ts";
import { followLogs } from "./follow-logs.ts";

const TASKS = "/api/v1/tasks";
const tags = ["tasks"];

export function taskRoutes(app: App, deps: RouteDeps): void {
  app.post(
    TASKS,
    {
      preValidation: readIdempotency,
      schema: {
        tags,
        operationId: "createTask",
        summary: "Create a task",
        description:
          "202: committed to disk. 200: a task with this unique key is there and is not final, or was created within the window of `uniqueFor`; that one is the answer. `replace` changes a waiting task of the same type.",
        headers: idempotencyHeader,
        body: createTaskBody,
        response: answers({ 202: taskAnswer, 200: taskAnswer }),
      },
    },
    async (request, reply) => {
      return sendCreated(reply, await createTask(deps, namespace, request.body, request.idempotency));
    },
  );

  app.post(
    collectionVerb(TASKS, "batch"),
    {
      bodyLimit: limits.batchBodyBytes,
      preValidation: readIdempotency,
      schema: {
        tags,
        operationId: "createTasks",
        summary: "Create up to 10,000 tasks, all or nothing",
        description:
          "Answers in the order sent. One invalid task: nothing is stored, and the pointers name it. Each task says for itself what a taken unique key means; one that an earlier task of the batch took is answered with that task.",
        headers: idempotencyHeader,
        body: createTasksBody,
        response: answers({ 202: createTasksAnswer }),
      },
    },
    async (request, reply) => {
      const { tasks, replayed } = await createTasks(deps, namespace, request.body.tasks, request.idempotency);
      if (replayed) reply.header("idempotent-replayed", "true");
      return reply.code(202).send({ tasks });
    },
  );

  app.post(
    collectionVerb(TASKS, "broadcast"),
    {
      preValidation: readIdempotency,
      schema: {
        tags,
        operationId: "broadcastTask",
        summary: "Run a task once on every worker that is connected now",
        description: `A task for each worker that runs the type, takes the queue and has the labels, at most ${limits.broadcastWorkers}: it requires that worker by name, and has a result of its own. Left out: one attempt, and \`startWithin\` one minute, so that a worker which has gone is not waited for.`,
        headers: idempotencyHeader,
        body: broadcastBody,
        response: answers({ 202: broadcastAnswer }),
      },
    },
    async (request, reply) => {
      const { answer, replayed } = await broadcastTask(deps, namespace, request.body, request.idempotency);
      if (replayed) reply.header("idempotent-replayed", "true");
      return reply.code(202).send(answer);
    },
  );

  app.get(
    TASKS,
    {
      schema: {
        tags,
        operationId: "listTasks",
        summary: "List tasks, newest created first",
        description: "Without payload, result and the error's stack.",
        querystring: listTasksQuery,
        response: answers({ 200: taskList }),
      },
    },
    async (request) => listTasks(deps, namespace, request.query),
  );

  app.get(
    `${TASKS}/:id`,
    {
      schema: {
        tags,
        operationId: "getTask",
        summary: "Get a task",
        params: taskParams,
        querystring: getTaskQuery,
        response: answers({ 200: taskAnswer }),
      },
    },
    async (request, reply) => {
      const waitMs = request.query.wait ?? 0;
      if (waitMs === 0) return getTask(deps, namespace, request.params.id);
      const gone = new AbortController();
      reply.raw.once("close", () => gone.abort());
      const signal = AbortSignal.any([gone.signal, deps.draining]);
      return getTask(deps, namespace, request.params.id, { waitMs, signal });
    },
  );

  app.patch(
    `${TASKS}/:id`,
    {
      schema: {
        tags,
        operationId: "patchTask",
        summary: "Change a task that is not running",
        params: taskParams,
        body: patchTaskBody,
        response: answers({ 200: taskAnswer }),
      },
    },
    async (request) => patchTask(deps, namespace, request.params.id, request.body),
  );

  app.delete(
    `${TASKS}/:id`,
    {
      schema: {
        tags,
        operationId: "deleteTask",
        summary: "Forget a final task",
        params: taskParams,
        response: answers({ 204: noContent }),
      },
    },
    async (request, reply) => {
      await deleteTask(deps, namespace, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    verb(TASKS, "id", "cancel"),
    {
      schema: {
        tags,
        operationId: "cancelTask",
        summary: "Cancel a task",
        description: "Not running: cancelled at once. Running: 202, its handler is told, and the first outcome wins.",
        params: taskParams,
        body: optionalBody(cancelTaskBody),
        response: answers({ 200: taskAnswer, 202: taskAnswer }),
      },
    },
    async (request, reply) => {
      const { task, pending } = await cancelTask(deps, namespace, request.params.id, request.body);
      return reply.code(pending ? 202 : 200).send(task);
    },
  );

  app.post(
    verb(TASKS, "id", "retry"),
    {
      schema: {
        tags,
        operationId: "retryTask",
        summary: "Run a failed, cancelled or skipped task again",
        description: "The same task, due now, with a fresh budget of attempts; earlier attempts are kept.",
        params: taskParams,
        body: emptyBody,
        response: answers({ 200: taskAnswer }),
      },
    },
    async (request) => retryTask(deps, namespace, request.params.id),
  );

  app.post(
    verb(TASKS, "id", "replay"),
    {
      preValidation: readIdempotency,
      schema: {
        tags,
        operationId: "replayTask",
        summary: "Do again what a task did, as a new task",
        description:
          "In whatever state that one is. What the body leaves out is as it was, but for the unique key, the workflow, the schedule and `after`, which the new task has none of; it is due now, and `replayOf` names the other one.",
        params: taskParams,
        headers: idempotencyHeader,
        body: optionalBody(replayTaskBody),
        response: answers({ 202: taskAnswer }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      return sendCreated(reply, await replayTask(deps, namespace, id, request.body, request.idempotency));
    },
  );

  app.post(
    verb(TASKS, "id", "run-now"),
    {
      schema: {
        tags,
        operationId: "runTaskNow",
        summary: "Make a task that is due later due now",
        params: taskParams,
        body: emptyBody,
        response: answers({ 200: taskAnswer }),
      },
    },
    async (request) => runTaskNow(deps, namespace, request.params.id),
  );

  app.get(
    `${TASKS}/:id/attempts`,
    {
      schema: {
        tags,
        operationId: "listAttempts",
        summary: "List the attempts that ended, oldest first",
        description: "The last ten are kept.",
        params: taskParams,
        querystring: pageOnlyQuery,
        response: answers({ 200: attemptList }),
      },
    },
    async (request) => listAttempts(deps, namespace, request.params.id, request.query),
  );

  app.get(
    `${TASKS}/:id/logs`,
    {
      exposeHeadRoute: false,
      schema: {
        tags,
        operationId: "listLogs",
        summary: "Read the log of a task, oldest first",
        description:
          "With `follow=1` a stream of server-sent events: each line that matches, then `end` when the task is final. `Last-Event-ID` goes on behind that line.",
        params: taskParams,
        querystring: logsQuery,
        response: answers({ 200: logList }),
      },
    },
    async (request, reply) => {
      const { follow, ...page } = request.query;
      if (follow === undefined || follow === "0" || follow === "false") {
        return listLogs(deps, namespace, request.params.id, page);
      }
      await followLogs(deps, request, reply, { namespace, filter: toLogFilter(page) });
      return reply;
    },
  );
}

export function sendCreated(reply: FastifyReply, { task, created, replayed }: CreatedTask): FastifyReply {
  if (replayed) reply.header("idempotent-replayed", "true");
  return reply
    .code(created ? 202 : 200)
    .header("location", `${TASKS}/${task.id}`)
    .send(task);
}
