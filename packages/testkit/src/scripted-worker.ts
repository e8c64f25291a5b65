/** A worker that does what a test tells it to: it speaks the protocol and runs nothing by itself. */
import type {
  AssignedTask,
  Hello,
  Link,
  NodeMessage,
  ReportedOutcome,
  TaskRef,
  WorkerGate,
  WorkerMessage,
} from "@carillon/client";
import type { AttemptReport, Clock } from "@carillon/core";

const PING_MS = 500;

export interface ScriptedWorkerOptions {
  name?: string;
  namespace?: string;
  types?: string[];
  queues?: string[];
  labels?: Record<string, string>;
  slots?: number;
  held?: TaskRef[];
}

export class ScriptedWorker {
  /** What it was given and when, in order. */
  readonly received: { task: AssignedTask; at: number }[] = [];
  /** Everything else the node said, without pongs. */
  readonly heard: NodeMessage[] = [];
  readonly #clock: Clock;
  readonly #link: Link<WorkerMessage>;
  #open = true;
  /** Called for each task as it arrives. */
  onTask: (task: AssignedTask) => void = () => {};

  constructor(gate: WorkerGate, clock: Clock, options: ScriptedWorkerOptions = {}) {
    this.#clock = clock;
    const state = { open: true };
    const node = gate.accept(
      {
        send: (message) => queueMicrotask(() => this.#open && this.#receive(message)),
        close: () => queueMicrotask(() => this.#over(state)),
      },
      options.namespace ?? "default",
    );
    this.#link = {
      send: (message) => queueMicrotask(() => state.open && node.message(message)),
      close: () =>
        queueMicrotask(() => {
          if (!state.open) return;
          this.#over(state);
          node.closed(null);
        }),
    };
    this.#link.send({ kind: "hello", hello: helloOf(options) });
    this.#ping();
  }

  get tasks(): AssignedTask[] {
    return this.received.map(({ task }) => task);
  }

  get open(): boolean {
    return this.#open;
  }

  end(task: TaskRef, report: AttemptReport = { kind: "succeeded", result: null }, ranMs = 1): void {
    this.endAll([task], report, ranMs);
  }

  endAll(tasks: TaskRef[], report: AttemptReport = { kind: "succeeded", result: null }, ranMs = 1): void {
    const outcomes: ReportedOutcome[] = tasks.map(({ id, token }) => ({
      id,
      token,
      report,
      waitedMs: 0,
      ranMs,
      keptMs: 0,
    }));
    this.send({ kind: "outcomes", outcomes });
  }

  send(message: WorkerMessage): void {
    this.#link.send(message);
  }

  /** Says goodbye, then closes. */
  leave(): void {
    this.send({ kind: "leaving" });
    this.#link.close();
  }

  /** The connection breaks without a word, as of a killed process. */
  vanish(): void {
    this.#link.close();
  }

  /** Stays connected and says nothing any more. */
  fallSilent(): void {
    this.#open = false;
  }

  /** The answers about outcomes, in order. */
  get recorded(): { id: bigint; accepted: boolean }[] {
    return this.heard.flatMap((message) =>
      message.kind === "recorded" ? message.outcomes.map(({ id, accepted }) => ({ id, accepted })) : [],
    );
  }

  heardKinds(): string[] {
    return this.heard.map(({ kind }) => kind);
  }

  #receive(message: NodeMessage): void {
    if (message.kind === "pong") return;
    if (message.kind !== "tasks") {
      this.heard.push(message);
      return;
    }
    for (const task of message.tasks) {
      this.received.push({ task, at: this.#clock.now() });
      this.onTask(task);
    }
  }

  #ping(): void {
    this.#clock.after(PING_MS, () => {
      if (!this.#open) return;
      this.send({ kind: "ping" });
      this.#ping();
    });
  }

  #over(state: { open: boolean }): void {
    state.open = false;
    this.#open = false;
  }
}

function helloOf({
  name = "w-1",
  types = ["t"],
  queues = ["default"],
  labels = {},
  slots = 10,
  held = [],
}: ScriptedWorkerOptions): Hello {
  return {
    worker: name,
    version: "test",
    types: types.map((type) => ({ type, queue: null, retry: null, timeoutMs: null })),
    queues,
    labels,
    slots,
    held,
  };
}
