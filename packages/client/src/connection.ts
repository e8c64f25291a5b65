/**
 * A worker's link to some node, for as long as the worker lives: opens one, says hello, keeps it alive with pings, notices when the node
 * is gone or silent, and goes to the next one. What is on the link is the worker's business.
 */
import type { Clock } from "@carillon/core";
import { delay } from "@carillon/core/clock";
import { CarillonError } from "@carillon/core/errors";
import type { Hello, Link, NodeMessage, WorkerMessage, WorkerTransport } from "./protocol.ts";

const PING_MS = 500;
/** A node that says nothing for so long is gone, whatever its socket says. */
const SILENCE_MS = 1_500;
/** A timer that comes so late means that this process stood still, not the node: what it said meanwhile is read first. */
const STALL_MS = 250;
/** A ping that comes so late is told: whatever ran here meanwhile kept everything else waiting. */
const STANDSTILL_MS = 1_000;
/** Only a link that was open for so long counts as a success; others are followed by ever longer pauses. */
const STEADY_MS = 1_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

export interface ConnectionOwner {
  hello(): Hello;
  /** A node took the worker in. `now`: its time, in epoch milliseconds. */
  welcomed(now: number): void;
  /** This process' event loop did nothing for so long. */
  stoodStill(ms: number): void;
  received(message: Exclude<NodeMessage, { kind: "welcome" | "pong" | "go-elsewhere" }>): void;
}

export interface ConnectionOptions {
  transport: WorkerTransport;
  clock: Clock;
  /** In [0, 1). */
  random: () => number;
}

export class Connection {
  readonly #owner: ConnectionOwner;
  readonly #options: ConnectionOptions;
  readonly #stopped = new AbortController();
  /** Null until a node has welcomed the worker, and between two nodes. */
  #link: Link<WorkerMessage> | null = null;
  /** Living nodes, as the last one said. */
  #nodes: string[] = [];
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(owner: ConnectionOwner, options: ConnectionOptions) {
    this.#owner = owner;
    this.#options = options;
  }

  get open(): boolean {
    return this.#link !== null;
  }

  /** Nothing happens while there is no node. */
  send(message: WorkerMessage): void {
    this.#link?.send(message);
  }

  /** Resolves when a node has welcomed the worker; rejects when it stops before. */
  whenOpen(): Promise<void> {
    if (this.#link) return Promise.resolve();
    if (this.#stopped.signal.aborted) return Promise.reject(closedEarly());
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Resolves after `stop`. Never rejects. */
  async run(): Promise<void> {
    const { clock, random } = this.#options;
    for (let failures = 0; !this.#stopped.signal.aborted; ) {
      failures = (await this.#oneLink()) ? 1 : failures + 1;
      // The first pause is short: a node gives the tasks of a worker that is gone away after less than a second.
      const longestMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
      await delay(clock, random() * longestMs, this.#stopped.signal);
    }
  }

  /** Says goodbye. */
  stop(): void {
    this.send({ kind: "leaving" });
    this.#stopped.abort();
    for (const { reject } of this.#waiting.splice(0)) reject(closedEarly());
  }

  /** One link's life. True: it was open for a while. */
  #oneLink(): Promise<boolean> {
    const { clock, transport } = this.#options;
    const stopped = this.#stopped.signal;
    return new Promise((resolve) => {
      let over = false;
      let link: Link<WorkerMessage> | null = null;
      let welcomedAt = Number.POSITIVE_INFINITY;
      let heardAt = clock.monotonic();
      let stopPinging = () => {};
      let stopWatching = () => {};

      // Whatever still arrives on this link afterwards is ignored.
      const end = () => {
        if (over) return;
        over = true;
        stopPinging();
        stopWatching();
        stopped.removeEventListener("abort", end);
        this.#link = null;
        link?.close();
        resolve(clock.monotonic() - welcomedAt >= STEADY_MS);
      };

      const receive = (message: NodeMessage) => {
        if (over || !link) return;
        heardAt = clock.monotonic();
        switch (message.kind) {
          case "pong":
            return;
          case "welcome":
            welcomedAt = heardAt;
            this.#nodes = message.nodes;
            this.#link = link;
            this.#owner.welcomed(message.now);
            for (const waiting of this.#waiting.splice(0)) waiting.resolve();
            return;
          case "go-elsewhere":
            this.#nodes = message.nodes;
            link.send({ kind: "leaving" });
            end();
            return;
          default:
            this.#owner.received(message);
        }
      };

      const pingLater = () => {
        const dueAt = clock.monotonic() + PING_MS;
        stopPinging = clock.after(PING_MS, () => {
          const lateMs = clock.monotonic() - dueAt;
          if (lateMs > STANDSTILL_MS) this.#owner.stoodStill(lateMs);
          link?.send({ kind: "ping" });
          pingLater();
        });
      };

      const watch = (forMs: number) => {
        const since = clock.monotonic();
        stopWatching = clock.after(forMs, () => {
          const now = clock.monotonic();
          const stalled = now - since - forMs > STALL_MS;
          const leftMs = stalled ? PING_MS : heardAt + SILENCE_MS - now;
          if (leftMs > 0) watch(leftMs);
          else end();
        });
      };

      const open = async () => {
        link = await transport.connect({ message: receive, closed: end }, this.#nodes);
        if (over) return link.close();
        link.send({ kind: "hello", hello: this.#owner.hello() });
        pingLater();
        watch(SILENCE_MS);
      };

      stopped.addEventListener("abort", end);
      open().catch(end);
    });
  }
}

function closedEarly(): CarillonError {
  return new CarillonError("unavailable", { detail: "the worker was closed before a node welcomed it" });
}
