import { CarillonError, invalid } from "@carillon/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import {
  createSchedule,
  deleteSchedule,
  foreseeSchedule,
  getSchedule,
  getScheduleStats,
  listFires,
  listSchedules,
  patchSchedule,
  pauseSchedule,
  previewFires,
  putSchedule,
  resumeSchedule,
  triggerSchedule,
} from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { readIdempotency } from "../idempotency.ts";
import { readIfMatch } from "../if-match.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers, emptyBody, idempotencyHeader, ifMatchHeader, noContent, optionalBody } from "../openapi.ts";
import { scheduleStats, scheduleStatsQuery } from "../schemas/lateness.ts";
import {
  createScheduleBody,
  fireList,
  listFiresQuery,
  listSchedulesQuery,
  patchScheduleBody,
  pauseScheduleBody,
  previewAnswer,
  previewBody,
  putScheduleBody,
  putScheduleQuery,
  type Schedule,
  scheduleAnswer,
  scheduleList,
  scheduleParams,
  triggerScheduleBody,
} from "../schemas/schedules.ts";
import { taskAnswer } from "../schemas/tasks.ts";
import { collectionVerb, verb } from "../verb.ts";
import { sendCreated } from "./tasks.ts";

const SCHEDULES = "/api/v1/schedules";
const tags = ["schedules"];

