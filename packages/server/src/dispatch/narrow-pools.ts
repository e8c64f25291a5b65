/**
 * Who runs tasks that ask for labels. Such a lane, while it has something to do, has a narrow pool: those workers of a plain pool that have
 * its labels. They go on working for the plain pool, so both count the same slots as free, and what then finds none goes back as always.
 * Neither side starves: of what is ready the earlier goes first, and while a narrow pool has something to do, every other slot of its
 * workers is kept for it. A plain pool none of whose tasks asks for labels is served as if this file did not exist.
 */
import { hasLabels, type Labels, labelsText } from "@carillon/core";
import { type ConnectedWorker, createPool, type Hand, type Pool } from "./hand.ts";

/** Whether a worker of this plain pool has these labels. */
export function hasMatch(plain: Pool, requires: Labels): boolean {
  return plain.workers.some((worker) => hasLabels(worker.labels, requires));
}

/** The narrow pool for these labels, made if need be; null: no worker of the plain pool has them. */
export function narrowPool(hand: Hand, plain: Pool, requires: Labels): Pool | null {
  const key = `${plain.key} ${labelsText(requires)}`;
  const known = hand.pools.get(key);
  if (known) return known;
  const workers = plain.workers.filter((worker) => hasLabels(worker.labels, requires));
  if (workers.length === 0) return null;
  const pool = createPool(key, plain.namespace, [...plain.queues], [...plain.types], { plain, requires });
  for (const worker of workers) join(worker, pool);
  plain.narrower.push(pool);
  hand.pools.set(key, pool);
  return pool;
}

/** A worker that has joined its plain pool joins the narrow ones whose labels it has. */
export function joinNarrowPools(worker: ConnectedWorker): void {
  for (const pool of worker.pool?.narrower ?? [])
    if (hasLabels(worker.labels, pool.narrow!.requires)) join(worker, pool);
}

/** Answers those that are empty without it; they are gone. */
export function leaveNarrowPools(hand: Hand, worker: ConnectedWorker): Pool[] {
  const empty: Pool[] = [];
  for (const pool of worker.narrowPools.splice(0)) {
    pool.workers.splice(pool.workers.indexOf(worker), 1);
    if (pool.workers.length > 0) continue;
    remove(hand, pool);
    empty.push(pool);
  }
  return empty;
}

/** Takes away those that nobody has anything for. True: there were some. */
export function dropIdlePools(hand: Hand, isWanted: (pool: Pool) => boolean): boolean {
  let dropped = false;
  for (const pool of [...hand.pools.values()]) {
    if (pool.narrow === null || isWanted(pool) || isBusy(pool)) continue;
    for (const worker of pool.workers) worker.narrowPools.splice(worker.narrowPools.indexOf(pool), 1);
    remove(hand, pool);
    dropped = true;
  }
  return dropped;
}

/** Slots of a worker that its plain pool leaves to a narrow one. */
export function keptSlots(worker: ConnectedWorker): number {
  if (worker.narrowPools.length === 0 || worker.owesPlain) return 0;
  return worker.narrowPools.some((pool) => pool.hungry) ? 1 : 0;
}

function join(worker: ConnectedWorker, pool: Pool): void {
  pool.workers.push(worker);
  worker.narrowPools.push(pool);
}

function remove(hand: Hand, pool: Pool): void {
  hand.pools.delete(pool.key);
  const { narrower } = pool.narrow!.plain;
  narrower.splice(narrower.indexOf(pool), 1);
}

function isBusy({ ready, suspects, ahead, reserved, claimingDue, claimingAhead }: Pool): boolean {
  return ready.size + suspects.length + ahead + reserved > 0 || claimingDue || claimingAhead;
}
