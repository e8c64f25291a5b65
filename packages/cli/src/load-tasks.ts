import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { AnyTask } from "@carillon/client";
import { usageError } from "./input.ts";

/** Every `task()` that these modules export. */
export async function loadTasks(files: readonly string[]): Promise<AnyTask[]> {
  const tasks = new Set<AnyTask>();
  for (const file of files) {
    const found = Object.values(await load(file)).filter(isTask);
    if (found.length === 0) throw usageError(`${file} exports no task(…)`);
    for (const definition of found) tasks.add(definition);
  }
  return [...tasks];
}

async function load(file: string): Promise<object> {
  const path = resolve(file);
  if (!existsSync(path)) throw usageError(`${file} does not exist`);
  if (/\.[cm]?tsx?$/.test(file) && !("typescript" in process.features && process.features.typescript)) {
    throw usageError(
      `this Node (${process.version}) does not run TypeScript files: compile ${file}, or use Node 22.18 or newer`,
    );
  }
  try {
    return (await import(pathToFileURL(path).href)) as object;
  } catch (cause) {
    throw usageError(`${file} could not be loaded: ${(cause as Error).stack ?? cause}`, cause);
  }
}

function isTask(value: unknown): value is AnyTask {
  return (
    typeof value === "object" && value !== null && "type" in value && "run" in value && typeof value.run === "function"
  );
}
