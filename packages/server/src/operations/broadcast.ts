/** A task for each worker that is connected now: it asks for its worker by name, and shares a tag with the others. */
import { formatId, formatLabels, hasLabels, type Id, invalid, limits, WORKER_LABEL } from "@carillon/core";
import type { NewTask } from "@carillon/store";
import type { Broadcast, BroadcastAnswer } from "../http/schemas/broadcast.ts";
import type { Deps, Idempotency } from "./deps.ts";
import { insertTasks } from "./insert-tasks.ts";
import { newTask } from "./new-task.ts";
import { checkTargets } from "./targets.ts";
import { rememberAs } from "./tasks.ts";
import { connectedWorkers } from "./workers.ts";

/** A worker that is gone by then is not waited for. */
const START_WITHIN_MS = 60_000;
/** Of a run on every worker, what failed on one is seldom put right by running it there again. */
const ONCE = { maxAttempts: 1 };

export async function broadcastTask(
  deps: Deps,
  namespace: string,
  input: Broadcast,
  key: Idempotency | null = null,
): Promise<{ answer: BroadcastAnswer; replayed: boolean }> {
  checkTargets(deps, [input], () => "/payload");
  const now = deps.clock.now();
  const declared = (await deps.types.of(namespace)).get(input.type);
  const { requires = {}, tags = [], ...given } = input;
  const facts = { id: deps.ids.next(now), namespace, now, declared, trigger: "api" as const };
  const model = newTask({ retry: ONCE, startWithin: START_WITHIN_MS, ...given }, facts);
  const names = await matchingWorkers(deps, model, requires);
  const tag = `broadcast_${formatId("task", model.id).slice("task_".length)}`;
  const tasks = names.map(
    (name): NewTask => ({
      ...model,
      id: deps.ids.next(now),
      tags: [...tags, tag],
      requires: { [WORKER_LABEL]: name },
    }),
  );
  const show = (created: { id: Id }[]): BroadcastAnswer => ({
    tag,
    tasks: created.map(({ id }, index) => ({ id: formatId("task", id), worker: names[index]! })),
  });
  if (tasks.length === 0 && key === null) return { answer: show([]), replayed: false };
  const idempotency = rememberAs(namespace, key, now, (created) => JSON.stringify(show(created)));
  const answer = await insertTasks(deps, tasks, { now, idempotency });
  return answer.kind === "replayed"
    ? { answer: JSON.parse(answer.response), replayed: true }
    : { answer: show(answer.tasks), replayed: false };
}

/** Names of those that serve type and queue and have the labels, each once. */
async function matchingWorkers(
  deps: Deps,
  { namespace, type, queue }: NewTask,
  requires: NonNullable<Broadcast["requires"]>,
): Promise<string[]> {
  const workers = (await connectedWorkers(deps, namespace)).filter(
    (worker) =>
      worker.types.includes(type) &&
      worker.queues.includes(queue) &&
      hasLabels({ ...worker.labels, [WORKER_LABEL]: worker.name }, requires),
  );
  const names = [...new Set(workers.map(({ name }) => name))];
  if (names.length <= limits.broadcastWorkers) return names;
  const having = Object.keys(requires).length === 0 ? "" : ` and have ${formatLabels(requires)}`;
  throw invalid(
    "/requires",
    "too_many",
    `${names.length} workers run ${type}${having}; a broadcast reaches ${limits.broadcastWorkers} at most: ask for more labels.`,
  );
}
