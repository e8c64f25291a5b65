/** A recurrence rule in plain words: "Every 2 weeks on Monday and Friday at 09:00, 10 times". */
import type { RruleParts } from "./rrule.ts";
import type { CompleteRrule } from "./rrule-wall.ts";

export function describeRrule({ parts, added, removed }: RruleParts): string {
  const { frequency, interval } = parts;
  const unit = units[frequency];
  const words = [
    interval === 1 ? `Every ${unit}` : `Every ${interval} ${unit}s`,
    days(parts),
    time(parts),
    parts.positions ? `only the ${list(parts.positions.map(place))} of these each ${unit}` : "",
  ];
  const ends = [
    parts.count === null ? "" : parts.count === 1 ? "once" : `${parts.count} times`,
    parts.until === null ? "" : `until ${moment(parts.until)}`,
    added === 0 ? "" : `and on ${added} more ${added === 1 ? "date" : "dates"}`,
    removed === 0 ? "" : `but for ${removed} ${removed === 1 ? "date" : "dates"}`,
  ];
  const [first, ...rest] = words.filter((text) => text !== "");
  const rule = rest.reduce((text, part) => text + (part.startsWith("only") ? ", " : " ") + part, first!);
  return [rule, ...ends.filter((text) => text !== "")].join(", ");
}

const units = {
  YEARLY: "year",
  MONTHLY: "month",
  WEEKLY: "week",
  DAILY: "day",
  HOURLY: "hour",
  MINUTELY: "minute",
  SECONDLY: "second",
} as const;

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = "January February March April May June July August September October November December".split(" ");

function days(parts: CompleteRrule): string {
  const of = parts.frequency === "YEARLY" && !parts.months ? "year" : "month";
  const found = [
    parts.weekdays
      ? `on ${list(parts.weekdays.map(({ weekday, n }) => (n === 0 ? weekdays[weekday]! : `the ${place(n)} ${weekdays[weekday]} of the ${of}`)))}`
      : "",
    parts.monthDays ? `on the ${list(parts.monthDays.map((day) => `${place(day)} day`))} of the month` : "",
    parts.yearDays ? `on the ${list(parts.yearDays.map((day) => `${place(day)} day`))} of the year` : "",
    parts.weeks ? `in week ${list(parts.weeks.map((week) => (week > 0 ? String(week) : place(week))))}` : "",
    parts.months ? `in ${list(parts.months.map((month) => months[month - 1]!))}` : "",
  ];
  return found.filter((text) => text !== "").join(" ");
}

/** As times of day where they are few, else field by field. */
function time({ hours, minutes, seconds }: CompleteRrule): string {
  const two = (value: number) => String(value).padStart(2, "0");
  if (hours && minutes && seconds && hours.length * minutes.length * seconds.length <= 6) {
    const times = hours.flatMap((hour) =>
      minutes.flatMap((minute) =>
        seconds.map((second) => `${two(hour)}:${two(minute)}${second === 0 ? "" : `:${two(second)}`}`),
      ),
    );
    return `at ${list(times)}`;
  }
  const field = (name: string, values: number[] | null) =>
    values === null ? [] : [`${name}${values.length === 1 ? "" : "s"} ${list(values.map(String))}`];
  const fields = [
    ...field("second", seconds?.length === 1 && seconds[0] === 0 ? null : seconds),
    ...field("minute", minutes),
    ...field("hour", hours),
  ];
  return fields.length === 0 ? "" : `at ${fields.join(" of ")}`;
}

function moment({ wall, kind }: { wall: number; kind: "local" | "utc" | "date" }): string {
  const text = new Date(wall).toISOString();
  if (kind === "date") return text.slice(0, 10);
  return `${text.slice(0, 10)} ${text.slice(11, text.endsWith(":00.000Z") ? 16 : 19)}${kind === "utc" ? " UTC" : ""}`;
}

/** `1st`, `last`, `2nd to last`. */
function place(n: number): string {
  if (n < 0) return n === -1 ? "last" : `${place(-n)} to last`;
  const tens = n % 100;
  const suffix = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${suffix}`;
}

function list(items: string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}
