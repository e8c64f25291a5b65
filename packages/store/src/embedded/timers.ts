/** Everything in this folder that waits or repeats. Deadlines use the monotonic clock; nothing here decides about tasks. */

/** Asks until the answer is yes. False: `timeoutMs` passed first. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { timeoutMs, everyMs = 10 }: { timeoutMs: number; everyMs?: number },
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() >= deadline) return false;
    await pause(everyMs);
  }
  return true;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Calls `work` every `everyMs` until the returned function is called. Does not keep the process alive. */
export function repeat(everyMs: number, work: () => void): () => void {
  const timer = setInterval(work, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
