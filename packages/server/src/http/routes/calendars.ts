import { deleteCalendar, foreseeCalendar, getCalendar, listCalendars, putCalendar } from "../../operations/index.ts";
import type { App, RouteDeps } from "../deps.ts";
import { DEFAULT_NAMESPACE as namespace } from "../namespace.ts";
import { answers, noContent } from "../openapi.ts";
import {
  calendarAnswer,
  calendarList,
  calendarParams,
  listCalendarsQuery,
  putCalendarBody,
  putCalendarQuery,
} from "../schemas/calendars.ts";

const CALENDARS = "/api/v1/calendars";
const tags = ["calendars"];

export function calendarRoutes(app: App, deps: RouteDeps): void {
  app.put(
    `${CALENDARS}/:name`,
    {
      schema: {
        tags,
        operationId: "putCalendar",
        summary: "Create a calendar or replace it",
        description:
          "Schedules that exclude or include it follow from then on, as after a change of their own. An equal calendar changes nothing.",
        params: calendarParams,
        querystring: putCalendarQuery,
        body: putCalendarBody,
        response: answers({ 200: calendarAnswer, 201: calendarAnswer }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { dryRun } = request.query;
      if (dryRun === "1" || dryRun === "true") return foreseeCalendar(deps, namespace, name, request.body);
      const { calendar, created } = await putCalendar(deps, namespace, name, request.body);
      if (created) reply.code(201).header("location", `${CALENDARS}/${name}`);
      return reply.send(calendar);
    },
  );

  app.get(
    CALENDARS,
    {
      schema: {
        tags,
        operationId: "listCalendars",
        summary: "List calendars by name",
        description: "Without `ics`.",
        querystring: listCalendarsQuery,
        response: answers({ 200: calendarList }),
      },
    },
    async (request) => listCalendars(deps, namespace, request.query),
  );

  app.get(
    `${CALENDARS}/:name`,
    {
      schema: {
        tags,
        operationId: "getCalendar",
        summary: "Get a calendar",
        params: calendarParams,
        response: answers({ 200: calendarAnswer }),
      },
    },
    async (request) => getCalendar(deps, namespace, request.params.name),
  );

  app.delete(
    `${CALENDARS}/:name`,
    {
      schema: {
        tags,
        operationId: "deleteCalendar",
        summary: "Delete a calendar that no schedule uses",
        params: calendarParams,
        response: answers({ 204: noContent }),
      },
    },
    async (request, reply) => {
      await deleteCalendar(deps, namespace, request.params.name);
      return reply.code(204).send(null);
    },
  );
}
