import { CarillonError } from "@carillon/core";
import type { Hints, Store } from "../store.ts";

/**
 * How a store misbehaves towards one node. A plain object that a simulation changes as it goes; it applies to calls and answers from
 * then on. Chances are per call, from 0 (never) to 1 (always).
 */
export interface Faults {
  /** In [0, 1); seeded, so that a run can be repeated. */
  random: () => number;
  /** Resolves after so many milliseconds of the simulation's time. */
  delay: (ms: number) => Promise<void>;
  /** The call fails and has changed nothing. */
  failBefore: number;
  /** The call fails although it has done its work: an unknown commit. */
  failAfter: number;
  /** The call, its answer or both take up to `slowMs` each. */
  slow: number;
  slowMs: number;
  /** A hint to or from this node is lost. */
  loseHint: number;
  /** Nothing gets through, in either direction, until this is false again. */
  cutOff: boolean;
  /** How long a call that is cut off waits before it fails. */
  timeoutMs: number;
}

/** No faults but those given. */
export function createFaults(faults: Pick<Faults, "random" | "delay"> & Partial<Faults>): Faults {
  return {
    failBefore: 0,
    failAfter: 0,
    slow: 0,
    slowMs: 1_000,
    loseHint: 0,
    cutOff: false,
    timeoutMs: 5_000,
    ...faults,
  };
}

/** The same store behind an unreliable line. Errors are `unavailable`, as of a database that does not answer. */
export function withFaults(store: Store, faults: Faults): Store {
  const hints = unreliableHints(store.hints, faults);
  return new Proxy(store, {
    get(target, name) {
      if (name === "hints") return hints;
      const verb: unknown = Reflect.get(target, name);
      if (typeof verb !== "function" || name === "close") return verb;
      return (...given: unknown[]) => callUnreliably(faults, () => verb.apply(target, given));
    },
  });
}

async function callUnreliably(faults: Faults, call: () => Promise<unknown>): Promise<unknown> {
  await travel(faults);
  if (happens(faults, faults.failBefore)) throw unavailable();
  const answer = await call();
  await travel(faults);
  if (happens(faults, faults.failAfter)) throw unavailable();
  return answer;
}

async function travel(faults: Faults): Promise<void> {
  if (happens(faults, faults.slow)) await faults.delay(faults.random() * faults.slowMs);
  if (!faults.cutOff) return;
  await faults.delay(faults.timeoutMs);
  throw unavailable();
}

function unreliableHints(hints: Hints, faults: Faults): Hints {
  const arrives = () => !faults.cutOff && !happens(faults, faults.loseHint);
  return {
    publish: (hint) => {
      if (arrives()) hints.publish(hint);
    },
    subscribe: (listener) =>
      hints.subscribe((hint) => {
        if (arrives()) listener(hint);
      }),
  };
}

/** A chance of 0 draws nothing, so that switching one fault off leaves the others' draws as they are. */
function happens(faults: Faults, chance: number): boolean {
  return chance > 0 && faults.random() < chance;
}

const unavailable = () => new CarillonError("unavailable", { detail: "The database did not answer." });
