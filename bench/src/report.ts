/** What a run found, for people and for programs. */
import { cpus, totalmem } from "node:os";
import { type ContenderName, contenders } from "./contenders/index.ts";
import { type Spread, spread } from "./statistics.ts";

export interface Result {
  workload: string;
  title: string;
  unit: string;
  better: "higher" | "lower";
  contender: ContenderName;
  /** One entry a round; the figure to compare by comes first. */
  rounds: Record<string, number>[];
  /** Seconds of processor time by process, one entry a round. */
  cpu: Record<string, number>[];
  error?: string;
}

export interface Report {
  at: string;
  command: string;
  machine: { cpu: string; cores: number; memoryGiB: number };
  versions: Record<string, string>;
  settings: Record<string, string>;
  results: Result[];
}

export const machine = (): Report["machine"] => ({
  cpu: cpus()[0]?.model.trim() ?? "?",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
});

export function toMarkdown({ at, command, machine, versions, settings, results }: Report): string {
  const lines = [
    `Measured ${at} with \`${command}\` on ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, with ` +
      `${Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(", ")}. ` +
      "Median of the rounds (least – most); CPU is the seconds of all processes together, the store's included.",
    "",
    "| workload | | figure | others | CPU s |",
    "| --- | --- | --- | --- | --- |",
  ];
  for (const result of results) {
    const { title, unit, contender, error } = result;
    lines.push(`| ${title}, ${unit} | ${contenders[contender].title} | ${error ?? figures(result)} |`);
  }
  lines.push(
    "",
    ...sideBySide(results),
    "",
    ...Object.entries(settings).map(([name, text]) => `- ${contenders[name as ContenderName].title}: ${text}`),
  );
  return `${lines.join("\n")}\n`;
}

function figures({ rounds, cpu }: Result): string {
  const names = Object.keys(rounds[0] ?? {});
  const [first, ...others] = names.map((name) => ({
    name,
    ...spread(rounds.map((round) => round[name] ?? Number.NaN)),
  }));
  if (!first) return "no figure | |";
  const cost = spread(cpu.map((round) => Object.values(round).reduce((sum, seconds) => sum + seconds, 0)));
  return [
    `**${shown(first.median)}** (${shown(first.min)} – ${shown(first.max)})`,
    others.map((other) => `${other.name} ${shown(other.median)}`).join(", "),
    shown(cost.median),
  ].join(" | ");
}

function shown(value: Spread["median"]): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

const OURS: ContenderName = "carillon";
const LIMIT: ContenderName = "raw-sql";

/** A line for each workload, a column for each contender, and how we do beside the best peer and the limit: above 1 we are ahead. */
function sideBySide(results: Result[]): string[] {
  const names = (Object.keys(contenders) as ContenderName[]).filter((name) =>
    results.some(({ contender }) => contender === name),
  );
  const heads = [...names.map((name) => contenders[name].title), "to the best peer", `to ${contenders[LIMIT].title}`];
  const lines = [`| | ${heads.join(" | ")} |`, `|${" --- |".repeat(heads.length + 1)}`];
  for (const workload of new Set(results.map((result) => result.workload))) {
    const here = results.filter((result) => result.workload === workload);
    const of = (name: ContenderName) => here.find(({ contender }) => contender === name);
    const { title, unit, better } = here[0]!;
    const figures = names.map((name) => cell(of(name)));
    const peers = here
      .filter(({ contender }) => contenders[contender].peer)
      .map(medianOf)
      .filter(Number.isFinite);
    const best = better === "higher" ? Math.max(...peers) : Math.min(...peers);
    const ratio = (to: number) => {
      const times = better === "higher" ? medianOf(of(OURS)) / to : to / medianOf(of(OURS));
      return Number.isFinite(times) && times > 0 ? `${times.toFixed(2)} ×` : "–";
    };
    lines.push(`| ${title}, ${unit} | ${[...figures, ratio(best), ratio(medianOf(of(LIMIT)))].join(" | ")} |`);
  }
  return lines;
}

/** For lateness p50 / p99 / max, else the figure with its least and most. */
function cell(result: Result | undefined): string {
  if (!result) return "–";
  if (result.error) return "failed";
  const median = (name: string) => shown(spread(result.rounds.map((round) => round[name] ?? Number.NaN)).median);
  const [first] = Object.keys(result.rounds[0] ?? {});
  if (first === "p99") return [median("p50"), median("p99"), median("max")].join(" / ");
  const { min, max } = spread(result.rounds.map((round) => Object.values(round)[0]!));
  const range = result.rounds.length > 1 ? ` (${shown(min)} – ${shown(max)})` : "";
  return `${shown(medianOf(result))}${range}`;
}

const medianOf = (result: Result | undefined): number =>
  spread((result?.rounds ?? []).map((round) => Object.values(round)[0] ?? Number.NaN)).median;
