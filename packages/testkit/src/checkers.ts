/**
 * What must hold of any history, whatever died on the way. Each checker returns its findings, one line each that names the task or fire;
 * none means that the promise was kept. Linear in the length of the journal.
 */
import { checkLimits } from "./check-limits.ts";
import type { History, JournalLine } from "./history.ts";

export interface CheckOptions {
  /** The system has been left alone long enough: everything accepted must be final. Default true. */
  settled?: boolean;
  /** How late an accepted task may start for the first time; left out: not checked. */
  maxLatenessMs?: number;
}

export function checkHistory(history: History, options: CheckOptions = {}): string[] {
  return [
    ...checkNothingLost(history, options),
    ...checkOneOutcome(history),
    ...checkTokensGrow(history),
    ...checkNoStaleOutcome(history),
    ...checkRecordedAttemptRan(history),
    ...checkFires(history),
    ...checkStarts(history, options),
    ...checkAlone(history),
    ...checkLimits(history),
  ];
}

/** Every accepted task is there, and final once the system has settled; nothing is there that nobody asked for. */
export function checkNothingLost({ journal, tasks }: History, { settled = true }: CheckOptions = {}): string[] {
  const stored = new Map(tasks.map((task) => [task.task, task]));
  const asked = new Set(linesOf(journal, "accepted", "unanswered").map(({ task }) => task));
  return [
    ...linesOf(journal, "accepted")
      .filter(({ task }) => !stored.has(task))
      .map(({ task }) => `${task} was accepted and is gone`),
    ...tasks
      .filter(({ task, schedule }) => schedule === null && !asked.has(task))
      .map(({ task }) => `${task} was never asked for`),
    ...tasks.filter(({ final }) => settled && !final).map(({ task, state }) => `${task} is still ${state}`),
  ];
}

/** At most one outcome per task, and it is the one that the store shows. The same one sent twice counts once. */
export function checkOneOutcome({ journal, tasks }: History): string[] {
  const findings: string[] = [];
  const recorded = new Map<string, Extract<JournalLine, { kind: "recorded" }>>();
  for (const line of linesOf(journal, "recorded")) {
    const first = recorded.get(line.task);
    if (!first) recorded.set(line.task, line);
    else if (first.token !== line.token || first.state !== line.state) {
      findings.push(`${line.task} has two outcomes: ${first.state} (${first.token}) and ${line.state} (${line.token})`);
    }
  }
  for (const { task, state, token, final } of tasks) {
    const line = recorded.get(task);
    if (line && final && (line.state !== state || line.token !== token)) {
      findings.push(`${task} was recorded ${line.state} (${line.token}) and is ${state} (${token})`);
    } else if (line && !final) {
      findings.push(`${task} was recorded ${line.state} and is ${state}`);
    }
  }
  return findings;
}

/** Tokens of a task strictly increase from claim to claim, and no token is ever with two workers. */
export function checkTokensGrow({ journal }: History): string[] {
  const findings: string[] = [];
  const last = new Map<string, bigint>();
  const holders = new Map<string, string>();
  for (const line of linesOf(journal, "claimed", "started")) {
    const token = BigInt(line.token);
    if (line.kind === "claimed") {
      const before = last.get(line.task);
      if (before !== undefined && token <= before)
        findings.push(`${line.task}: token ${token} was claimed after ${before}`);
      last.set(line.task, token);
      continue;
    }
    const key = `${line.task} ${line.token}`;
    if (holders.has(key)) findings.push(`${line.task}: token ${token} started twice`);
    holders.set(key, line.worker);
  }
  return findings;
}

/** No outcome was recorded under a token older than one that had been claimed by then. */
export function checkNoStaleOutcome({ journal }: History): string[] {
  const findings: string[] = [];
  const claimed = new Map<string, bigint>();
  const recorded = new Set<string>();
  for (const line of linesOf(journal, "claimed", "recorded")) {
    const token = BigInt(line.token);
    const newest = claimed.get(line.task) ?? 0n;
    if (line.kind === "claimed") {
      if (recorded.has(line.task)) findings.push(`${line.task} was claimed (${token}) after its outcome`);
      if (token > newest) claimed.set(line.task, token);
      continue;
    }
    if (token < newest) findings.push(`${line.task}: outcome of token ${token} was recorded, ${newest} holds it`);
    recorded.add(line.task);
  }
  return findings;
}

/** A success was reported by a worker that ran this very attempt to its end. */
export function checkRecordedAttemptRan({ journal }: History): string[] {
  const ended = new Set(linesOf(journal, "ended").map(({ task, token }) => `${task} ${token}`));
  return linesOf(journal, "recorded")
    .filter(({ state, task, token }) => state === "succeeded" && !ended.has(`${task} ${token}`))
    .map(({ task, token }) => `${task}: nobody ran the recorded attempt (${token})`);
}

