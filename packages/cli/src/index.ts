/** The whole scheduler inside an application, with everything of `@carillon/client`. */
import { httpTask } from "@carillon/server";

export * from "@carillon/client";
export { type CarillonNode, httpTask, type NodeOptions, startNode } from "@carillon/server";
export { type CommandPayload, type CommandResult, commandTask } from "./command-task.ts";

/** The type `http` for public addresses only; `httpTask(allow)` lets it reach others too. */
export const http = httpTask([]);
