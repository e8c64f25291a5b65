/** What goes on in the background for somebody: begun, looked at, cancelled. A loop does the work, on any node. */
import { CarillonError, formatId, formatInstant, type Id, limits, parseId } from "@carillon/core";
import type { NewOperation, OperationRecord } from "@carillon/store";
import type { BulkTasks } from "../http/schemas/bulk.ts";
import type { Backfill, ListOperations, OperationAnswer } from "../http/schemas/operations.ts";
import { countBackfill, toBackfillRequest } from "./backfill.ts";
import { countBulk, nameOf, readBulkRequest, toBulkRequest } from "./bulk.ts";
import { type Deps, IDEMPOTENCY_TTL_MS, type Idempotency } from "./deps.ts";
import { insertTasks } from "./insert-tasks.ts";
import { readPageToken, writePageToken } from "./page-token.ts";
import { findSchedule } from "./schedules.ts";

/** A task for each past fire of the range that has none. */
export async function backfillSchedule(
  deps: Deps,
  namespace: string,
  name: string,
  input: Backfill,
  key: Idempotency | null = null,
): Promise<BegunOperation> {
  const schedule = await findSchedule(deps, namespace, name);
  const declared = (await deps.types.of(namespace)).get(schedule.definition.task.type);
  const request = toBackfillRequest(schedule, input, declared);
  const matched = await countBackfill(request, deps.clock);
  const { id: scheduleId } = schedule;
  return begin(deps, { namespace, kind: "backfill", scheduleId, request: JSON.stringify(request), matched }, key);
}

/** `dryRun`: it is only counted. */
export async function bulkTasks(
  deps: Deps,
  namespace: string,
  input: BulkTasks,
  key: Idempotency | null = null,
): Promise<BegunOperation | { matched: number; capped: boolean }> {
  const request = await toBulkRequest(deps, namespace, input);
  const count = await countBulk(deps, namespace, request);
  if (input.dryRun) return count;
  const { matched } = count;
  return begin(deps, { namespace, kind: "bulk", scheduleId: null, request: JSON.stringify(request), matched }, key);
}

export interface BegunOperation {
  operation: OperationAnswer;
  replayed: boolean;
}

async function begin(
  deps: Deps,
  operation: Omit<NewOperation, "id">,
  key: Idempotency | null,
): Promise<BegunOperation> {
  const now = deps.clock.now();
  const { namespace } = operation;
  let id = deps.ids.next(now);
  let replayed = false;
  if (key) {
    // Remembered first: sent again after a crash in between, the request begins the operation that it would have begun.
    const idempotency = { ...key, namespace, response: () => String(id), expiresAt: now + IDEMPOTENCY_TTL_MS };
    const answer = await insertTasks(deps, [], { now, idempotency });
    if (answer.kind === "replayed") {
      id = BigInt(answer.response);
      replayed = true;
    }
  }
  return { operation: toOperation(await deps.store.createOperation({ ...operation, id }, now)), replayed };
}

export async function getOperation(deps: Deps, namespace: string, text: string): Promise<OperationAnswer> {
  const record = await deps.store.getOperation(namespace, readOperationId(text));
  if (!record) throw operationNotFound(text);
  return toOperation(record);
}

/** Newest first. */
export async function listOperations(
  deps: Deps,
  namespace: string,
  { pageSize = limits.defaultPageSize, pageToken }: ListOperations,
): Promise<{ operations: OperationAnswer[]; nextPageToken: string | null }> {
  const list = ["operations", namespace];
  const page = await deps.store.listOperations(namespace, { pageSize, after: readPageToken(list, pageToken) });
  return { operations: page.items.map(toOperation), nextPageToken: writePageToken(list, page.next) };
}

/** What it has done stays. */
export async function cancelOperation(deps: Deps, namespace: string, text: string): Promise<OperationAnswer> {
  const answer = await deps.store.cancelOperation(namespace, readOperationId(text), deps.clock.now());
  if (answer.kind === "not_found") throw operationNotFound(text);
  if (answer.kind === "final" && answer.operation.state === "done")
    throw new CarillonError("operation_final", { detail: "The operation is done; there is nothing left to cancel." });
  return toOperation(answer.operation);
}

function readOperationId(text: string): Id {
  const id = parseId("operation", text);
  if (id === null) throw operationNotFound(text);
  return id;
}

function operationNotFound(text: string): CarillonError {
  return new CarillonError("operation_not_found", { detail: `There is no operation ${text.slice(0, 64)}.` });
}

function toOperation(record: OperationRecord): OperationAnswer {
  const { kind, state, scheduleName, matched, done, skipped, failed, createdAt, finishedAt } = record;
  return {
    id: formatId("operation", record.id),
    kind,
    action: kind === "bulk" ? nameOf(readBulkRequest(record).action) : null,
    state,
    schedule: scheduleName,
    matched,
    done,
    skipped,
    failed,
    createdAt: formatInstant(createdAt),
    finishedAt: finishedAt === null ? null : formatInstant(finishedAt),
  };
}
