/** The whole scheduler inside an application, with everything of `@carillon/client`. */
export * from "@carillon/client";
export { type CarillonNode, httpTask, type NodeOptions, startNode } from "@carillon/server";
export { type CommandPayload, type CommandResult, commandTask } from "./command-task.ts";
