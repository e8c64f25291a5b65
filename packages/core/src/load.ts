/** How many fires of many schedules come in each step of a range, where they crowd, and what a jitter would do about it. */
import { formatDuration } from "./duration.ts";
import { formatInstant } from "./instant.ts";
import { limits } from "./limits.ts";

export interface LoadRange {
  /** `from <= t < to`. */
  from: number;
  to: number;
  stepMs: number;
}

export interface Load extends LoadRange {
  /** Fires by step. */
  counts: number[];
  /** Of these, the ones that each of `jitters` could spread: their schedules have none, and do not fire again before it ends. */
  spreadable: number[][];
  jitters: Jitter[];
}

interface Jitter {
  ms: number;
  steps: number;
}

/** What one schedule brings, the steps without a fire left out. */
export type Profile = { step: number; fires: number; spreadable: number[] }[];

export interface LoadPeak {
  at: number;
  fires: number;
  /** Null: no jitter would halve it. */
  spread: { jitterMs: number; schedules: number; fires: number; message: string } | null;
}

/** A jitter shows in so many steps. */
const JITTER_STEPS = [5, 15, 60];
const PEAKS = 3;
/** Fewer are no crowd. */
const CROWD = 10;

export function createLoad({ from, to, stepMs }: LoadRange): Load {
  const steps = Math.ceil((to - from) / stepMs);
  const jitters = JITTER_STEPS.map((steps) => ({ ms: steps * stepMs, steps })).filter(
    ({ ms }) => ms <= limits.jitterMs[1],
  );
  const zeros = () => Array<number>(steps).fill(0);
  return { from, to, stepMs, counts: zeros(), spreadable: jitters.map(zeros), jitters };
}

/** `instants` in order; `gapAfter`: how long until the schedule's next fire, null where a jitter is at work already. */
export function profileOf(
  load: Load,
  instants: readonly number[],
  gapAfter: ((index: number) => number) | null,
): Profile {
  const profile: Profile = [];
  const byStep = new Map<number, Profile[number]>();
  for (const [index, at] of instants.entries()) {
    if (at < load.from || at >= load.to) continue;
    const step = Math.floor((at - load.from) / load.stepMs);
    let entry = byStep.get(step);
    if (!entry) {
      entry = { step, fires: 0, spreadable: load.jitters.map(() => 0) };
      byStep.set(step, entry);
      profile.push(entry);
    }
    entry.fires++;
    const gap = gapAfter?.(index) ?? 0;
    for (const [kind, { ms }] of load.jitters.entries()) if (gap > ms) entry.spreadable[kind]!++;
  }
  return profile;
}

export function addProfile(load: Load, profile: Profile): void {
  for (const { step, fires, spreadable } of profile) {
    load.counts[step]! += fires;
    for (const [kind, count] of spreadable.entries()) load.spreadable[kind]![step]! += count;
  }
}

/** The highest steps that stand out, highest first. */
export function loadPeaks(load: Load): LoadPeak[] {
  const mean = load.counts.reduce((sum, count) => sum + count, 0) / load.counts.length;
  return load.counts
    .map((fires, step) => ({ fires, step }))
    .filter(({ fires }) => fires > mean)
    .sort((a, b) => b.fires - a.fires || a.step - b.step)
    .slice(0, PEAKS)
    .map(({ fires, step }) => ({ at: load.from + step * load.stepMs, fires, spread: suggestSpread(load, step) }));
}

/** The shortest jitter that at least halves the step, with all that it moves into the steps behind. */
function suggestSpread(load: Load, step: number): LoadPeak["spread"] {
  const fires = load.counts[step]!;
  if (fires < CROWD) return null;
  for (const [kind, { ms: jitterMs, steps }] of load.jitters.entries()) {
    const schedules = load.spreadable[kind]![step]!;
    const share = schedules / steps;
    const others = load.counts.slice(step + 1, step + steps);
    const left = Math.ceil(Math.max(fires - schedules, ...others) + share);
    if (schedules === 0 || left > fires / 2) continue;
    const message = `${formatInstant(load.from + step * load.stepMs)}: ${number(fires)} fires; a jitter of ${formatDuration(jitterMs)} on the ${number(schedules)} schedules that have none would bring it to about ${number(left)}.`;
    return { jitterMs, schedules, fires: left, message };
  }
  return null;
}

const number = (count: number): string => count.toLocaleString("en");
