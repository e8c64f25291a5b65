import type { Id } from "@carillon/core";

/**
 * Pending tasks of one lane and band by due instant, then id: a binary heap. A place that is given up stays where it is until it comes
 * to the front or until half of the heap is such places, so that leaving costs nothing.
 */
export interface PendingQueue {
  heap: Place[];
  abandoned: number;
}

export interface Place {
  dueAt: number;
  id: Id;
  queue: PendingQueue;
  waiting: boolean;
}

export function createPendingQueue(): PendingQueue {
  return { heap: [], abandoned: 0 };
}

export function enter(queue: PendingQueue, dueAt: number, id: Id): Place {
  const place = { dueAt, id, queue, waiting: true };
  queue.heap.push(place);
  rise(queue.heap, queue.heap.length - 1);
  return place;
}

export function leave(place: Place): void {
  const { queue } = place;
  place.waiting = false;
  queue.abandoned++;
  if (queue.abandoned > 64 && queue.abandoned * 2 > queue.heap.length) {
    queue.heap = queue.heap.filter((other) => other.waiting).sort((a, b) => (before(a, b) ? -1 : 1));
    queue.abandoned = 0;
  }
}

export function first(queue: PendingQueue): Place | undefined {
  while (queue.heap[0]?.waiting === false) {
    removeFirst(queue.heap);
    queue.abandoned--;
  }
  return queue.heap[0];
}

/** The first that is due at this instant or later. */
export function firstFrom(queue: PendingQueue, dueAt: number): Place | undefined {
  let found = first(queue);
  if (!found || found.dueAt >= dueAt) return found;
  found = undefined;
  for (const place of queue.heap) {
    if (place.waiting && place.dueAt >= dueAt && (!found || before(place, found))) found = place;
  }
  return found;
}

/** The first `count` that are due until then, in order. */
export function firstOnes(queue: PendingQueue, count: number, until: number): Place[] {
  return queue.heap
    .filter((place) => place.waiting && place.dueAt <= until)
    .sort((a, b) => (before(a, b) ? -1 : 1))
    .slice(0, count);
}

function before(a: Place, b: Place): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.id < b.id);
}

function removeFirst(heap: Place[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  heap[0] = last;
  sink(heap, 0);
}

function rise(heap: Place[], index: number): void {
  const place = heap[index]!;
  while (index > 0) {
    const above = (index - 1) >> 1;
    if (!before(place, heap[above]!)) break;
    heap[index] = heap[above]!;
    index = above;
  }
  heap[index] = place;
}

function sink(heap: Place[], index: number): void {
  const place = heap[index]!;
  for (;;) {
    let below = 2 * index + 1;
    if (below >= heap.length) break;
    if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) below++;
    if (!before(heap[below]!, place)) break;
    heap[index] = heap[below]!;
    index = below;
  }
  heap[index] = place;
}
