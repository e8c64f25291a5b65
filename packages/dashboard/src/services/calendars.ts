import { queryOptions } from "@tanstack/react-query";
import { request } from "./http.ts";

interface CalendarPage {
  calendars: { name: string; timeZone: string }[];
}

/** As many as fit one page; a schedule that excludes others keeps them. */
export function calendarsQuery() {
  return queryOptions({
    queryKey: ["calendars"],
    queryFn: ({ signal }) => request<CalendarPage>("GET", "/calendars?pageSize=200", { signal }),
  });
}
