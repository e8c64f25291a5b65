/**
 * Keeps what is on the screen current. One event stream per tab tells what changed on any node; the queries concerned are read again,
 * at most four times a second and never faster than the server answers. The stream is a display feed that may drop things, so everything
 * visible is also read again now and then, more often while the stream is away. A hidden tab holds no connection (browsers allow about
 * six per host) and catches up when it is shown.
 */
import type { Query, QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { API } from "./http.ts";

const FLUSH_MS = 250;
const STALE_AFTER_MS = 5_000;
const REFRESH_STALE_MS = 5_000;
const REFRESH_LIVE_MS = 15_000;
const REOPEN_MS = 3_000;

export interface LiveStatus {
  kind: "live" | "reconnecting" | "stale";
  /** When the stream was last known good, in epoch milliseconds of this browser. */
  goodAt: number;
}

let status: LiveStatus = { kind: "reconnecting", goodAt: Date.now() };
const listeners = new Set<() => void>();

export function useLiveStatus(): LiveStatus {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => status,
  );
}

/** Starts following; for the life of the page. */
export function followChanges(queryClient: QueryClient): void {
  // What was gathered before the tab was hidden is read with everything else when it is shown.
  const changes = collectChanges(async (concerns) => {
    if (!document.hidden) await queryClient.invalidateQueries({ predicate: concerns });
  });
  let source: EventSource | null = null;
  let readAt = Date.now();

  function open(): void {
    source?.close();
    source = new EventSource(`${API}/events?topics=tasks,schedules,queues`);
    source.onopen = () => {
      report({ kind: "live", goodAt: Date.now() });
      changes.everything();
    };
    source.onerror = () => {
      if (status.kind === "live") report({ kind: "reconnecting", goodAt: Date.now() });
    };
    source.addEventListener("reset", () => changes.everything());
    source.addEventListener("change", (event) => changes.add(readChange(event.data)));
  }

  function watch(): void {
    if (document.hidden) return;
    const now = Date.now();
    if (status.kind === "reconnecting" && now - status.goodAt > STALE_AFTER_MS) {
      report({ kind: "stale", goodAt: status.goodAt });
    }
    // A refused stream is closed for good by the browser; a broken one it opens again by itself.
    if (source?.readyState === EventSource.CLOSED && now - readAt > REOPEN_MS) open();
    if (now - readAt > (status.kind === "stale" ? REFRESH_STALE_MS : REFRESH_LIVE_MS)) {
      readAt = now;
      changes.everything();
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
      report({ kind: "reconnecting", goodAt: Date.now() });
    } else {
      open();
    }
  });
  window.addEventListener("online", () => open());
  setInterval(watch, 1_000);
  if (!document.hidden) open();
}

function report(next: LiveStatus): void {
  status = next;
  for (const listener of listeners) listener();
}

export interface Change {
  topic: string;
  id: string | null;
}

/** Null for what cannot be understood; the caller then reads everything again. */
export function readChange(data: string): Change | null {
  try {
    const { topic, id } = JSON.parse(data) as Record<string, unknown>;
    return typeof topic === "string" ? { topic, id: typeof id === "string" ? id : null } : null;
  } catch {
    return null;
  }
}

type Concerns = (query: Pick<Query, "queryKey">) => boolean;

/** Gathers changes and hands them on together: the first after 250 ms, the next only when the reading before has ended. */
export function collectChanges(readAgain: (concerns: Concerns) => Promise<void>) {
  let pending: Pending | null = null;
  let busy = false;

  async function flush(): Promise<void> {
    while (pending !== null) {
      await new Promise((resolve) => setTimeout(resolve, FLUSH_MS));
      const concerns = concernsOf(pending);
      pending = null;
      await readAgain(concerns).catch(() => undefined);
    }
    busy = false;
  }

  function note(update: (pending: Pending) => void): void {
    pending ??= { everything: false, schedules: false, queues: false, tasks: false, taskIds: new Set() };
    update(pending);
    if (!busy) {
      busy = true;
      void flush();
    }
  }

  return {
    add(change: Change | null): void {
      note((pending) => {
        if (change?.topic === "tasks") {
          pending.tasks = true;
          if (change.id !== null) pending.taskIds.add(change.id);
        } else if (change?.topic === "schedules") pending.schedules = true;
        else if (change?.topic === "queues") pending.queues = true;
        else pending.everything = true;
      });
    },
    everything(): void {
      note((pending) => {
        pending.everything = true;
      });
    },
  };
}

interface Pending {
  everything: boolean;
  tasks: boolean;
  taskIds: Set<string>;
  schedules: boolean;
  queues: boolean;
}

/** Schedules show the state of their tasks, so a changed task concerns them too. Previews and types follow no change. */
function concernsOf({ everything, tasks, taskIds, schedules, queues }: Pending): Concerns {
  return ({ queryKey: [noun, id] }) => {
    switch (noun) {
      case "tasks":
        return everything || tasks;
      case "task":
        return everything || taskIds.has(String(id));
      case "schedules":
      case "schedule":
        return everything || tasks || schedules;
      case "queues":
      case "queue":
        return everything || queues;
      // They change with every start; they are read again by themselves.
      case "failures":
      case "lateness":
      case "schedule-stats":
      case "queue-stats":
        return everything;
      default:
        return false;
    }
  };
}
