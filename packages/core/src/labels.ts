/** Labels: what is special about a worker, and what a task asks of the worker that runs it. */
import { limits } from "./limits.ts";

export type Labels = Readonly<Record<string, string>>;

/** Every worker has this label, with its name; it can be asked for, and nobody gives it. */
export const WORKER_LABEL = "worker";

/** In the order of their keys. */
export function sortedLabels(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The same text for equal labels, in whatever order; empty for none. */
export function labelsText(labels: Labels | undefined): string {
  if (labels === undefined) return "";
  const entries = Object.entries(sortedLabels(labels));
  return entries.length === 0 ? "" : JSON.stringify(entries);
}

/** Those that are asked for and not there, with this value. */
export function missingLabels(has: Labels, wanted: Labels): Labels {
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => has[key] !== value));
}

export function hasLabels(has: Labels, wanted: Labels): boolean {
  for (const key in wanted) if (has[key] !== wanted[key]) return false;
  return true;
}

/** `region=eu, gpu=a100` */
export function formatLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
}

/** What is wrong with the value of a label; null when nothing is. */
export function labelValueProblem(value: string): string | null {
  if (value.length > limits.labelLength) return `A label's value has at most ${limits.labelLength} characters.`;
  return /[\0\p{Surrogate}]/u.test(value) ? "A label's value holds no NUL and no half of a character." : null;
}
