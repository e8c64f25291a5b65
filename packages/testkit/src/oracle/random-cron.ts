/** Cron expressions that nobody would think of, of all dialects. Some are refused by the product, which is for the caller to see. */
import type { Dialect } from "./plain-cron.ts";

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

export function randomCron(random: () => number): { expression: string; dialect: Dialect } {
  const under = (size: number) => Math.floor(random() * size);
  const oneOf = <Item>(items: readonly Item[]): Item => items[under(items.length)]!;
  const dialect = oneOf(["ocps", "ocps", "ocps", "vixie", "quartz", "aws"] as const);
  const rich = dialect !== "vixie";
  const wraps = dialect === "ocps" || dialect === "quartz";
  const sunday = dialect === "quartz" || dialect === "aws" ? 1 : 0;

  function element(low: number, high: number, called: string[] = []): string {
    const value = () => {
      const drawn = low + under(high - low + 1);
      const name = called[drawn - low];
      return { drawn, text: name !== undefined && random() < 0.3 ? name : String(drawn) };
    };
    const range = () => {
      const ends = [value(), value()] as const;
      const [first, last] = wraps && random() < 0.5 ? ends : ends.toSorted((a, b) => a.drawn - b.drawn);
      return `${first!.text}-${last!.text}`;
    };
    const step = () => 1 + under(random() < 0.2 ? 70 : 12);
    const kind = random();
    if (kind < 0.5) return value().text;
    if (kind < 0.7) return range();
    if (kind < 0.85) return `${range()}/${step()}`;
    if (kind < 0.92 && sunday === 1) return `${value().text}/${step()}`;
    return `*/${step()}`;
  }
  function list(low: number, high: number, called?: string[]): string {
    return Array.from({ length: 1 + under(3) }, () => element(low, high, called)).join(",");
  }
  const field = (wild: number, low: number, high: number, called?: string[]) =>
    random() < wild ? "*" : list(low, high, called);

  function dayOfMonth(): string {
    if (!rich || random() < 0.7) return field(0.4, 1, 31);
    return oneOf([
      "L",
      `L-${under(31)}`,
      "LW",
      `${1 + under(31)}W`,
      `${list(1, 31)},L`,
      `L-${under(9)},${1 + under(31)}`,
    ]);
  }
  function dayOfWeek(): string {
    const day = () => String(sunday + under(7));
    const plain = field(0.4, sunday, sunday + 6, WEEKDAYS);
    if (!rich || random() < 0.6) return plain;
    const nth = `${random() < 0.5 ? day() : oneOf(WEEKDAYS)}#${1 + under(5)}`;
    const own = dialect === "ocps" ? [`+${plain}`, `+${nth}`, `${day()}#L`, "7"] : ["L"];
    return oneOf([nth, `${day()}L`, `${nth},${day()}L`, `${day()},${nth}`, ...own]);
  }

  const days = [dayOfMonth(), dayOfWeek()];
  if (sunday === 1) days[under(2)] = "?";
  else if (dialect === "ocps" && random() < 0.1) days[under(2)] = "?";
  const [dom, dow] = days as [string, string];
  const time = [field(0.15, 0, 59), random() < 0.3 ? field(0.5, 0, 23) : list(0, 23)];
  const seconds = dialect === "quartz" || (dialect === "ocps" && random() < 0.15) ? [field(0.05, 0, 59)] : [];
  const mayHaveYears = dialect === "aws" || (seconds.length > 0 && random() < 0.2);
  const years = mayHaveYears ? [random() < 0.7 ? "*" : list(2020, 2037)] : [];
  return { expression: [...seconds, ...time, dom, field(0.6, 1, 12, MONTHS), dow, ...years].join(" "), dialect };
}
