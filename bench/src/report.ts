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
