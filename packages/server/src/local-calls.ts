/** The short way of a node's own client: the checks and the operations of the REST API, without a request and an answer around them. */
import type { LocalCalls } from "@carillon/client";
import { parseRequest } from "./http/field-errors.ts";
import { parseJson } from "./http/json.ts";
import { DEFAULT_NAMESPACE } from "./http/namespace.ts";
import { createTaskBody, createTasksBody } from "./http/schemas/tasks.ts";
import { createTasks, type Deps } from "./operations/index.ts";

export function localCalls(deps: Deps): LocalCalls {
  return {
    async createTask(body) {
      const { tasks } = await createTasks(deps, DEFAULT_NAMESPACE, [parseRequest(createTaskBody, asSent(body))]);
      return tasks[0]!;
    },
    async createTasks(body) {
      const { tasks } = parseRequest(createTasksBody, asSent(body));
      return (await createTasks(deps, DEFAULT_NAMESPACE, tasks)).tasks;
    },
  };
}

/** What would have arrived: dates as text, nothing where there was `undefined`. */
const asSent = (body: unknown): unknown => parseJson(Buffer.from(JSON.stringify(body)));
