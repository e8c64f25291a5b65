import { closeSync, fdatasyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Faster than any disk that really writes; battery-backed controllers and NVMe with power-loss protection stay below. */
const impossibleFsyncsPerSecond = 100_000;
const lowSpaceBytes = 1024 ** 3;

/** What the operator should know about the disk that holds `folder`. Takes about 20 ms, on a slow disk the time of ten fsyncs. */
export function diskWarnings(folder: string): string[] {
  const warnings: string[] = [];
  const perSecond = measureFsyncs(folder) ?? 0;
  if (perSecond > impossibleFsyncsPerSecond) {
    warnings.push(
      `The disk that holds ${folder} does not seem to write when told to (${Math.round(perSecond / 1000)}k fsyncs per second): ` +
        "acknowledged tasks may be lost when the machine stops without warning.",
    );
  }
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free < lowSpaceBytes) {
    warnings.push(`The disk that holds ${folder} is almost full: ${Math.floor(free / 1024 ** 2)} MB are free.`);
  }
  return warnings;
}

/**
 * By the median of single calls, which a busy machine does not spoil. Synchronous on purpose: a detour over the thread pool
 * costs more than the fastest fsyncs that are told apart here.
 */
function measureFsyncs(folder: string): number | null {
  const path = join(folder, `fsync.tmp-${process.pid}`);
  let file: number | null = null;
  try {
    file = openSync(path, "w", 0o600);
    const page = Buffer.alloc(8192, 1);
    const start = performance.now();
    const durations: number[] = [];
    while (durations.length < 10 || (durations.length < 200 && performance.now() - start < 20)) {
      const before = performance.now();
      writeSync(file, page, 0, page.length, 0);
      fdatasyncSync(file);
      durations.push(performance.now() - before);
    }
    return 1000 / durations.sort((a, b) => a - b)[durations.length >> 1]!;
  } catch {
    return null; // Full: said by the other warning.
  } finally {
    if (file !== null) closeSync(file);
    rmSync(path, { force: true });
  }
}
