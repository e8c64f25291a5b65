import { explainSchedule, explainTask, scheduleLoad } from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers } from "../openapi.ts";
import { explainScheduleQuery, explanationAnswer, scheduleLoadAnswer, scheduleLoadQuery } from "../schemas/outlook.ts";
import { scheduleParams } from "../schemas/schedules.ts";
import { taskParams } from "../schemas/tasks.ts";
import { collectionVerb } from "../verb.ts";

const SCHEDULES = "/api/v1/schedules";
const tags = ["schedules"];

export function outlookRoutes(app: App, deps: RouteDeps): void {
  app.get(
    "/api/v1/tasks/:id/explain",
    {
      schema: {
        tags: ["tasks"],
        operationId: "explainTask",
        summary: "See why a task does not run, or what became of it",
        description:
          "In one sentence and its reasons: due later, waiting for others, no worker for its type or queue, no free slot, what waits beside it, when it is tried again. What workers do is as nodes knew it up to five seconds ago.",
        params: taskParams,
        response: answers({ 200: explanationAnswer }),
      },
    },
    async (request) => explainTask(deps, namespace, request.params.id),
  );

  app.get(
    `${SCHEDULES}/:name/explain`,
    {
      schema: {
        tags,
        operationId: "explainSchedule",
        summary: "See why it fired as it did at an instant, or what will happen then",
        description:
          "In one sentence and its reasons: late, skipped, missed, withdrawn, expected, paused, ended, or no fire at all.",
        params: scheduleParams,
        querystring: explainScheduleQuery,
        response: answers({ 200: explanationAnswer }),
      },
    },
    async (request) => explainSchedule(deps, namespace, request.params.name, request.query),
  );

  app.get(
    collectionVerb(SCHEDULES, "load"),
    {
      schema: {
        tags,
        operationId: "getScheduleLoad",
        summary: "See how many fires of all schedules come, step by step",
        description:
          "By the rules as they are now: 1,440 minutes from now by default. With the peaks, and a jitter that would spread them.",
        querystring: scheduleLoadQuery,
        response: answers({ 200: scheduleLoadAnswer }),
      },
    },
    async (request) => scheduleLoad(deps, namespace, request.query),
  );
}
