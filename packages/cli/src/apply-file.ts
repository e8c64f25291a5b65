/** A file of definitions, checked as far as is needed to send each of them; what is in them is the node's to check. */
import type { CalendarOptions, ScheduleOptions } from "@carillon/client";
import { isName } from "@carillon/core/limits";
import { readText, usageError } from "./input.ts";

export interface NamedCalendar {
  name: string;
  definition: CalendarOptions;
}

export interface NamedSchedule {
  name: string;
  definition: ScheduleOptions;
}

export interface ApplyFile {
  calendars: NamedCalendar[];
  schedules: NamedSchedule[];
}

/** `{"calendars": [{"name", …}], "schedules": [{"name", …}]}`, each as in its `PUT`; one of the two lists may be left out. */
export function readApplyFile(file: string): ApplyFile {
  const shown = file === "-" ? "standard input" : file;
  const whole = parse(readText(file), shown);
  if (!isObject(whole)) throw usageError(`${shown} holds no object such as {"schedules": […]}`);
  const unknown = Object.keys(whole).find((key) => key !== "schedules" && key !== "calendars");
  if (unknown !== undefined) throw usageError(`${shown}: /${unknown}: only calendars and schedules can be applied`);
  if (whole.schedules === undefined && whole.calendars === undefined)
    throw usageError(`${shown}: /schedules: a list of schedules is missing`);
  return {
    calendars: readList(whole.calendars, `${shown}: /calendars`).map(({ name, definition }) => {
      return { name, definition: definition as unknown as CalendarOptions };
    }),
    schedules: readList(whole.schedules, `${shown}: /schedules`).map(({ name, definition }, index) => {
      const { task } = definition;
      if (!isObject(task))
        throw usageError(`${shown}: /schedules/${index}/task: the task that each fire creates is missing`);
      return { name, definition: { ...definition, task: { ...task } } as unknown as ScheduleOptions };
    }),
  };
}

function readList(list: unknown, at: string): { name: string; definition: Record<string, unknown> }[] {
  if (list === undefined) return [];
  if (!Array.isArray(list)) throw usageError(`${at}: no list`);
  const names = new Set<string>();
  return list.map((item: unknown, index) => {
    if (!isObject(item)) throw usageError(`${at}/${index}: no object`);
    const { name, ...definition } = item;
    if (typeof name !== "string" || !isName(name))
      throw usageError(`${at}/${index}/name: a name is missing, or is none`);
    if (names.has(name)) throw usageError(`${at}/${index}/name: ${name} is there twice`);
    names.add(name);
    return { name, definition };
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
