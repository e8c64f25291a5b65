/** Tasks for past fires of a schedule: what is asked for, and how its pages become tasks. */
import {
  type Clock,
  firesBetween,
  formatDuration,
  type Id,
  type IdSource,
  invalid,
  limits,
  nextBackfillPage,
  type Backfill as Range,
  type TaskPolicy,
} from "@carillon/core";
import type { BackfillPage, NewTask, OperationRecord, ScheduleSummary } from "@carillon/store";
import type { Backfill } from "../http/schemas/operations.ts";
import { requiring, settle } from "./new-task.ts";

/** Kept with the operation: later changes of the schedule, of its calendars and of what workers declare leave it as it is. */
export interface BackfillRequest extends Range {
  version: number;
  task: Pick<
    NewTask,
    "type" | "queue" | "priority" | "payload" | "concurrencyKey" | "fairKey" | "tags" | "requires"
  > & { policy: TaskPolicy };
}

export function toBackfillRequest(
  { definition, calendars, version }: ScheduleSummary,
  { from, to }: Backfill,
  declared: Parameters<typeof settle>[1],
): BackfillRequest {
  const { type, priority, payload, concurrencyKey, fairKey, tags, requires } = definition.task;
  const keys = {
    ...(concurrencyKey === undefined ? {} : { concurrencyKey }),
    ...(fairKey === undefined ? {} : { fairKey }),
  };
  const task = { type, ...settle(definition.task, declared), priority, payload, ...keys, tags, ...requiring(requires) };
  return { rule: definition.rule, calendars, from, to, version, task };
}

export const readBackfillRequest = ({ request }: OperationRecord): BackfillRequest => JSON.parse(request);

/** Throws `invalid_request` for a range that is not past, or too much. */
export async function countBackfill(range: Range, clock: Clock): Promise<number> {
  const { rule, calendars, from, to } = range;
  if (to > clock.now()) throw invalid("/to", "not_past", "Only past fires are backfilled: `to` is at most now.");
  if (to - from > limits.backfillMs)
    throw invalid("/from", "out_of_range", `At most ${formatDuration(limits.backfillMs)} before \`to\`.`);
  let count = 0;
  for (let after = from - 1; ; ) {
    const turn = firesBetween(rule, after, to - 1, FIRES_A_TURN, calendars);
    count += turn.length;
    if (count > limits.backfillFires)
      throw invalid("/from", "too_many_fires", `At most ${limits.backfillFires} fires: take a shorter range.`);
    if (turn.length < FIRES_A_TURN) return count;
    after = turn.at(-1)!;
    // Others have their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
const FIRES_A_TURN = 500;

/** @param room how many more tasks may be under way */
export function backfillPage(
  operation: OperationRecord,
  { now, room, ids }: { now: number; room: number; ids: IdSource },
): Omit<BackfillPage, "nextAt"> {
  const request = readBackfillRequest(operation);
  const after = operation.cursor === null ? null : Number(operation.cursor);
  const { fires, finished } = nextBackfillPage(request, { after, room });
  return {
    fires: fires.map((fireAt) => {
      const task = fireTask(operation, request, { id: ids.next(now), fireAt, now });
      return { fireAt, version: request.version, task };
    }),
    cursor: fires.length > 0 ? String(fires.at(-1)) : operation.cursor,
    finished,
  };
}

/** Due now, not at its fire: among what waits it stands behind what was there before. */
function fireTask(
  { namespace, scheduleId }: OperationRecord,
  { task }: BackfillRequest,
  { id, fireAt, now }: { id: Id; fireAt: number; now: number },
): NewTask {
  return {
    ...task,
    id,
    namespace,
    dueAt: now,
    trigger: "backfill",
    scheduleId,
    fireAt,
    uniqueKey: null,
    replayOf: null,
  };
}
