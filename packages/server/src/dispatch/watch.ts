/**
 * What is looked at a few times a second, for all workers and running tasks at once: no timer per task. Signs of life both ways, tasks that
 * outlive a second, attempts beyond their timeout or their task's `finishWithin`, handlers that ignore a cancellation.
 */
import { FINISH_WITHIN, type Id } from "@carillon/core";
import { CUT_OFF_MS } from "../loops/session.ts";
import type { Endings } from "./endings.ts";
import { type Gate, sendCancel } from "./gate.ts";
import type { Hand, HeldTask } from "./hand.ts";
import type { DispatcherOptions } from "./options.ts";

export const TICK_MS = 250;
const PONG_MS = 500;
/** Workers ping every 500 ms. */
const SILENCE_MS = 3_000;
/** Between two looks more time than this has passed: this process stood still, not its workers. */
const STALL_MS = 1_000;
const RUNNING_AFTER_MS = 1_000;
/** The worker enforces the timeout; so much later the node does. */
const TIMEOUT_SLACK_MS = 5_000;
/** What a handler has to stop after it was asked to. */
const STOP_MS = 30_000;

export interface Watch {
  tick(): void;
  /** Writes this one as running now. */
  markRunning(id: Id): void;
}

export function createWatch(
  { store, clock, session, log, feed, peers }: DispatcherOptions,
  { hand, gate, endings }: { hand: Hand; gate: () => Gate; endings: Endings },
): Watch {
  let lastTickAt = clock.monotonic();
  let lastPongAt = 0;
  let marking = false;
  let wasCutOff = false;

  function listen(at: number): void {
    const stalled = at - lastTickAt > STALL_MS;
    const pong = at - lastPongAt >= PONG_MS - TICK_MS / 2;
    if (pong) lastPongAt = at;
    for (const worker of [...hand.workers]) {
      if (worker.state === "gone") continue;
      if (stalled) worker.heardAt = at;
      if (at - worker.heardAt > SILENCE_MS) gate().silent(worker);
      else if (pong) worker.link.send({ kind: "pong" });
    }
  }

  function check(held: HeldTask, at: number, now: number): void {
    const ranMs = at - held.since;
    const { id, token, policy, finishBy } = held.claimed;
    if (!held.stop && finishBy !== null && finishBy <= now && held.worker) {
      held.stop = { why: FINISH_WITHIN, at };
      sendCancel(held.worker, { id, token }, FINISH_WITHIN);
    } else if (!held.stop && ranMs > policy.timeoutMs + TIMEOUT_SLACK_MS && held.worker) {
      held.stop = { why: "timeout", at };
      sendCancel(held.worker, { id, token }, "timeout");
    } else if (held.stop && at - held.stop.at >= STOP_MS) {
      endings.abandoned(held, held.stop.why);
    }
  }

  async function write(tasks: HeldTask[]): Promise<void> {
    if (marking || tasks.length === 0) return;
    marking = true;
    // The way to the worker is told by outcomes alone; the last one is the nearest to this one's.
    for (const held of tasks) if (!held.running) held.transportMs = held.worker?.transportMs ?? 0;
    try {
      await store.markRunning(
        tasks.map(({ claimed: { id, token }, handedOutAt, transportMs, worker }) => ({
          id,
          token,
          startedAt: handedOutAt + transportMs,
          worker: worker?.name ?? "",
        })),
      );
      for (const held of tasks) {
        // Its outcome may have come meanwhile.
        if (held.running || held.phase !== "assigned") continue;
        held.running = true;
        endings.runs(held);
        feed.taskChanged(held.claimed.id, held.claimed.lane.namespace, "running");
      }
    } catch (error) {
      log.warn({ error }, "could not mark tasks as running");
    } finally {
      marking = false;
    }
  }

  /**
   * Once for each time that the store is out of reach, and nobody who came since: with several nodes cut off, workers would go round in
   * circles.
   */
  function sendElsewhere(now: number): void {
    const cutOff = session.cutOff();
    const nodes = cutOff && !wasCutOff ? peers() : [];
    wasCutOff = cutOff;
    if (nodes.length === 0) return;
    log.warn({ nodes }, "cut off from the database: workers go to other nodes");
    for (const worker of hand.workers) {
      if (worker.state === "open" && now - worker.connectedAt > CUT_OFF_MS)
        worker.link.send({ kind: "go-elsewhere", nodes });
    }
  }

  return {
    tick() {
      const at = clock.monotonic();
      const now = clock.now();
      listen(at);
      gate().expire();
      const unmarked: HeldTask[] = [];
      for (const worker of hand.workers) {
        for (const held of [...worker.tasks]) {
          if (!held.running && at - held.since >= RUNNING_AFTER_MS) unmarked.push(held);
          check(held, at, now);
        }
      }
      void write(unmarked.filter((held) => held.phase === "assigned"));
      sendElsewhere(now);
      lastTickAt = at;
    },
    markRunning(id) {
      const held = hand.tasks.get(id);
      if (held?.phase === "assigned") void write([held]);
    },
  };
}
