/** Daily schedules around changes of the clock, as data that anybody may use (`bench/time/cases.jsonl`). */
import { readFileSync } from "node:fs";

export interface TimeCase {
  zone: string;
  change: "gap" | "overlap";
  /** The instant of the change. */
  at: string;
  expression: string;
  /** Every fire from two days before the change to two days after it: what a gap leaves out fires when it ends, what comes twice fires once. */
  fires: string[];
}

export function readCases(): TimeCase[] {
  const text = readFileSync(new URL("../../time/cases.jsonl", import.meta.url), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as TimeCase);
}

export const AROUND_MS = 2 * 86_400_000;