export function scheduleRoutes(app: App, deps: RouteDeps): void {
  app.post(
    SCHEDULES,
    {
      preValidation: readIdempotency,
      schema: {
        tags,
        operationId: "createSchedule",
        summary: "Create a schedule",
        headers: idempotencyHeader,
        body: createScheduleBody,
        response: answers({ 201: scheduleAnswer }),
      },
    },
    async (request, reply) => {
      const { schedule, replayed } = await createSchedule(deps, namespace, request.body, request.idempotency);
      if (replayed) reply.header("idempotent-replayed", "true");
      return sendSchedule(reply.code(201).header("location", `${SCHEDULES}/${schedule.name}`), schedule);
    },
  );

  app.put(
    `${SCHEDULES}/:name`,
    {
      schema: {
        tags,
        operationId: "putSchedule",
        summary: "Create a schedule or replace its definition",
        description:
          "What is left out is the default; an equal definition changes nothing. `If-None-Match: *` only creates.",
        params: scheduleParams,
        querystring: putScheduleQuery,
        headers: ifMatchHeader,
        body: putScheduleBody,
        response: answers({ 200: scheduleAnswer, 201: scheduleAnswer }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const expect = readIfMatch(request) ?? readIfNoneMatch(request);
      if (request.query.dryRun === "1" || request.query.dryRun === "true") {
        return reply.send(await foreseeSchedule(deps, namespace, name, request.body, expect).catch(asPrecondition));
      }
      const { schedule, created } = await putSchedule(deps, namespace, name, request.body, expect).catch(
        asPrecondition,
      );
      if (created) reply.code(201).header("location", `${SCHEDULES}/${name}`);
      return sendSchedule(reply, schedule);
    },
  );

  app.get(
    SCHEDULES,
    {
      schema: {
        tags,
        operationId: "listSchedules",
        summary: "List schedules by name",
        querystring: listSchedulesQuery,
        response: answers({ 200: scheduleList }),
      },
    },
    async (request) => listSchedules(deps, namespace, request.query),
  );

  app.get(
    `${SCHEDULES}/:name`,
    {
      schema: {
        tags,
        operationId: "getSchedule",
        summary: "Get a schedule",
        params: scheduleParams,
        response: answers({ 200: scheduleAnswer }),
      },
    },
    async (request, reply) => sendSchedule(reply, await getSchedule(deps, namespace, request.params.name)),
  );

  app.patch(
    `${SCHEDULES}/:name`,
    {
      schema: {
        tags,
        operationId: "patchSchedule",
        consumes: ["application/json", "application/merge-patch+json"],
        summary: "Change parts of a schedule",
        description: "A merge patch (RFC 7396): what is left out stays, null is the default.",
        params: scheduleParams,
        headers: ifMatchHeader,
        body: patchScheduleBody,
        response: answers({ 200: scheduleAnswer }),
      },
    },
    async (request, reply) => {
      const version = readIfMatch(request);
      return sendSchedule(reply, await patchSchedule(deps, namespace, request.params.name, request.body, version));
    },
  );

  app.delete(
    `${SCHEDULES}/:name`,
    {
      schema: {
        tags,
        operationId: "deleteSchedule",
        summary: "Delete a schedule",
        description: "Its planned tasks go with it; those that a worker has stay.",
        params: scheduleParams,
        headers: ifMatchHeader,
        response: answers({ 204: noContent }),
      },
    },
    async (request, reply) => {
      await deleteSchedule(deps, namespace, request.params.name, readIfMatch(request));
      return reply.code(204).send(null);
    },
  );

  app.post(
    verb(SCHEDULES, "name", "pause"),
    {
      schema: {
        tags,
        operationId: "pauseSchedule",
        summary: "Pause a schedule",
        description:
          "Its fires are skipped until it is resumed or `until` has come, and never caught up. To pause it again replaces reason and end, if one is given.",
        params: scheduleParams,
        body: optionalBody(pauseScheduleBody),
        response: answers({ 200: scheduleAnswer }),
      },
    },
    async (request, reply) =>
      sendSchedule(reply, await pauseSchedule(deps, namespace, request.params.name, request.body)),
  );

  app.post(
    verb(SCHEDULES, "name", "resume"),
    {
      schema: {
        tags,
        operationId: "resumeSchedule",
        summary: "Resume a schedule",
        params: scheduleParams,
        body: emptyBody,
        response: answers({ 200: scheduleAnswer }),
      },
    },
    async (request, reply) => sendSchedule(reply, await resumeSchedule(deps, namespace, request.params.name)),
  );

  app.post(
    verb(SCHEDULES, "name", "trigger"),
    {
      preValidation: readIdempotency,
      schema: {
        tags,
        operationId: "triggerSchedule",
        summary: "Create a task of this schedule now",
        description: "Beside its fires; neither pause nor overlap holds it back.",
        params: scheduleParams,
        headers: idempotencyHeader,
        body: optionalBody(triggerScheduleBody),
        response: answers({ 202: taskAnswer }),
      },
    },
    async (request, reply) => {
      return sendCreated(
        reply,
        await triggerSchedule(deps, namespace, request.params.name, request.body, request.idempotency),
      );
    },
  );

  app.get(
    `${SCHEDULES}/:name/fires`,
    {
      schema: {
        tags,
        operationId: "listFires",
        summary: "List fires and what became of them, oldest first",
        description: "Without a range the last 24 hours and the next ten.",
        params: scheduleParams,
        querystring: listFiresQuery,
        response: answers({ 200: fireList }),
      },
    },
    async (request) => listFires(deps, namespace, request.params.name, request.query),
  );

  app.get(
    `${SCHEDULES}/:name/stats`,
    {
      schema: {
        tags,
        operationId: "getScheduleStats",
        summary: "See how a schedule has done",
        description:
          "What became of its fires, how late their tasks started and how long they ran, over the last 24 hours or another window.",
        params: scheduleParams,
        querystring: scheduleStatsQuery,
        response: answers({ 200: scheduleStats }),
      },
    },
    async (request) => getScheduleStats(deps, namespace, request.params.name, request.query),
  );

  app.post(
    collectionVerb(SCHEDULES, "preview"),
    {
      schema: {
        tags,
        operationId: "previewSchedule",
        summary: "See what a rule would do",
        description: "Its words, its next fires and what may surprise. Nothing is stored.",
        body: previewBody,
        response: answers({ 200: previewAnswer }),
      },
    },
    async (request) => previewFires(deps, namespace, request.body),
  );
}

function sendSchedule(reply: FastifyReply, schedule: Schedule): FastifyReply {
  return reply.header("etag", `"${schedule.version}"`).send(schedule);
}

function readIfNoneMatch(request: FastifyRequest): "create" | undefined {
  const header = request.headers["if-none-match"];
  if (header === undefined) return undefined;
  if (header === "*") return "create";
  throw invalid("If-None-Match", "invalid_format", "Only * is understood: create, do not replace.");
}

/** What a plain create calls a conflict is a failed precondition when the client asked for it by header. */
function asPrecondition(error: unknown): never {
  if (CarillonError.is(error) && error.code === "schedule_exists") {
    throw new CarillonError("version_mismatch", { detail: error.message, cause: error });
  }
  throw error;
}
