import type { MemoryDatabase, TaskRow } from "./database.ts";

/** Tasks of a queue that somebody holds, in id order. */
export function heldOf(
  database: MemoryDatabase,
  { namespace, queue }: { namespace: string; queue: string },
): TaskRow[] {
  return [...database.leases.values()]
    .flatMap((ids) => [...ids].map((id) => database.tasks.get(id)!))
    .filter(({ lane }) => lane.namespace === namespace && lane.queue === queue)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}
