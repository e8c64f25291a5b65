/** A node's side of a worker's links, played by a test. */
import type {
  AssignedTask,
  Hello,
  NodeMessage,
  ReportedOutcome,
  WorkerMessage,
  WorkerTransport,
} from "@carillon/client";
import type { AttemptReport } from "@carillon/core";
import { settled } from "./manual-clock.ts";

type Kind = WorkerMessage["kind"];
type Of<K extends Kind> = Extract<WorkerMessage, { kind: K }>;

export class ScriptedLink {
  readonly sent: WorkerMessage[] = [];
  /** Where the worker was told that nodes are, when it opened this link. */
  readonly nodes: string[];
  /** The worker closed it. */
  closed = false;
  readonly #say: (message: NodeMessage) => void;
  readonly #break: (cause: unknown) => void;

  constructor(nodes: string[], say: (message: NodeMessage) => void, cut: (cause: unknown) => void) {
    this.nodes = nodes;
    this.#say = say;
    this.#break = cut;
  }

  get hello(): Hello {
    return this.all("hello")[0]!.hello;
  }

  all<K extends Kind>(kind: K): Of<K>[] {
    return this.sent.filter((message): message is Of<K> => message.kind === kind);
  }

  get outcomes(): ReportedOutcome[] {
    return this.all("outcomes").flatMap(({ outcomes }) => outcomes);
  }

  /** The latest report about this task. */
  report(task: { id: bigint }): AttemptReport | undefined {
    return this.outcomes.findLast(({ id }) => id === task.id)?.report;
  }

  async say(message: NodeMessage): Promise<void> {
    this.#say(message);
    await settled();
  }

  async welcome(nodes: string[] = [], now = 0): Promise<void> {
    await this.say({ kind: "welcome", node: "n1", nodes, now });
  }

  async give(...tasks: AssignedTask[]): Promise<void> {
    await this.say({ kind: "tasks", tasks });
  }

  async record(...tasks: { id: bigint; token: bigint }[]): Promise<void> {
    await this.say({ kind: "recorded", outcomes: tasks.map(({ id, token }) => ({ id, token, accepted: true })) });
  }

  /** The node or the network ends it. */
  async break(): Promise<void> {
    this.#break(new Error("connection reset"));
    await settled();
  }
}

export class ScriptedTransport implements WorkerTransport {
  readonly links: ScriptedLink[] = [];
  /** No node is there. */
  down = false;

  connect: WorkerTransport["connect"] = (listener, nodes) => {
    const link = new ScriptedLink(
      nodes,
      (message) => listener.message(message),
      (cause) => listener.closed(cause),
    );
    this.links.push(link);
    if (this.down) listener.closed(new Error("connection refused"));
    return {
      send: (message) => void link.sent.push(message),
      close: () => {
        link.closed = true;
      },
    };
  };

  /** The newest link. */
  get link(): ScriptedLink {
    return this.links.at(-1)!;
  }
}

let nextId = 1n;

export function assigned(type: string, over: Partial<AssignedTask> = {}): AssignedTask {
  return {
    id: nextId++,
    token: 1n,
    namespace: "default",
    type,
    queue: "default",
    payload: null,
    attempt: 1,
    dueAt: Date.UTC(2026, 10, 20),
    fireAt: null,
    schedule: null,
    timeoutMs: 3_600_000,
    ...over,
  };
}
