import { type Calendar, nextFireAt } from "@carillon/core";
import fc from "fast-check";
import { command } from "../command.ts";
import { same, type World } from "../world.ts";
import { everyPage } from "./people.ts";

const name = fc.constantFrom("holidays", "nights");
/** Now and then through the wrong namespace. */
const foreign = fc.constantFrom(false, false, false, true);
const namespaceOf = (world: World, isForeign: boolean) => world.namespaces[isForeign ? 1 : 0];

/** Some of the hours around the world's clock, which begins on 1 June 2026. */
const calendar = fc.constantFrom<Calendar[]>(
  { timeZone: "UTC", weekly: [], dates: [], ranges: [], events: [] },
  { timeZone: "UTC", weekly: [], dates: ["2026-06-01"], ranges: [], events: [] },
  {
    timeZone: "Europe/Paris",
    weekly: [{ days: ["MON", "TUE"], from: "22:00", to: "06:00" }],
    dates: [],
    ranges: [{ from: "2026-06-01T03:00", to: "2026-06-01T04:30" }],
    events: [],
  },
);

const putCalendar = command(
  "putCalendar",
  fc.record({ name, foreign, calendar, ics: fc.constantFrom(null, null, "BEGIN:VCALENDAR") }),
  async (world, { name, foreign, calendar, ics }) => {
    const { now } = world;
    const request = { namespace: namespaceOf(world, foreign), name, calendar, ics, now };
    await same(world, (store) => store.putCalendar(request, ({ rule }, calendars) => nextFireAt(rule, now, calendars)));
  },
);

const deleteCalendar = command("deleteCalendar", fc.record({ name, foreign }), async (world, { name, foreign }) => {
  await same(world, (store) => store.deleteCalendar(namespaceOf(world, foreign), name));
});

const getCalendar = command("getCalendar", fc.record({ name, foreign }), async (world, { name, foreign }) => {
  await same(world, (store) => store.getCalendar(namespaceOf(world, foreign), name));
  await same(world, (store) => store.calendars(namespaceOf(world, foreign), ["nights", name]));
});

export async function listCalendars(world: World, namespace: string): Promise<void> {
  await everyPage(world, (store, after) => store.listCalendars(namespace, { pageSize: 1, after }));
}

export const calendarCommands = [putCalendar, putCalendar, putCalendar, deleteCalendar, getCalendar];
