import type { Id } from "@carillon/core";
import type { LatenessWindow, QueueLateness } from "../store.ts";
import { type MemoryDatabase, nameKey } from "./database.ts";

export function recordLateness(database: MemoryDatabase, writer: Id, windows: LatenessWindow[]): void {
  for (const window of windows) {
    const { namespace, at, queue } = window;
    database.lateness.set(nameKey(namespace, String(at), queue, String(writer)), structuredClone(window));
  }
}

export function lateness(
  database: MemoryDatabase,
  namespace: string,
  { from, to }: { from: number; to: number },
): QueueLateness[] {
  const queues = new Map<string, QueueLateness>();
  for (const { namespace: owner, at, queue, counts, maxMs, phasesMs } of database.lateness.values()) {
    if (owner !== namespace || at < from || at >= to) continue;
    const sum = queues.get(queue);
    queues.set(queue, {
      queue,
      counts: sum ? added(sum.counts, counts) : counts,
      maxMs: Math.max(sum?.maxMs ?? 0, maxMs),
      phasesMs: sum ? added(sum.phasesMs, phasesMs) : phasesMs,
    });
  }
  return [...queues.values()].sort((a, b) => (a.queue < b.queue ? -1 : 1));
}

const added = (a: number[], b: number[]): number[] => a.map((value, index) => value + b[index]!);
