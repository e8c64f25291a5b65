import { type HttpOptions, request } from "./http.ts";
import { eachItem } from "./pages.ts";
import type { Calendar, CalendarSummary, Page, Weekday } from "./types.ts";

/** What a calendar covers; everything is on the wall clock of its zone. */
export interface CalendarOptions {
  /** IANA name. */
  timeZone: string;
  /** Each week on these days; `from` is 00:00 and `to` 24:00 when left out. */
  weekly?: { days: Weekday[]; from?: string; to?: string }[];
  /** Whole days: `2026-12-25`. */
  dates?: string[];
  /** `from <= t < to`, dates or dates with a time. */
  ranges?: { from: string; to: string }[];
  /** iCalendar text. */
  ics?: string;
}

export interface CalendarListQuery {
  pageSize?: number;
  pageToken?: string;
}

/** Days and hours under a name, for the `excludes` and `includes` of schedules. */
export class CalendarsClient {
  readonly #http: HttpOptions;

  constructor(http: HttpOptions) {
    this.#http = http;
  }

  /** Creates it or replaces it, also for the schedules that use it; an equal one changes nothing. `dryRun`: answers how it would be, and stores nothing. */
  put(name: string, options: CalendarOptions, { dryRun = false }: { dryRun?: boolean } = {}): Promise<Calendar> {
    const query = dryRun ? { dryRun: "1" } : {};
    return request(this.#http, { method: "PUT", path: this.#path(name), query, body: options });
  }

  get(name: string): Promise<Calendar> {
    return request(this.#http, { method: "GET", path: this.#path(name) });
  }

  /** One page, by name. */
  async list(query: CalendarListQuery = {}): Promise<Page<CalendarSummary>> {
    const answer = await request<{ calendars: CalendarSummary[]; nextPageToken: string | null }>(this.#http, {
      method: "GET",
      path: "/api/v1/calendars",
      query: { ...query },
    });
    return { items: answer.calendars, nextPageToken: answer.nextPageToken };
  }

  /** Every calendar, page after page. */
  listAll(query: CalendarListQuery = {}): AsyncGenerator<CalendarSummary> {
    return eachItem((page: CalendarListQuery) => this.list(page), query);
  }

  /** Only one that no schedule uses (`calendar_in_use`). */
  async delete(name: string): Promise<void> {
    await request(this.#http, { method: "DELETE", path: this.#path(name) });
  }

  #path(name: string): string {
    return `/api/v1/calendars/${encodeURIComponent(name)}`;
  }
}
