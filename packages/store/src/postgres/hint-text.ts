/** Hints as the payload of a NOTIFY, which takes less than 8,000 bytes: merged, cut to size, bigints as decimal text. */
import type { Id } from "@carillon/core";
import type { Band, Hint } from "../store.ts";

export interface MergedHints {
  /** The earliest by lane and band. */
  due: Map<string, { laneId: number; band: Band; dueAt: number }>;
  recall: Set<Id>;
  tasks: Set<Id>;
  schedules: Set<string>;
  queues: Set<string>;
  more: boolean;
  typesChanged: boolean;
  schedulesChanged: boolean;
  queuesChanged: boolean;
  /** Lanes. */
  room: Set<number>;
}

/** What fits for certain: 45 bytes each, 22, 22, 12, and 150 for the name of a schedule or queue. */
const most = { due: 60, recall: 60, tasks: 60, room: 60, schedules: 7, queues: 3 };

/** Into `merged`, or, when that is null, alone. */
export function mergeHint(merged: MergedHints | null, hint: Hint): MergedHints {
  const into = merged ?? {
    due: new Map(),
    recall: new Set(),
    tasks: new Set(),
    schedules: new Set(),
    queues: new Set(),
    more: false,
    typesChanged: false,
    schedulesChanged: false,
    queuesChanged: false,
    room: new Set(),
  };
  for (const due of hint.due ?? []) {
    const key = `${due.laneId}/${due.band}`;
    const known = into.due.get(key);
    if (!known || due.dueAt < known.dueAt) into.due.set(key, due);
  }
  for (const session of hint.recall ?? []) into.recall.add(session);
  for (const task of hint.changed?.tasks ?? []) into.tasks.add(task);
  for (const schedule of hint.changed?.schedules ?? []) into.schedules.add(schedule);
  for (const queue of hint.changed?.queues ?? []) into.queues.add(queue);
  into.more ||= hint.changed?.more ?? false;
  into.typesChanged ||= hint.types ?? false;
  into.schedulesChanged ||= hint.schedules ?? false;
  into.queuesChanged ||= hint.queues ?? false;
  for (const lane of hint.room ?? []) into.room.add(lane);
  // For screens only; nobody needs to know of each of ten thousand tasks.
  for (const of of ["tasks", "schedules", "queues"] as const) if (keepFirst(into[of], most[of])) into.more = true;
  return into;
}

/** Whether some had to go. */
function keepFirst(set: Set<unknown>, count: number): boolean {
  let index = 0;
  for (const item of set) if (++index > count) set.delete(item);
  return index > count;
}

interface Payload {
  from: string;
  due?: [laneId: number, band: Band, dueAt: number][];
  recall?: string[];
  changed?: { tasks: string[]; schedules: string[]; queues?: string[]; more: boolean };
  types?: true;
  schedules?: true;
  queues?: true;
  room?: number[];
}

/** What fits into one payload, and the rest. */
export function takeText(merged: MergedHints, sender: string): { text: string; left: MergedHints | null } {
  const due = [...merged.due].slice(0, most.due);
  const recall = [...merged.recall].slice(0, most.recall);
  const payload: Payload = { from: sender };
  if (due.length > 0) payload.due = due.map(([, { laneId, band, dueAt }]) => [laneId, band, Math.floor(dueAt)]);
  if (recall.length > 0) payload.recall = recall.map(String);
  if (merged.tasks.size > 0 || merged.schedules.size > 0 || merged.queues.size > 0 || merged.more) {
    payload.changed = {
      tasks: [...merged.tasks].map(String),
      schedules: [...merged.schedules],
      ...(merged.queues.size > 0 && { queues: [...merged.queues] }),
      more: merged.more,
    };
  }
  if (merged.typesChanged) payload.types = true;
  if (merged.schedulesChanged) payload.schedules = true;
  if (merged.queuesChanged) payload.queues = true;
  const room = [...merged.room].slice(0, most.room);
  if (room.length > 0) payload.room = room;
  for (const [key] of due) merged.due.delete(key);
  for (const session of recall) merged.recall.delete(session);
  for (const lane of room) merged.room.delete(lane);
  const rest: Hint = { due: [...merged.due.values()], recall: [...merged.recall], room: [...merged.room] };
  const isLeft = merged.due.size > 0 || merged.recall.size > 0 || merged.room.size > 0;
  const left = isLeft ? mergeHint(null, rest) : null;
  return { text: JSON.stringify(payload), left };
}

/** Null for one's own, and for what is not a hint. */
export function parseHint(text: string, sender: string): Hint | null {
  let payload: Payload;
  try {
    payload = JSON.parse(text);
  } catch {
    return null;
  }
  if (payload.from === sender) return null;
  return {
    ...(payload.due && { due: payload.due.map(([laneId, band, dueAt]) => ({ laneId, band, dueAt })) }),
    ...(payload.recall && { recall: payload.recall.map(BigInt) }),
    ...(payload.changed && { changed: { ...payload.changed, tasks: payload.changed.tasks.map(BigInt) } }),
    ...(payload.types && { types: true }),
    ...(payload.schedules && { schedules: true }),
    ...(payload.queues && { queues: true }),
    ...(payload.room && { room: payload.room }),
  };
}
