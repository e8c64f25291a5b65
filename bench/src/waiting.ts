export const now = (): number => performance.timeOrigin + performance.now();
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Throws when it takes longer. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 120_000,
  everyMs = 5,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms`);
    await sleep(everyMs);
  }
}
