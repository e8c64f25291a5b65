/**
 * What the wall clock of a zone shows, read from the runtime as date and time of day. Wall times are epoch milliseconds as if the clock
 * showed UTC. A stretch whose two ends show the same offset is taken not to change in between: a day, or else an hour, or else a minute.
 */
const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTE = 60_000;
const LAST_DAY = Math.floor(Date.UTC(2201, 0, 1) / DAY);
/** Instead of an offset, in seconds. */
const UNKNOWN = -2_000_000;
const VARIES = -1_000_000;

export interface Change {
  /** The first instant after it. */
  at: number;
  /** What the clock showed a second before, and shows then. */
  wallBefore: number;
  wallAfter: number;
}

export class WallClock {
  readonly zone: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #days = new Int32Array(LAST_DAY + 1).fill(UNKNOWN);
  /** Offsets of the hours and minutes of days on which it varies. */
  readonly #changing = new Map<number, { hours: Int32Array; minutes: Int32Array }>();

  constructor(zone: string) {
    this.zone = zone;
    this.#format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
  }

  /** From 1970 to 2200, to the second. */
  wallAt(instant: number): number {
    const offset = this.offsetOfDay(instant) ?? this.#offsetWithinDay(instant);
    return offset === null ? this.#read(instant) : instant + offset;
  }

  /** Milliseconds; null: the clock changes on that day of UTC. */
  offsetOfDay(instant: number): number | null {
    const day = Math.floor(instant / DAY);
    let offset = this.#days[day] ?? VARIES;
    if (offset === UNKNOWN) offset = this.#days[day] = this.#offsetOf(day * DAY, DAY);
    return offset === VARIES ? null : offset * 1000;
  }

  /** In order, with `from < at <= until`: looked for second by second in each minute, and minute by minute on each day, that shows one. */
  changes(from: number, until: number): Change[] {
    const found: Change[] = [];
    for (let day = Math.floor(from / DAY) * DAY; day <= until; day += DAY) {
      if (this.offsetOfDay(day) !== null) continue;
      for (let minute = day; minute < day + DAY; minute += MINUTE) {
        if (this.#offsetWithinDay(minute) !== null) continue;
        for (let at = minute + 1000; at <= minute + MINUTE; at += 1000) {
          const [wallBefore, wallAfter] = [this.#read(at - 1000), this.#read(at)];
          if (wallAfter - wallBefore !== 1000 && at > from && at <= until) found.push({ at, wallBefore, wallAfter });
        }
      }
    }
    return found;
  }

  /** Null: the clock changes within that minute. */
  #offsetWithinDay(instant: number): number | null {
    const day = Math.floor(instant / DAY);
    let known = this.#changing.get(day);
    if (!known) {
      known = { hours: new Int32Array(24).fill(UNKNOWN), minutes: new Int32Array(1_440).fill(UNKNOWN) };
      this.#changing.set(day, known);
    }
    const { hours, minutes } = known;
    const hour = Math.floor((instant - day * DAY) / HOUR);
    if (hours[hour] === UNKNOWN) hours[hour] = this.#offsetOf(day * DAY + hour * HOUR, HOUR);
    if (hours[hour] !== VARIES) return hours[hour]! * 1000;
    const minute = Math.floor((instant - day * DAY) / MINUTE);
    if (minutes[minute] === UNKNOWN) minutes[minute] = this.#offsetOf(day * DAY + minute * MINUTE, MINUTE);
    return minutes[minute] === VARIES ? null : minutes[minute]! * 1000;
  }

  #offsetOf(from: number, length: number): number {
    const offset = this.#read(from) - from;
    return this.#read(from + length) - (from + length) === offset ? offset / 1000 : VARIES;
  }

  #read(instant: number): number {
    const text = this.#format.format(instant);
    const fields = /^(\d\d)\/(\d\d)\/(\d{4}), (\d\d):(\d\d):(\d\d)$/.exec(text);
    if (!fields) throw new Error(`A wall clock that is not understood: ${text}`);
    const [, day, month, year, hour, minute, second] = fields.map(Number) as [number, ...number[]];
    return Date.UTC(year!, month! - 1, day, hour, minute, second) + (((instant % 1000) + 1000) % 1000);
  }
}
