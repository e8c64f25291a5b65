/** How often a task was started, and what bounds that: its failures. A start that was lost, or asked for by hand, is none of them. */
export function startWords({ attempt, maxAttempts }: { attempt: number; maxAttempts: number }): string {
  const starts = attempt === 0 ? "not started" : `${ordinal(attempt)} start`;
  return `${starts}, at most ${maxAttempts} ${maxAttempts === 1 ? "failure" : "failures"}`;
}

const endings: Record<string, string> = { one: "st", two: "nd", few: "rd", other: "th" };
const rules = new Intl.PluralRules("en", { type: "ordinal" });

function ordinal(number: number): string {
  return `${number}${endings[rules.select(number)]}`;
}
