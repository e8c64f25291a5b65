/**
 * Reads what happened from three independent accounts: what clients were told (acknowledgements), what the database holds (archive and
 * ledger), and what the workers wrote into their own journals. Every finding is one line that names the task or fire.
 */
import { checkLedger, type ExpectedOfSchedule } from "@carillon/testkit";

export interface History {
  /** Ids that a client got an answer for, with the instant asked for (epoch ms). */
  acknowledged: { id: string; dueAt: number }[];
  /** Rows of final tasks; more than one for an id would be an outcome recorded twice. */
  archived: {
    id: string;
    state: string;
    token: string;
    attempt: number;
    startedAt: number | null;
    schedule: string | null;
    fireAt: number | null;
  }[];
  /** Ids of tasks that are not final. */
  unfinished: string[];
  /** Rows of the fire ledger. */
  ledger: { schedule: string; fireAt: number; outcome: string; task: string | null }[];
  /** Fires that must be in the ledger, computed without it. */
  expectedFires: ExpectedOfSchedule[];
  journal: JournalLine[];
  /** Tasks of workflows that a client got an answer for, with the ids of those that come before each. */
  ordered?: { id: string; after: string[] }[];
  /** Keys of the tasks of workflows, as they came to be and as they should be. */
  graphs?: { id: string; keys: string[]; expected: string[] }[];
}

export interface JournalLine {
  /** `added`: tasks to its workflow. */
  event: "start" | "end" | "aborted" | "added";
  taskId: string;
  attempt: number;
  token: string;
  /** Process id. */
  worker: number;
  at: number;
  dueAt: number;
  schedule: string | null;
  fireAt: number | null;
  why?: string;
}

export interface CheckOptions {
  /** Nothing was killed: no task may have started twice. */
  undisturbed: boolean;
}

export function check(history: History, { undisturbed }: CheckOptions): string[] {
  return [
    ...checkNothingLost(history),
    ...checkOneOutcome(history),
    ...checkJournal(history, undisturbed),
    ...checkFires(history),
    ...checkOrder(history),
    ...checkGraphs(history),
  ];
}

/** What a task added in several attempts is there once. */
function checkGraphs({ graphs = [] }: History): string[] {
  return graphs.flatMap(({ id, keys, expected }) => {
    const shown = keys.toSorted().join(" ");
    const wanted = expected.toSorted().join(" ");
    return shown === wanted ? [] : [`${id} has the tasks ${shown} instead of ${wanted}`];
  });
}

/** No attempt of a child began before each of its parents had ended, by the attempt that was recorded. */
function checkOrder({ ordered = [], archived, journal }: History): string[] {
  const lines = groupBy(journal, ({ taskId }) => taskId);
  const tokens = new Map(archived.map(({ id, token }) => [id, token]));
  const endOf = (id: string) =>
    (lines.get(id) ?? []).find(({ event, token }) => event === "end" && token === tokens.get(id))?.at;
  return ordered.flatMap(({ id, after }) => {
    if (!tokens.has(id)) return [`${id} of a workflow is not final`];
    const starts = (lines.get(id) ?? []).filter(({ event }) => event === "start").map(({ at }) => at);
    const early = after.filter((parent) => Math.min(...starts) < (endOf(parent) ?? Number.POSITIVE_INFINITY));
    return early.map((parent) => `${id} started before ${parent} had ended`);
  });
}

function checkNothingLost({ acknowledged, archived, unfinished }: History): string[] {
  const states = new Map(archived.map(({ id, state }) => [id, state]));
  const known = new Set([...states.keys(), ...unfinished]);
  return [
    ...acknowledged.filter(({ id }) => !known.has(id)).map(({ id }) => `${id} was acknowledged and is gone`),
    ...unfinished.map((id) => `${id} is not final`),
    ...archived.filter(({ state }) => state !== "succeeded").map(({ id, state }) => `${id} ended ${state}`),
  ];
}

function checkOneOutcome({ archived }: History): string[] {
  const rows = groupBy(archived, ({ id }) => id);
  return [...rows].filter(([, all]) => all.length > 1).map(([id, all]) => `${id} has ${all.length} recorded outcomes`);
}

/** The recorded attempt ran, with the highest token; tokens grow from start to start; a token belongs to one process. */
function checkJournal({ archived, journal }: History, undisturbed: boolean): string[] {
  const findings: string[] = [];
  const lines = groupBy(journal, ({ taskId }) => taskId);
  for (const { id, token } of archived) {
    const own = (lines.get(id) ?? []).toSorted((a, b) => a.at - b.at);
    const starts = own.filter(({ event }) => event === "start");
    if (!own.some((line) => line.event === "end" && line.token === token))
      findings.push(`${id}: no worker finished the recorded attempt (token ${token})`);
    if (starts.some((start) => BigInt(start.token) > BigInt(token)))
      findings.push(`${id}: an outcome with an older token than the last start was recorded`);
    if (undisturbed && starts.length !== 1) findings.push(`${id} started ${starts.length} times`);
    for (const [index, start] of starts.entries()) {
      const before = starts[index - 1];
      if (before && BigInt(start.token) <= BigInt(before.token))
        findings.push(`${id}: token ${start.token} was handed out twice or went back`);
    }
  }
  return findings;
}

function checkFires({ ledger, expectedFires, archived }: History): string[] {
  const key = ({ schedule, fireAt }: { schedule: string | null; fireAt: number | null }) =>
    `${schedule} at ${fireAt === null ? "?" : new Date(fireAt).toISOString()}`;
  const rows = groupBy(ledger, key);
  const tasks = groupBy(
    archived.filter(({ schedule }) => schedule !== null),
    key,
  );
  return [
    ...checkLedger({ fires: ledger, expectedFires }),
    ...[...tasks].filter(([, all]) => all.length > 1).map(([fire, all]) => `${fire} has ${all.length} tasks`),
    ...[...rows.keys()].filter((fire) => !tasks.has(fire)).map((fire) => `${fire} has no task that ended`),
  ];
}

/** Milliseconds from a task's instant to its first start, and to the start of the attempt that was recorded. */
export function delays({ archived, journal, acknowledged }: History): { first: number[]; recorded: number[] } {
  const instants = new Map(acknowledged.map(({ id, dueAt }) => [id, dueAt]));
  const starts = groupBy(
    journal.filter(({ event }) => event === "start"),
    ({ taskId }) => taskId,
  );
  const first: number[] = [];
  const recorded: number[] = [];
  for (const { id, token, fireAt } of archived) {
    const own = starts.get(id) ?? [];
    const instant = fireAt ?? instants.get(id);
    if (own.length === 0 || instant === undefined) continue;
    first.push(Math.min(...own.map(({ at }) => at)) - instant);
    const last = own.find((line) => line.token === token);
    if (last) recorded.push(last.at - instant);
  }
  return { first, recorded };
}

export function percentiles(values: number[]): { n: number; min: number; p50: number; p99: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN) * 100) / 100;
  return { n: sorted.length, min: at(0), p50: at(0.5), p99: at(0.99), max: at(1) };
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
