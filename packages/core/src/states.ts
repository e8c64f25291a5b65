/**
 * The life of a task: which events lead from which stored state to which. The store's `task_state` type and the diagram in
 * `docs/internals/task-states.md` say the same; a test keeps the three equal.
 */
export const transitions = {
  /** Waits for the tasks it depends on. */
  blocked: { unblock: "pending", expire: "failed", cancel: "cancelled", skip: "skipped" },
  /** May be claimed once it is due. */
  pending: { claim: "claimed", park: "waiting", expire: "failed", cancel: "cancelled", skip: "skipped" },
  /** A gate has yet to let it through. */
  waiting: { release: "pending", expire: "failed", cancel: "cancelled", skip: "skipped" },
  /** Held by a node for a worker; started at most a second ago, or not yet. */
  claimed: {
    start: "running",
    giveBack: "pending",
    takeBack: "pending",
    retry: "pending",
    lose: "pending",
    succeed: "succeeded",
    fail: "failed",
    quarantine: "failed",
    cancel: "cancelled",
    skip: "skipped",
  },
  /** Known to run on a worker for about a second or longer. */
  running: {
    giveBack: "pending",
    takeBack: "pending",
    retry: "pending",
    lose: "pending",
    succeed: "succeeded",
    fail: "failed",
    quarantine: "failed",
    cancel: "cancelled",
    skip: "skipped",
  },
  succeeded: {},
  failed: { redrive: "pending", block: "blocked" },
  cancelled: { redrive: "pending", block: "blocked" },
  skipped: { redrive: "pending", block: "blocked" },
} as const satisfies Record<string, Record<string, string>>;

export type StoredState = keyof typeof transitions;
export type TaskEvent = { [S in StoredState]: keyof (typeof transitions)[S] }[StoredState];

export const liveStates = ["blocked", "pending", "waiting", "claimed", "running"] as const;
export const finalStates = ["succeeded", "failed", "cancelled", "skipped"] as const;
export type LiveState = (typeof liveStates)[number];
export type FinalState = (typeof finalStates)[number];

/** What people read. `scheduled`: due later; `queued`: due; `retrying`: waits for another attempt after a failed one. */
export const publicStates = ["blocked", "scheduled", "queued", "running", "retrying", ...finalStates] as const;
export type PublicState = (typeof publicStates)[number];

export function isFinal(state: StoredState): state is FinalState {
  return (finalStates as readonly string[]).includes(state);
}

/** The state after an event; null when the event cannot happen to a task in this state. */
export function transition(state: StoredState, event: TaskEvent): StoredState | null {
  const next = (transitions[state] as Partial<Record<TaskEvent, StoredState>>)[event];
  return next ?? null;
}

export function publicState(task: { state: StoredState; dueAt: number; failures: number }, now: number): PublicState {
  if (task.state !== "pending" && task.state !== "waiting" && task.state !== "claimed") return task.state;
  if (task.failures > 0) return "retrying";
  return task.dueAt > now ? "scheduled" : "queued";
}
