/** A file of definitions, checked as far as is needed to send each of them; what is in them is the node's to check. */
import type { ScheduleOptions } from "@carillon/client";
import { isName } from "@carillon/core/limits";
import { readText, usageError } from "./input.ts";

export interface NamedSchedule {
  name: string;
  definition: ScheduleOptions;
}

/** `{"schedules": [{"name", …}]}`, each as in `POST /schedules`. */
export function readApplyFile(file: string): NamedSchedule[] {
  const shown = file === "-" ? "standard input" : file;
  const whole = parse(readText(file), shown);
  if (!isObject(whole)) throw usageError(`${shown} holds no object such as {"schedules": […]}`);
  const unknown = Object.keys(whole).find((key) => key !== "schedules");
  if (unknown !== undefined) throw usageError(`${shown}: /${unknown}: only schedules can be applied`);
  if (!Array.isArray(whole.schedules)) throw usageError(`${shown}: /schedules: a list of schedules is missing`);
  const names = new Set<string>();
  return whole.schedules.map((item: unknown, index) => {
    const at = `${shown}: /schedules/${index}`;
    if (!isObject(item)) throw usageError(`${at}: no object`);
    const { name, ...definition } = item;
    if (typeof name !== "string" || !isName(name)) throw usageError(`${at}/name: a name is missing, or is none`);
    if (names.has(name)) throw usageError(`${at}/name: ${name} is there twice`);
    names.add(name);
    if (!isObject(definition.task)) throw usageError(`${at}/task: the task that each fire creates is missing`);
    return { name, definition: { ...definition, task: { ...definition.task } } as unknown as ScheduleOptions };
  });
}

function parse(text: string, shown: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw usageError(`${shown} is not JSON: ${(cause as Error).message}`, cause);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
