/**
 * What may start in a limited queue, and what has to wait for its key. Both stores read what is asked for here under the lock of the
 * queue, and write what is decided.
 */
import {
  type FairTurns,
  hadBy,
  type Id,
  partWeights,
  type RateLimit,
  takeTokens,
  tokenAt,
  tokensIn,
  turnsAfter,
} from "@carillon/core";
import { limitsByKey } from "./queue-changes.ts";
import type { Band, QueueSettings } from "./store.ts";

/** What is looked at beyond the free slots where some may have to wait for their keys: each such task is put aside once. */
const MORE_FOR_KEYS = 200;
/** Of a lane and band, where there are so many of them that all cannot be looked at in full. */
const LEAST_EACH = 16;
/** Each band less urgent counts as so much waiting: the most urgent go first, and nothing waits for ever. */
export const BAND_STEP_MS = 60_000;
/** Keys that one call looks at because they have a token again, and in a sweep. */
export const KEYS_A_CALL = 500;
export const KEYS_A_SWEEP = 2_000;

/** How much a call may claim, and how many tasks it looks at for that. */
export interface Room {
  /** As far as it depends on tokens and on the caller. */
  free: number;
  /** Candidates in all, and of each lane and band. */
  most: number;
  each: number;
  /** How many of those may turn out to have to wait for their keys. */
  spare: number;
}

/** Candidates of each lane and band, when so many slots of the queue are free. */
export const eachOf = ({ each, spare }: Room, slots: number): number =>
  slots <= 0 ? 0 : Math.min(each, slots + spare);

export function roomFor(
  settings: QueueSettings,
  { fullAt, limit, lanes, now }: { fullAt: number | null; limit: number; lanes: number; now: number },
): Room {
  const tokens = settings.rateLimit ? tokensIn(fullAt, settings.rateLimit, now) : Number.POSITIVE_INFINITY;
  const free = Math.min(limit, tokens);
  const spare = limitsByKey(settings) ? MORE_FOR_KEYS : 0;
  const most = free === 0 ? 0 : free + spare;
  return { free, most, spare, each: Math.min(most, Math.max(LEAST_EACH, Math.ceil((4 * most) / (3 * lanes)))) };
}

export interface Candidate {
  id: Id;
  laneId: number;
  band: Band;
  dueAt: number;
  /** Of its lane; 0: it has no fair key. */
  fair: number;
  key: string | null;
  /** It waits for its key already. */
  waits: boolean;
}

export interface KeyState {
  /** Of its tasks so many are held; those beyond the limit may be left out. */
  held: number;
  fullAt: number | null;
}

/** Lanes whose type has slots of its own, and how many of those types are held. */
export interface LimitedTypes {
  typeOf: ReadonlyMap<number, string>;
  held: ReadonlyMap<string, number>;
}

export const noTypes: LimitedTypes = { typeOf: new Map(), held: new Map() };

/** Those of the lanes whose type has a slot left once these start: the others are not looked at. */
export function lanesWithRoom(
  { concurrencyPerType = {} }: QueueSettings,
  lanes: readonly number[],
  { typeOf, held }: LimitedTypes,
  starting: readonly Candidate[] = [],
): number[] {
  if (typeOf.size === 0) return [...lanes];
  const taken = new Map(held);
  for (const { laneId } of starting) {
    const type = typeOf.get(laneId);
    if (type !== undefined) taken.set(type, (taken.get(type) ?? 0) + 1);
  }
  return lanes.filter((lane) => {
    const type = typeOf.get(lane);
    return type === undefined || (taken.get(type) ?? 0) < concurrencyPerType[type]!;
  });
}

export interface LimitedDecision {
  claim: Candidate[];
  /** They wait for their keys from now on. */
  park: Candidate[];
  /** Buckets as they are after this. */
  fullAt: number | null;
  keyFullAt: Map<string, number>;
  /**
   * When each key is to be looked at again: once it has a token; null: when a slot of it is free; 0: as soon as the queue has room.
   */
  lookAt: Map<string, number | null>;
  /** The queue has no slot left. */
  full: boolean;
  /** The queue has no token left, and gets the next one then. */
  tokenAt: number | null;
  /** Null: nothing here had a fair key. */
  turns: FairTurns | null;
}

/** `held` tasks of the queue are held now; `candidates` in any order. */
export function decideLimited(
  settings: QueueSettings,
  facts: {
    held: number;
    fullAt: number | null;
    free: number;
    candidates: readonly Candidate[];
    keys: ReadonlyMap<string, KeyState>;
    types?: LimitedTypes;
    turns: FairTurns;
    now: number;
  },
): LimitedDecision {
  const { concurrency = Number.POSITIVE_INFINITY, rateLimit } = settings;
  const { held, keys, types = noTypes, turns, now } = facts;
  const ofType = new Map(types.held);
  const order = facts.candidates.some(({ fair }) => fair > 0)
    ? inTurns(facts.candidates, turns, settings)
    : inDueOrder(facts.candidates);
  const room = Math.max(0, Math.min(facts.free, concurrency - held));
  const claim: Candidate[] = [];
  const park: Candidate[] = [];
  const taken = new Map<string, number>();
  while (claim.length < room) {
    const candidate = order.next();
    if (!candidate) break;
    const { key } = candidate;
    const type = types.typeOf.get(candidate.laneId);
    if (type !== undefined && (ofType.get(type) ?? 0) >= settings.concurrencyPerType![type]!) continue;
    if (key === null || opening(settings, keys.get(key), taken.get(key) ?? 0, now) === "open") {
      claim.push(candidate);
      if (type !== undefined) ofType.set(type, (ofType.get(type) ?? 0) + 1);
      order.started(candidate);
      if (key !== null) taken.set(key, (taken.get(key) ?? 0) + 1);
    } else if (!candidate.waits) {
      park.push(candidate);
    }
  }
  const fullAt = rateLimit ? takeTokens(facts.fullAt, rateLimit, claim.length, now) : null;
  const keyFullAt = new Map<string, number>();
  const lookAt = new Map<string, number | null>();
  for (const [key, state] of keys) {
    const { rateLimitPerKey } = settings;
    const count = taken.get(key) ?? 0;
    const bucket = rateLimitPerKey ? takeTokens(state.fullAt, rateLimitPerKey, count, now) : null;
    if (bucket !== null && count > 0) keyFullAt.set(key, bucket);
    const after = opening(settings, state, count, now);
    lookAt.set(key, after === "no_token" ? tokenAt(bucket, rateLimitPerKey!) : after === "no_slot" ? null : 0);
  }
  return {
    claim,
    park,
    fullAt,
    keyFullAt,
    lookAt,
    full: held + claim.length >= concurrency,
    tokenAt: nextToken(fullAt, rateLimit, now),
    turns: order.turns(),
  };
}

