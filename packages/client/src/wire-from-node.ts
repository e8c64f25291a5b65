/** What a node says, in protobuf and back. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Task, type TaskSchema, type WorkResponse, WorkResponseSchema } from "@carillon/proto";
import type { AssignedTask, NodeMessage } from "./protocol.ts";
import { readRef } from "./wire-from-worker.ts";

export function toWorkResponse(message: NodeMessage): WorkResponse {
  return create(WorkResponseSchema, { message: responseInit(message) });
}

function responseInit(message: NodeMessage): NonNullable<MessageInitShape<typeof WorkResponseSchema>["message"]> {
  switch (message.kind) {
    case "welcome":
      return { case: "welcome", value: { node: message.node, nodes: message.nodes, now: message.now } };
    case "tasks": {
      return { case: "tasks", value: { tasks: message.tasks.map(taskInit) } };
    }
    case "recorded":
      return { case: "recorded", value: { outcomes: message.outcomes } };
    case "cancels":
      return {
        case: "cancels",
        value: { cancels: message.cancels.map((cancel) => ({ ...cancel, reason: cancel.reason ?? "" })) },
      };
    case "pong":
      return { case: "pong", value: {} };
    case "lost":
      return { case: "lost", value: { tasks: message.tasks } };
    case "go-elsewhere":
      return { case: "goElsewhere", value: { nodes: message.nodes } };
  }
}

/** Field by field: a copy of which fields are then replaced costs several microseconds. */
function taskInit(task: AssignedTask): MessageInitShape<typeof TaskSchema> {
  const init: MessageInitShape<typeof TaskSchema> = {
    id: task.id,
    token: task.token,
    namespace: task.namespace,
    type: task.type,
    queue: task.queue,
    payload: task.payload ?? "",
    attempt: task.attempt,
    dueAt: task.dueAt,
    fireAt: task.fireAt ?? 0,
    schedule: task.schedule ?? "",
    parents: task.parents ?? "",
    timeoutMs: BigInt(Math.round(task.timeoutMs)),
  };
  if (task.workflow !== undefined) init.workflow = task.workflow;
  return init;
}

/** Null for a message of a newer version, which is ignored. */
export function fromWorkResponse({ message }: WorkResponse): NodeMessage | null {
  switch (message.case) {
    case "welcome": {
      const { node, nodes, now } = message.value;
      return { kind: "welcome", node, nodes, now };
    }
    case "tasks":
      return { kind: "tasks", tasks: message.value.tasks.map(readTask) };
    case "recorded":
      return {
        kind: "recorded",
        outcomes: message.value.outcomes.map(({ id, token, accepted }) => ({ id, token, accepted })),
      };
    case "cancels":
      return {
        kind: "cancels",
        cancels: message.value.cancels.map(({ id, token, reason }) => ({
          id,
          token,
          reason: reason === "" ? null : reason,
        })),
      };
    case "pong":
      return { kind: "pong" };
    case "lost":
      return { kind: "lost", tasks: message.value.tasks.map(readRef) };
    case "goElsewhere":
      return { kind: "go-elsewhere", nodes: message.value.nodes };
    default:
      return null;
  }
}

function readTask(task: Task): AssignedTask {
  const { workflow } = task;
  const assigned: AssignedTask = {
    id: task.id,
    token: task.token,
    namespace: task.namespace,
    type: task.type,
    queue: task.queue,
    payload: task.payload === "" ? null : task.payload,
    attempt: task.attempt,
    dueAt: task.dueAt,
    fireAt: task.fireAt === 0 ? null : task.fireAt,
    schedule: task.schedule === "" ? null : task.schedule,
    timeoutMs: Number(task.timeoutMs),
  };
  if (task.parents !== "") assigned.parents = task.parents;
  if (workflow) assigned.workflow = { id: workflow.id, key: workflow.key };
  return assigned;
}
