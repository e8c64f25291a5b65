/** What somebody may have meant who wrote a name that there is not. */
import { invalid } from "./errors.ts";

/** Throws `invalid_request` for an option that nobody reads. */
export function checkOptions(given: object, known: readonly string[]): void {
  for (const key of Object.keys(given))
    if (!known.includes(key))
      throw invalid(`/${key}`, "unknown_option", `there is no option "${key}"${suggest(key, known)}`);
}

/** `; did you mean X?` for the nearest name, when one is near. */
export function suggest(name: string, names: readonly string[]): string {
  const ranked = names
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best && best.distance <= Math.max(2, name.length / 4) ? `; did you mean ${best.candidate}?` : "";
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((next[j - 1] as number) + 1, (row[j] as number) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] as number;
}
