/**
 * Whether limits were ever exceeded. An attempt takes a slot from its start until its handler has ended, its worker has died, or the store
 * has taken the task from it, whichever comes first.
 */
import type { RateLimit } from "@carillon/core";
import type { History, JournalLine, QueueLimits } from "./history.ts";

interface Attempt {
  task: string;
  key: string | null;
  type: string | undefined;
  from: number;
  until: number;
}

/** At no instant more tasks of a limited queue run, and in no window more start, than its limits allow; by key too. */
export function checkLimits({ journal, tasks, limits = [] }: History): string[] {
  if (limits.length === 0) return [];
  const stored = new Map(tasks.map((task) => [task.task, task]));
  const attempts = attemptsOf(journal);
  return limits.flatMap((limit) => {
    const own = attempts.flatMap(({ task, from, until }): Attempt[] => {
      const { queue, type, concurrencyKey = null } = stored.get(task) ?? {};
      return queue === limit.queue ? [{ task, key: concurrencyKey, type, from, until }] : [];
    });
    return findingsOf(limit, own);
  });
}

function attemptsOf(journal: readonly JournalLine[]): { task: string; from: number; until: number }[] {
  const started = new Map<string, { task: string; worker: string; from: number; until: number }>();
  const ends = (key: string, at: number) => {
    const attempt = started.get(key);
    if (attempt) attempt.until = Math.min(attempt.until, at);
  };
  const freed = new Map<string, number>();
  for (const line of journal) {
    if (line.kind === "died") {
      for (const attempt of started.values()) {
        if (attempt.worker === line.worker) attempt.until = Math.min(attempt.until, line.at);
      }
      continue;
    }
    if (!("token" in line)) continue;
    const key = `${line.task} ${line.token}`;
    if (line.kind === "started") {
      // The task may have been taken from its node before it reached the worker.
      const until = freed.get(key) ?? Number.POSITIVE_INFINITY;
      if (until > line.at) started.set(key, { task: line.task, worker: line.worker, from: line.at, until });
    } else if (line.kind === "ended" || line.kind === "left") {
      ends(key, line.at);
    } else if (line.kind === "freed") {
      freed.set(key, line.at);
      ends(key, line.at);
    }
  }
  return [...started.values()];
}

function findingsOf(limit: QueueLimits, attempts: Attempt[]): string[] {
  const { queue, concurrency, concurrencyPerKey, concurrencyPerType = {}, rateLimit, rateLimitPerKey } = limit;
  const { slackMs = 0 } = limit;
  const keys = new Map<string, Attempt[]>();
  for (const attempt of attempts) {
    if (attempt.key !== null) keys.set(attempt.key, [...(keys.get(attempt.key) ?? []), attempt]);
  }
  return [
    ...overlaps(`the queue ${queue}`, attempts, concurrency),
    ...Object.entries(concurrencyPerType).flatMap(([type, most]) => {
      const own = attempts.filter((attempt) => attempt.type === type);
      return overlaps(`the type ${type}`, own, most);
    }),
    ...bursts(`the queue ${queue}`, attempts, rateLimit, slackMs),
    ...[...keys].flatMap(([key, own]) => [
      ...overlaps(`the key ${key}`, own, concurrencyPerKey),
      ...bursts(`the key ${key}`, own, rateLimitPerKey, slackMs),
    ]),
  ];
}

function overlaps(what: string, attempts: Attempt[], most: number | undefined): string[] {
  if (most === undefined) return [];
  const findings: string[] = [];
  const running = new Set<Attempt>();
  for (const attempt of attempts.toSorted((a, b) => a.from - b.from)) {
    for (const other of running) if (other.until <= attempt.from) running.delete(other);
    running.add(attempt);
    if (running.size > most) {
      const names = [...running].map(({ task }) => task).join(", ");
      findings.push(`${what} allows ${most} at once, and ${running.size} ran at ${attempt.from}: ${names}`);
    }
  }
  return findings;
}

/** As a bucket that is asked for a token at each start, and holds what may have come during the slack too. */
function bursts(what: string, attempts: Attempt[], rate: RateLimit | undefined, slackMs: number): string[] {
  if (rate === undefined) return [];
  const { limit, perMs, burst } = rate;
  const findings: string[] = [];
  const holds = burst + (slackMs * limit) / perMs;
  let tokens = holds;
  let last = Number.NEGATIVE_INFINITY;
  for (const { task, from } of attempts.toSorted((a, b) => a.from - b.from)) {
    tokens = Math.min(holds, tokens + ((from - last) * limit) / perMs) - 1;
    last = from;
    if (tokens < -0.01) findings.push(`${what} has no token for ${task}, which started at ${from}`);
  }
  return findings;
}
