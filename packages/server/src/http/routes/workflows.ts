import { limits } from "@carillon/core";
import {
  addToWorkflow,
  cancelWorkflow,
  createWorkflow,
  getWorkflow,
  listWorkflows,
  retryWorkflow,
} from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { readIdempotency } from "../idempotency.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers, idempotencyHeader, optionalBody } from "../openapi.ts";
import {
  addToWorkflowBody,
  cancelWorkflowBody,
  createWorkflowBody,
  listWorkflowsQuery,
  retryWorkflowBody,
  workflowAnswer,
  workflowList,
  workflowParams,
  workflowSummary,
} from "../schemas/workflows.ts";
import { verb } from "../verb.ts";

const WORKFLOWS = "/api/v1/workflows";
const tags = ["workflows"];

export function workflowRoutes(app: App, deps: RouteDeps): void {
  app.post(
    WORKFLOWS,
    {
      bodyLimit: limits.batchBodyBytes,
      preValidation: readIdempotency,
      schema: {
        tags,
        operationId: "createWorkflow",
        summary: "Create up to 10,000 tasks that come after one another, all or nothing",
        description:
          "Tasks name each other by key. Unknown keys and cycles are refused; at most 1,000 tasks may come directly before one, and a workflow has at most 100,000 edges.",
        headers: idempotencyHeader,
        body: createWorkflowBody,
        response: answers({ 202: workflowSummary }),
      },
    },
    async (request, reply) => {
      const { workflow, replayed } = await createWorkflow(deps, namespace, request.body, request.idempotency);
      if (replayed) reply.header("idempotent-replayed", "true");
      return reply.code(202).header("location", `${WORKFLOWS}/${workflow.id}`).send(workflow);
    },
  );

  app.get(
    WORKFLOWS,
    {
      schema: {
        tags,
        operationId: "listWorkflows",
        summary: "List workflows, newest created first",
        querystring: listWorkflowsQuery,
        response: answers({ 200: workflowList }),
      },
    },
    async (request) => listWorkflows(deps, namespace, request.query),
  );

  app.get(
    `${WORKFLOWS}/:id`,
    {
      schema: {
        tags,
        operationId: "getWorkflow",
        summary: "Get a workflow with the graph and states of its tasks",
        params: workflowParams,
        response: answers({ 200: workflowAnswer }),
      },
    },
    async (request) => getWorkflow(deps, namespace, request.params.id),
  );

  app.post(
    verb(WORKFLOWS, "id", "add"),
    {
      bodyLimit: limits.batchBodyBytes,
      schema: {
        tags,
        operationId: "addToWorkflow",
        summary: "Add tasks to a workflow that runs, all or nothing",
        description:
          "Fan-out: a task adds others with itself as `parent`, and what comes after it waits for them too. A key that the workflow has is kept as it is, so that this may be repeated. The workflow has at most 10,000 tasks and 100,000 edges in all, and at most 1,000 tasks may come directly before one. Refused with 409 once it has ended or is being cancelled.",
        params: workflowParams,
        body: addToWorkflowBody,
        response: answers({ 202: workflowSummary }),
      },
    },
    async (request, reply) =>
      reply.code(202).send(await addToWorkflow(deps, namespace, request.params.id, request.body)),
  );

  app.post(
    verb(WORKFLOWS, "id", "cancel"),
    {
      schema: {
        tags,
        operationId: "cancelWorkflow",
        summary: "Cancel a workflow",
        description:
          "In the background: its tasks are cancelled, those that run are told to stop. It has ended when all of them have.",
        params: workflowParams,
        body: optionalBody(cancelWorkflowBody),
        response: answers({ 202: workflowSummary }),
      },
    },
    async (request, reply) =>
      reply.code(202).send(await cancelWorkflow(deps, namespace, request.params.id, request.body)),
  );

  app.post(
    verb(WORKFLOWS, "id", "retry"),
    {
      schema: {
        tags,
        operationId: "retryWorkflow",
        summary: "Run what did not succeed again",
        description:
          "Tasks that failed, were cancelled or were skipped, in their order and with fresh budgets; those that succeeded keep their results. One whose condition cannot become true stays as it is.",
        params: workflowParams,
        body: optionalBody(retryWorkflowBody),
        response: answers({ 200: workflowSummary }),
      },
    },
    async (request) => retryWorkflow(deps, namespace, request.params.id, request.body),
  );
}