/** In which order candidates are looked at. */
interface Order {
  next(): Candidate | undefined;
  /** The one that `next` gave last starts. */
  started(candidate: Candidate): void;
  turns(): FairTurns | null;
}

function inDueOrder(candidates: readonly Candidate[]): Order {
  const sorted = candidates.toSorted(byTurn);
  let place = 0;
  return { next: () => sorted[place++], started() {}, turns: () => null };
}

/** The part that has had least goes first; within a part, and between parts that have had the same, due order decides. */
function inTurns(candidates: readonly Candidate[], turns: FairTurns, { fairWeights }: QueueSettings): Order {
  const weights = partWeights(fairWeights);
  const started = new Map<number, number>();
  const hadUntilNow = (part: number) => hadBy(turns, part) + (started.get(part) ?? 0) / (weights.get(part) ?? 1);
  const parts = new Map<number, Candidate[]>();
  for (const candidate of candidates.toSorted(byTurn)) {
    const part = parts.get(candidate.fair);
    if (part) part.push(candidate);
    else parts.set(candidate.fair, [candidate]);
  }
  for (const part of parts.values()) part.reverse();
  let at = turns.at;
  return {
    next() {
      let first: { part: Candidate[]; had: number } | null = null;
      for (const [fair, part] of parts) {
        const candidate = part.at(-1);
        if (!candidate) continue;
        const had = hadUntilNow(fair);
        if (!first || had < first.had || (had === first.had && byTurn(candidate, first.part.at(-1)!) < 0))
          first = { part, had };
      }
      return first?.part.pop();
    },
    started({ fair }) {
      at = Math.max(at, hadUntilNow(fair));
      started.set(fair, (started.get(fair) ?? 0) + 1);
    },
    turns: () => turnsAfter(turns, started, at, weights),
  };
}

/** Whether one more of a key may start, of which so many do already. */
function opening(
  { concurrencyPerKey = Number.POSITIVE_INFINITY, rateLimitPerKey }: QueueSettings,
  { held, fullAt }: KeyState = { held: 0, fullAt: null },
  taken: number,
  now: number,
): "open" | "no_slot" | "no_token" {
  if (rateLimitPerKey && tokensIn(fullAt, rateLimitPerKey, now) <= taken) return "no_token";
  return held + taken < concurrencyPerKey ? "open" : "no_slot";
}

/** When the next token comes, where there is none. */
export function nextToken(fullAt: number | null, rate: RateLimit | undefined, now: number): number | null {
  return rate && tokensIn(fullAt, rate, now) < 1 ? tokenAt(fullAt, rate) : null;
}

const turnOf = ({ dueAt, band }: Candidate): number => dueAt + band * BAND_STEP_MS;
export const byTurn = (a: Candidate, b: Candidate): number => turnOf(a) - turnOf(b) || (a.id < b.id ? -1 : 1);

/** What each of these parts has had, and what it weighs. */
export function accountsOf(
  parts: readonly number[],
  turns: FairTurns,
  { fairWeights }: QueueSettings,
): { had: number[]; weights: number[] } {
  const weights = partWeights(fairWeights);
  return { had: parts.map((part) => hadBy(turns, part)), weights: parts.map((part) => weights.get(part) ?? 1) };
}

/** Those that the first `most` starts would be, as far as keys let them: as many of them a store reads. */
export function firstInTurn(
  candidates: readonly Candidate[],
  most: number,
  turns: FairTurns,
  settings: QueueSettings,
): Candidate[] {
  const sorted = candidates.toSorted(byTurn);
  const parts = sorted.map(({ fair }) => fair);
  const { had, weights } = accountsOf(parts, turns, settings);
  const before = new Map<number, number>();
  const placed = sorted.map((candidate, index) => {
    const place = before.get(candidate.fair) ?? 0;
    before.set(candidate.fair, place + 1);
    return { candidate, had: had[index]! + place / weights[index]! };
  });
  placed.sort((a, b) => a.had - b.had || byTurn(a.candidate, b.candidate));
  return placed.slice(0, most).map(({ candidate }) => candidate);
}

/** What one that waits for its key says as its reason. */
export const KEY_LIMIT = "key_limit";
export const RATE_LIMIT = "rate_limit";
export const reasonToWait = (lookAt: number | null | undefined): string =>
  lookAt === null || lookAt === undefined || lookAt === 0 ? KEY_LIMIT : RATE_LIMIT;
