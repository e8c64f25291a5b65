import { useSyncExternalStore } from "react";

/**
 * The server's time as far as this browser can tell, ticking once a second while the tab is visible. A viewer's clock that is off by
 * minutes must not turn "in 5 s" into "3 m ago"; below 2 s the `Date` header (whole seconds) is no better than the own clock.
 */
let offsetMs = 0;
let tick = Date.now();
let timer: ReturnType<typeof setInterval> | null = null;
const listeners = new Set<() => void>();

export function serverNow(): number {
  return Date.now() + offsetMs;
}

export function observeServerDate(header: string | null): void {
  const at = header === null ? Number.NaN : Date.parse(header);
  if (Number.isNaN(at)) return;
  const observed = at + 500 - Date.now();
  offsetMs = Math.abs(observed) > 2_000 ? observed : 0;
}

/** Renders again each second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => tick);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === null) {
    advance();
    timer = setInterval(advance, 1_000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };
}

function advance(): void {
  if (document.hidden) return;
  tick = serverNow();
  for (const listener of listeners) listener();
}
