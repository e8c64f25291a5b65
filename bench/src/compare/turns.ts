/** What turns cost, and how two builds differ by them. */

/** Microseconds a task. */
export interface Turn {
  /** Processor time of the node, its client and its worker. */
  node: number;
  /** Processor time of PostgreSQL. */
  store: number;
  wall: number;
}

/** Turns of the same processes. */
export interface Round {
  there: Turn[];
  here: Turn[];
}

const measures: Record<string, (turn: Turn) => number> = {
  "node and store": ({ node, store }) => node + store,
  node: ({ node }) => node,
  store: ({ store }) => store,
  wall: ({ wall }) => wall,
};

/** Means over the rounds; behind ± the standard error of the difference. */
export function toMarkdown(load: string, rounds: readonly Round[]): string {
  const lines = Object.entries(measures).map(([name, measure]) => {
    const there = rounds.map((round) => trimmedMean(round.there.map(measure)));
    const here = rounds.map((round) => trimmedMean(round.here.map(measure)));
    const before = mean(there);
    const differences = here.map((value, index) => value - there[index]!);
    const percent = (value: number) => `${((value / before) * 100).toFixed(1)} %`;
    return `| ${name} | ${before.toFixed(2)} | ${mean(here).toFixed(2)} | ${percent(mean(differences))} ± ${percent(standardError(differences))} |`;
  });
  const head = `| ${load}, µs a task (${rounds.length} rounds) | there | here | difference |\n| --- | --- | --- | --- |`;
  return `\n${head}\n${lines.join("\n")}`;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function standardError(values: readonly number[]): number {
  const middle = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / Math.max(1, values.length - 1);
  return Math.sqrt(variance / values.length);
}

/** Without the tenth at either end, in which something else ran. */
function trimmedMean(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const cut = Math.floor(sorted.length / 10);
  return mean(sorted.slice(cut, sorted.length - cut));
}
