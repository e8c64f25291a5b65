import { Buffer } from "node:buffer";
import { type Id, limits } from "@carillon/core";
import type { LogLine, TaskRef } from "../store.ts";
import { float8Array, int4Array, int8Array, textArray } from "./arrays.ts";
import type { Pools } from "./db.ts";
import { storable } from "./final.ts";
import { withPartitions } from "./partitions.ts";
import { Recent } from "./recent.ts";

/** Bytes of log are counted for this many tasks at a time, of those that wrote last. */
const TASKS_COUNTED = 20_000;

/** Writes the lines of whoever holds the task now, or held it when it became final; the others are dropped. */
export function createAppendLogs(pools: Pools): (lines: (TaskRef & LogLine)[]) => Promise<void> {
  const written = new Recent<Id, number>(TASKS_COUNTED);
  /** Keeps lines of one instant in the order in which they were written. */
  let lastSeq = 0;

  function admit(line: TaskRef & LogLine): (TaskRef & LogLine) | null {
    const before = written.get(line.id) ?? 0;
    if (before > limits.taskLogBytes) return null;
    const message = shortened(storable(line.message));
    const after = before + Buffer.byteLength(message);
    written.set(line.id, after);
    if (after <= limits.taskLogBytes) return { ...line, message };
    return { ...line, level: "warn", message: "The log is full; later lines are dropped." };
  }

  return async (lines) => {
    const kept = lines.map(admit).filter((line) => line !== null);
    if (kept.length === 0) return;
    await withPartitions(pools.control, () =>
      pools.outcomes.query(insertLines, [
        int8Array(kept.map((line) => line.id)),
        int8Array(kept.map((line) => line.token)),
        float8Array(kept.map((line) => line.at)),
        int4Array(kept.map((line) => line.attempt)),
        textArray(kept.map((line) => line.level)),
        textArray(kept.map((line) => line.message)),
        int4Array(kept.map(() => (lastSeq = (lastSeq + 1) % 1_000_000_000))),
      ]),
    );
  };
}

function shortened(message: string): string {
  if (message.length * 3 <= limits.logLineBytes || Buffer.byteLength(message) <= limits.logLineBytes) return message;
  const cut = Buffer.from(message)
    .subarray(0, limits.logLineBytes - 3)
    .toString();
  return `${cut.replace(/\uFFFD$/, "")}…`;
}

/** A task becomes final about when its last line is written, so few partitions are asked. */
const insertLines = {
  name: "insert_log_lines",
  text: `
with line as materialized (
  select * from unnest($1::int8[], $2::int8[], $3::float8[], $4::int4[], $5::text[], $6::text[], $7::int4[])
    as x(task_id, token, at, attempt, level, message, seq)),
holder as materialized (
  select id, token from task where id = any($1::int8[]) and state in ('claimed', 'running')
  union all
  select id, token from archive
   where id = any($1::int8[])
     and finished_at >= (select to_timestamp(min(at) / 1000) from line) - interval '1 day')
insert into log_line (task_id, at, seq, attempt, level, message)
select line.task_id, to_timestamp(line.at / 1000), line.seq, line.attempt, line.level, line.message
  from line
 where exists (select from holder where holder.id = line.task_id and holder.token = line.token)`,
};
