import { defaultPolicy, type Id } from "@carillon/core";
import type { NewTask } from "@carillon/store";

/** A task as an operation would make it: type `t` in queue `default`, due at once, the defaults for all else. */
export function newTask(id: Id, over: Partial<NewTask> & { dueAt: number }): NewTask {
  return {
    id,
    namespace: "default",
    type: "t",
    queue: "default",
    priority: 5,
    policy: defaultPolicy,
    payload: null,
    trigger: "api",
    scheduleId: null,
    fireAt: null,
    uniqueKey: null,
    tags: [],
    replayOf: null,
    ...over,
  };
}
