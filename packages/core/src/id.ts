/**
 * Ids are 63-bit integers: milliseconds since 2015 (41 bits, until 2084), cell (6), slot of the node that made it (8), counter (8).
 * The creation instant inside gives newest-first order without a second index and tells look-ups which partitions to read.
 * They are unique because a slot belongs to one live session of its cell at a time and `next` never repeats an instant's counter;
 * they are known before the insert, so that an insert whose answer was lost can be asked about. (docs/decisions/002-ids.md)
 */
export type Id = bigint;

const EPOCH_MS = Date.UTC(2015, 0, 1);
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const VALUES = new Map([...ALPHABET].map((letter, value) => [letter, BigInt(value)]));
const LENGTH = 13;
/** By the character code of a digit as `toString(32)` writes it. */
const LETTERS = Array.from(
  { length: 128 },
  (_, code) => ALPHABET[Number.parseInt(String.fromCharCode(code), 32)] ?? "",
);

export const idPrefixes = { task: "task_", schedule: "sch_", workflow: "wf_", operation: "op_" } as const;
export type IdKind = keyof typeof idPrefixes;

/** Slots 0 to 15 belong to ids made inside PostgreSQL (`carillon.enqueue`), the others to sessions. */
export const FIRST_SESSION_SLOT = 16;
export const SLOTS = 256;

export interface IdSource {
  next(nowMs: number): Id;
}

/** Up to 256 ids per millisecond; beyond that it runs ahead of the clock, and a clock that steps back repeats nothing. */
export function createIdSource({ cell, slot }: { cell: number; slot: number }): IdSource {
  const owner = (BigInt(cell) << 16n) | (BigInt(slot) << 8n);
  let lastMs = 0;
  let high = 0n;
  let counter = 0;
  return {
    next(nowMs) {
      const ms = Math.floor(nowMs) - EPOCH_MS;
      if (ms > lastMs || counter === 255) {
        lastMs = Math.max(ms, lastMs + 1);
        high = (BigInt(lastMs) << 22n) | owner;
        counter = 0;
      } else {
        counter++;
      }
      return high | BigInt(counter);
    },
  };
}

/** When the task was created, in epoch milliseconds. */
export function idCreatedAt(id: Id): number {
  return Number(id >> 22n) + EPOCH_MS;
}

const LAST_ID = (1n << 63n) - 1n;

/** The smallest id that could have been made at this instant, for ranges over ids; beyond the last instant of ids the largest. */
export function firstIdAt(ms: number): Id {
  const id = BigInt(Math.max(0, Math.floor(ms) - EPOCH_MS)) << 22n;
  return id < LAST_ID ? id : LAST_ID;
}

/** `task_` and 13 base32 characters (Crockford's alphabet, lower case), which sort as the ids do. */
export function formatId(kind: IdKind, id: Id): string {
  // The engine's digits are faster than shifts; they are the same up to `h`, where Crockford leaves letters out.
  const digits = id.toString(32);
  let text = idPrefixes[kind] + "0".repeat(LENGTH - digits.length);
  for (let index = 0; index < digits.length; index++) text += LETTERS[digits.charCodeAt(index)];
  return text;
}

/** Null for anything that `formatId` would not have written, which callers answer with 404. */
export function parseId(kind: IdKind, text: string): Id | null {
  const prefix = idPrefixes[kind];
  if (text.length !== prefix.length + LENGTH || !text.startsWith(prefix)) return null;
  let id = 0n;
  for (const letter of text.slice(prefix.length)) {
    const value = VALUES.get(letter);
    if (value === undefined) return null;
    id = (id << 5n) | value;
  }
  return id < 1n << 63n ? id : null;
}
