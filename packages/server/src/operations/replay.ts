/** A new task that does again what another one did, with another payload if need be. */
import type { NewTask } from "@carillon/store";
import type { ReplayTask } from "../http/schemas/tasks.ts";
import type { Deps, Idempotency } from "./deps.ts";
import { completeRetry, policyOf, requiring } from "./new-task.ts";
import { type CreatedTask, checkPayload, findTask, insertOne } from "./tasks.ts";

/**
 * What is left out is as it was, but for what made that task one of a kind: its unique key, its workflow, its schedule and the tasks it came
 * after. It is due now. The other one may be in any state, and stays as it is.
 */
export async function replayTask(
  deps: Deps,
  namespace: string,
  text: string,
  input: ReplayTask = {},
  idempotency: Idempotency | null = null,
): Promise<CreatedTask> {
  const original = await findTask(deps, namespace, text);
  const { type, policy } = original;
  const payload = input.payload === undefined ? original.payload : input.payload;
  checkPayload(deps, type, payload);
  const now = deps.clock.now();
  const task: NewTask = {
    id: deps.ids.next(now),
    namespace,
    type,
    queue: input.queue ?? original.queue,
    priority: input.priority ?? original.priority,
    dueAt: input.dueAt ?? now + (input.delay ?? 0),
    policy: policyOf(completeRetry(input.retry, policy.retry), input.timeout ?? policy.timeoutMs, {
      startWithinMs: input.startWithin ?? policy.startWithinMs,
      finishWithinMs: input.finishWithin ?? policy.finishWithinMs,
    }),
    payload,
    trigger: "api",
    scheduleId: null,
    fireAt: null,
    uniqueKey: null,
    concurrencyKey: input.concurrencyKey ?? original.concurrencyKey,
    fairKey: input.fairKey ?? original.fairKey,
    tags: input.tags ?? original.tags,
    replayOf: original.id,
    ...requiring(input.requires ?? original.requires),
  };
  return insertOne(deps, task, { now, uniquePolicy: "keep", idempotency, scheduleName: null });
}
