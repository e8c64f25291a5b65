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

/** Why a task waits for its target: what is kept as its reason meanwhile. */
export const BREAKER_OPEN = "breaker_open";
export const TARGET_BUSY = "target_busy";
