/** Longer names are cut, and share what is known of them. */
const NAME_LENGTH = 255;

/** What a task calls, by name: of `http` the host and port of its URL; null for types that say nothing about it. `payload` is JSON text. */
export function callTargetOf(type: string, payload: string | null): string | null {
  if (type !== "http" || payload === null) return null;
  try {
    return new URL((JSON.parse(payload) as { url: string }).url).host.slice(0, NAME_LENGTH);
  } catch {
    return null;
  }
}

/** What the breaker of a queue goes by: one of its concurrency keys, or the tasks without one. No host's name has a slash. */
export function keyTargetOf(queue: string, key: string | null): string {
  return `${queue}/${key ?? ""}`.slice(0, NAME_LENGTH);
}

/** The queue whose breaker has this target; null: it is a host. */
export function queueOfTarget(name: string): string | null {
  const slash = name.indexOf("/");
  return slash < 0 ? null : name.slice(0, slash);
}

/** Why a task waits for its target: what is kept as its reason meanwhile. */
export const BREAKER_OPEN = "breaker_open";
export const TARGET_BUSY = "target_busy";
