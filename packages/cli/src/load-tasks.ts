import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type AnyTask, CarillonError } from "@carillon/client";

/** Every `task()` that these modules export. */
export async function loadTasks(files: readonly string[]): Promise<AnyTask[]> {
  const tasks = new Map<string, AnyTask>();
  for (const file of files) {
    const found = Object.values(await load(file)).filter(isTask);
    if (found.length === 0) throw new CarillonError("invalid_request", { detail: `${file} exports no task(…)` });
    for (const definition of found) tasks.set(definition.type, definition);
  }
  return [...tasks.values()];
}

async function load(file: string): Promise<object> {
  const path = resolve(file);
  if (!existsSync(path)) throw new CarillonError("invalid_request", { detail: `${file} does not exist` });
  try {
    return (await import(pathToFileURL(path).href)) as object;
  } catch (error) {
    const stripsTypes = Boolean((process.features as { typescript?: string | false }).typescript);
    const hint =
      /\.[cm]?tsx?$/.test(file) && !stripsTypes
        ? " (this Node does not run TypeScript files; compile it, or use Node 24)"
        : "";
    throw new CarillonError("invalid_request", {
      detail: `${file} could not be loaded${hint}: ${(error as Error).message}`,
      cause: error,
    });
  }
}

function isTask(value: unknown): value is AnyTask {
  return (
    typeof value === "object" && value !== null && "type" in value && "run" in value && typeof value.run === "function"
  );
}