/** Expected fires and the ledger are the same set, with the right outcomes. */
export function checkLedger({ fires, expectedFires }: Pick<History, "fires" | "expectedFires">): string[] {
  const findings: string[] = [];
  const expected = new Map(expectedFires.map((fire) => [fireKey(fire), fire]));
  const ledger = new Map<string, number>();
  for (const fire of fires) {
    const key = fireKey(fire);
    ledger.set(key, (ledger.get(key) ?? 0) + 1);
    const wanted = expected.get(key);
    if (!wanted) findings.push(`${key} was not expected`);
    else if (wanted.outcomes && !wanted.outcomes.includes(fire.outcome)) findings.push(`${key} is ${fire.outcome}`);
    else if (wanted.caughtUp !== undefined && fire.caughtUp !== undefined && wanted.caughtUp !== fire.caughtUp) {
      findings.push(`${key} is ${fire.caughtUp ? "" : "not "}caught up`);
    }
  }
  for (const [key, { optional }] of expected) {
    if (!optional && !ledger.has(key)) findings.push(`${key} is missing in the ledger`);
  }
  for (const [key, count] of ledger) if (count > 1) findings.push(`${key} is in the ledger ${count} times`);
  return findings;
}

/** The ledger is as expected, and each fire that became a task has exactly one. */
export function checkFires({ fires, tasks, expectedFires }: History): string[] {
  const findings = checkLedger({ fires, expectedFires });
  const byFire = new Map<string, string[]>();
  for (const { task, schedule, fireAt } of tasks) {
    if (schedule === null || fireAt === null) continue;
    const key = fireKey({ schedule, fireAt });
    byFire.set(key, [...(byFire.get(key) ?? []), task]);
  }
  for (const fire of fires) {
    const own = byFire.get(fireKey(fire)) ?? [];
    byFire.delete(fireKey(fire));
    if (fire.outcome !== "task" && own.length > 0) findings.push(`${fireKey(fire)} is ${fire.outcome} and has a task`);
    if (fire.outcome === "task" && own.length !== 1) findings.push(`${fireKey(fire)} has ${own.length} tasks`);
    if (fire.outcome === "task" && own[0] !== undefined && own[0] !== fire.task) {
      findings.push(`${fireKey(fire)} names ${fire.task} and has ${own[0]}`);
    }
  }
  for (const [key, own] of byFire) findings.push(`${own.join(", ")} of ${key} has no row in the ledger`);
  return findings;
}

/** Nothing starts before its instant, nor, where a bound is given, later than that. */
export function checkStarts({ journal }: History, { maxLatenessMs }: CheckOptions = {}): string[] {
  const findings: string[] = [];
  const seen = new Set<string>();
  for (const { task, dueAt, at } of linesOf(journal, "started")) {
    if (at < dueAt) findings.push(`${task} started ${(dueAt - at).toFixed(3)} ms early`);
    if (!seen.has(task) && maxLatenessMs !== undefined && at - dueAt > maxLatenessMs) {
      findings.push(`${task} started ${Math.round(at - dueAt)} ms late`);
    }
    seen.add(task);
  }
  return findings;
}

/** Of a schedule whose tasks do not overlap, none is claimed before the one claimed before it is final. */
export function checkAlone({ journal, tasks, alone = [] }: History): string[] {
  const findings: string[] = [];
  const stored = new Map(tasks.flatMap((task) => (alone.includes(task.schedule ?? "") ? [[task.task, task]] : [])));
  const present = new Map<string, string>();
  const over = new Set<string>();
  for (const line of linesOf(journal, "claimed", "recorded")) {
    if (line.kind === "recorded") over.add(line.task);
    const task = stored.get(line.task);
    if (!task || line.kind === "recorded") continue;
    const before = present.get(task.schedule!);
    const isOver = before === undefined || over.has(before) || (stored.get(before)!.finishedAt ?? Infinity) <= line.at;
    if (before !== line.task && !isOver) findings.push(`${task.task} was claimed while ${before} was not final`);
    present.set(task.schedule!, line.task);
  }
  return findings;
}

function linesOf<Kind extends JournalLine["kind"]>(
  journal: readonly JournalLine[],
  ...kinds: Kind[]
): Extract<JournalLine, { kind: Kind }>[] {
  const wanted: readonly string[] = kinds;
  return journal.filter((line): line is Extract<JournalLine, { kind: Kind }> => wanted.includes(line.kind));
}

const fireKey = ({ schedule, fireAt }: { schedule: string; fireAt: number }): string =>
  `${schedule} at ${new Date(fireAt).toISOString()}`;
