/**
 * `H` in a cron expression: "at some minute, I do not mind which". The name of the schedule decides, so each has its own place, the same
 * on every node and after every restart, and a thousand nightly schedules do not start in one minute.
 */
import { Refusal } from "./refusal.ts";
import { hashText } from "./text-hash.ts";

/** What is to be known of the field. */
interface HashedField {
  name: string;
  within: string;
  low: number;
  high: number;
}

/** `H`, `H(a-b)`, either with a step. */
const HASH = /^H(?:\((\d{1,2})-(\d{1,2})\))?(?:\/(\d{1,4}))?$/i;

/** The field with each `H` replaced by the value or the steps that it stands for; without one as it is. */
export function resolveHash(text: string, field: HashedField, key: string): string {
  const plus = text.startsWith("+") ? "+" : "";
  const elements = text.slice(plus.length).split(",");
  return plus + elements.map((element) => (/^H/i.test(element) ? place(element, field, key) : element)).join(",");
}

function place(element: string, field: HashedField, key: string): string {
  const match = HASH.exec(element);
  if (!match) throw new Refusal(`"${element}" in the ${field.name} is not understood; H stands as H, H(0-29) or H/15.`);
  const [, from, to, stepText] = match;
  const low = from === undefined ? field.low : Number(from);
  const high = to === undefined ? highest(field) : Number(to);
  if (low < field.low || high > field.high || low > high) {
    throw new Refusal(
      `"${element}" in the ${field.name}: ${low}-${high} is no range from ${field.low} to ${field.high}.`,
    );
  }
  const hash = hashText(`${field.name} ${key}`);
  if (stepText === undefined) return String(low + (hash % (high - low + 1)));
  const step = Number(stepText);
  if (step === 0) throw new Refusal(`"${element}" in the ${field.name}: a step of 0 stands still.`);
  return `${low + (hash % Math.min(step, high - low + 1))}-${high}/${step}`;
}

/** Every month has 28 days, and Sunday is there once. */
function highest(field: HashedField): number {
  if (field.within === "month") return 28;
  return field.within === "week" ? 6 : field.high;
}
