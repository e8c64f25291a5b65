/** Which calendars a schedule names, and as what. */
import type { Calendar, NamedCalendar } from "@carillon/core";

export type Naming = { excludes?: readonly string[]; includes?: readonly string[] };

/** Those that it excludes, in its order, then those that it includes. */
export function calendarNames({ excludes = [], includes = [] }: Naming): string[] {
  return [...excludes, ...includes];
}

/** With what is found under these names, in the same order. */
export function namedCalendars(
  { excludes = [], includes = [] }: Naming,
  find: (name: string) => Calendar | undefined,
): NamedCalendar[] {
  const named = (names: readonly string[], more: { included?: true }) =>
    names.flatMap((name) => {
      const calendar = find(name);
      return calendar ? [{ name, calendar, ...more }] : [];
    });
  return [...named(excludes, {}), ...named(includes, { included: true })];
}
