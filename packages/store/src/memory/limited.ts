/** Claims from limited queues. */
import { type FairTurns, noTurns } from "@carillon/core";
import {
  byTurn,
  type Candidate,
  decideLimited,
  eachOf,
  firstInTurn,
  KEYS_A_CALL,
  KEYS_A_SWEEP,
  type KeyState,
  type LimitedTypes,
  lanesWithRoom,
  nextToken,
  noTypes,
  type Room,
  reasonToWait,
  roomFor,
} from "../limited-claims.ts";
import { limitsByKey } from "../queue-changes.ts";
import { type Band, bandOf, type LimitedAnswer, type LimitFacts, type QueueSettings, type Store } from "../store.ts";
import { nextDue } from "./claims.ts";
import { isLive, type KeyGate, type MemoryDatabase, nameKey, type TaskRow } from "./database.ts";
import { heldOf } from "./held.ts";
import { firstOnes } from "./pending.ts";
import { openQueue } from "./queues.ts";
import { changeTask, claimTask, pendingKey } from "./rows.ts";

type Request = Parameters<Store["claimLimited"]>[0];

const bands: Band[] = [1, 2, 3];
const nothing: LimitedAnswer = {
  mode: "limited",
  claimed: [],
  busy: false,
  more: false,
  full: false,
  tokenAt: null,
  keysAt: null,
  sweptTo: null,
  nextDue: [],
  turns: null,
};

export function claimLimited(database: MemoryDatabase, asked: Request): LimitedAnswer {
  const { session, namespace, queue: name, limit, now } = asked;
  if (asked.lanes.length === 0 || limit < 1) return nothing;
  const queue = database.queues.get(nameKey(namespace, name));
  const mode = queue?.mode ?? "free";
  if (!queue || mode !== "limited") return { ...nothing, mode };
  if (!isLive(database, session)) return nothing;
  const { settings } = queue;
  const holders = heldOf(database, { namespace, queue: name });
  const types = typesOf(database, asked.lanes, settings, holders);
  const lanes = lanesWithRoom(settings, asked.lanes, types);
  if (lanes.length === 0) return nothing;
  const request = { ...asked, lanes };
  const room = roomFor(settings, { fullAt: queue.fullAt, limit, lanes: lanes.length, now });
  const held = Math.min(holders.length, settings.concurrency ?? 0);
  const slots = (settings.concurrency ?? Number.POSITIVE_INFINITY) - held;
  const turns = request.turns ?? noTurns;
  const pending = pendingOf(database, request, { settings, turns, room, slots });
  const byKey = limitsByKey(settings) || lanes.some((lane) => database.keyGates.has(lane));
  const keys = byKey ? keysOf(database, request, { room, holders, turns, pending: pending.candidates }) : noKeys;
  const decision = decideLimited(settings, {
    held,
    fullAt: queue.fullAt,
    free: room.free,
    candidates: [...pending.candidates, ...keys.waiting],
    keys: keys.states,
    types,
    turns,
    now,
  });
  const open = lanesWithRoom(settings, lanes, types, decision.claim);
  const { claim, park, lookAt } = decision;
  const claimed = claim.map(({ id }) => {
    const row = database.tasks.get(id)!;
    changeTask(database, row, { gateId: null, reason: null });
    return { ...claimTask(database, row, session), concurrencyKey: row.concurrencyKey };
  });
  claimed.sort((a, b) => a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1));
  for (const { laneId, key, gate, waits } of keys.gates) {
    if (!waits) dropGate(database, laneId, key);
    else gate.lookAt = lookAt.get(key) ?? null;
  }
  for (const { id, laneId, key } of park) {
    const at = lookAt.get(key!) ?? null;
    const { gateId } = gateOf(database, laneId, key!, at);
    changeTask(database, database.tasks.get(id)!, { state: "waiting", gateId, reason: reasonToWait(at) });
  }
  queue.fullAt = decision.fullAt;
  for (const [key, fullAt] of decision.keyFullAt) queue.keyFullAt.set(key, fullAt);
  const isFree = keys.gates.length === 0 && openQueue(database, queue);
  const looks = open.flatMap((lane) =>
    [...(database.keyGates.get(lane)?.values() ?? [])].flatMap((g) => g.lookAt ?? []),
  );
  return {
    mode: isFree ? "free" : "limited",
    claimed,
    busy: false,
    more: claim.length < Math.min(room.free, slots) && (pending.cut || keys.cut),
    full: decision.full,
    tokenAt: decision.tokenAt,
    keysAt: looks.length > 0 ? Math.min(...looks) : null,
    sweptTo: keys.sweptTo,
    nextDue: nextDue(database, open),
    turns: decision.turns,
  };
}

function typesOf(
  database: MemoryDatabase,
  lanes: readonly number[],
  { concurrencyPerType }: QueueSettings,
  holders: readonly TaskRow[],
): LimitedTypes {
  if (concurrencyPerType === undefined) return noTypes;
  const limited = database.lanes.filter(
    ({ id, type }) => lanes.includes(id) && Object.hasOwn(concurrencyPerType, type),
  );
  const heldOfType = (type: string) => holders.filter(({ lane }) => lane.type === type).length;
  return {
    typeOf: new Map(limited.map(({ id, type }) => [id, type])),
    held: new Map(limited.map(({ type }) => [type, heldOfType(type)])),
  };
}

function pendingOf(
  database: MemoryDatabase,
  { lanes, now }: Request,
  { settings, turns, room, slots }: { settings: QueueSettings; turns: FairTurns; room: Room; slots: number },
): { candidates: Candidate[]; cut: boolean } {
  const each = eachOf(room, slots);
  const found = lanes.flatMap((lane) =>
    bands.map((band) => {
      const queue = database.pending.get(pendingKey(lane, band));
      const places = queue ? firstOnes(queue, each, now) : [];
      return places.map(({ id }) => candidateOf(database.tasks.get(id)!, false));
    }),
  );
  const candidates = firstInTurn(found.flat(), room.most, turns, settings);
  const counts = new Map<string, number>();
  for (const { laneId, band } of candidates)
    counts.set(pendingKey(laneId, band), (counts.get(pendingKey(laneId, band)) ?? 0) + 1);
  const cut = candidates.length >= room.most || [...counts.values()].some((count) => count >= each);
  return { candidates, cut };
}

const candidateOf = (row: TaskRow, waits: boolean): Candidate => ({
  id: row.id,
  laneId: row.lane.id,
  band: bandOf(row.priority),
  dueAt: row.dueAt,
  fair: row.lane.fair ?? 0,
  key: row.concurrencyKey,
  waits,
});

interface Keys {
  states: Map<string, KeyState>;
  gates: { laneId: number; key: string; gate: KeyGate; waits: boolean }[];
  waiting: Candidate[];
  cut: boolean;
  sweptTo: string | null;
}

const noKeys: Keys = { states: new Map(), gates: [], waiting: [], cut: false, sweptTo: null };

function keysOf(
  database: MemoryDatabase,
  { namespace, queue: name, lanes, keys, sweepAfter = null, now }: Request,
  { room, holders, turns, pending }: { room: Room; holders: TaskRow[]; turns: FairTurns; pending: Candidate[] },
): Keys {
  const { settings, keyFullAt } = database.queues.get(nameKey(namespace, name))!;
  const { concurrencyPerKey, rateLimitPerKey } = settings;
  const named = new Set([...keys, ...pending.flatMap(({ key }) => key ?? [])]);
  const all = lanes.flatMap((laneId) =>
    [...(database.keyGates.get(laneId) ?? [])].map(([key, gate]) => {
      const waits = (database.parked.get(gate.gateId)?.size ?? 0) > 0;
      return { laneId, key, gate, waits };
    }),
  );
  const inOrder = (one: { key: string }, other: { key: string }) => (one.key < other.key ? -1 : 1);
  const due = all
    .filter(({ gate }) => gate.lookAt !== null && gate.lookAt <= now)
    .sort((a, b) => a.gate.lookAt! - b.gate.lookAt! || inOrder(a, b))
    .slice(0, KEYS_A_CALL);
  const swept = all
    .filter(({ key }) => sweepAfter !== null && key > sweepAfter)
    .sort(inOrder)
    .slice(0, KEYS_A_SWEEP);
  const gates = [...new Set([...all.filter(({ key }) => named.has(key)), ...due, ...swept])];
  const states = new Map(
    [...named, ...gates.map(({ key }) => key)].map((key) => {
      const held = holders.filter((row) => row.concurrencyKey === key).length;
      return [key, { held: Math.min(held, concurrencyPerKey ?? 0), fullAt: keyFullAt.get(key) ?? null }];
    }),
  );
  const each = Math.min(room.most, concurrencyPerKey ?? room.most, rateLimitPerKey?.burst ?? room.most);
  const found = gates.flatMap(({ key, gate }) => {
    const free = concurrencyPerKey === undefined ? each : Math.min(each, concurrencyPerKey - states.get(key)!.held);
    const candidates = [...(database.parked.get(gate.gateId) ?? [])]
      .map((id) => candidateOf(database.tasks.get(id)!, true))
      .sort(byTurn);
    return bands.flatMap((band) => candidates.filter((one) => one.band === band).slice(0, free));
  });
  const waiting = firstInTurn(found, room.most, turns, settings);
  const dueGates = gates.filter(({ gate }) => gate.lookAt !== null && gate.lookAt <= now).length;
  return {
    states,
    gates,
    waiting,
    cut: (waiting.length >= room.most && room.most > 0) || dueGates >= KEYS_A_CALL,
    sweptTo: swept.length >= KEYS_A_SWEEP ? swept.at(-1)!.key : null,
  };
}

function gateOf(database: MemoryDatabase, laneId: number, key: string, lookAt: number | null): KeyGate {
  let gates = database.keyGates.get(laneId);
  if (!gates) database.keyGates.set(laneId, (gates = new Map()));
  const gate = gates.get(key) ?? { gateId: -++database.lastKeyGate, lookAt };
  gate.lookAt = lookAt;
  gates.set(key, gate);
  return gate;
}

function dropGate(database: MemoryDatabase, laneId: number, key: string): void {
  const gates = database.keyGates.get(laneId);
  gates?.delete(key);
  if (gates?.size === 0) database.keyGates.delete(laneId);
}

export function waitingForKeys(
  database: MemoryDatabase,
  laneIds: number[],
): { laneId: number; tokenAt: number | null }[] {
  return laneIds.flatMap((laneId) => {
    const gates = database.keyGates.get(laneId);
    if (!gates) return [];
    const looks = [...gates.values()].flatMap(({ lookAt }) => lookAt ?? []);
    return [{ laneId, tokenAt: looks.length > 0 ? Math.min(...looks) : null }];
  });
}

export function limitFacts(
  database: MemoryDatabase,
  namespace: string,
  name: string,
  { concurrencyKey: key, type, now, limit }: Parameters<Store["limitFacts"]>[2],
): LimitFacts {
  const queue = database.queues.get(nameKey(namespace, name));
  const held = heldOf(database, { namespace, queue: name });
  const { rateLimit, rateLimitPerKey } = queue?.settings ?? {};
  const keyFullAt = key === null ? null : (queue?.keyFullAt.get(key) ?? null);
  const ofKey = key === null ? [] : held.filter((row) => row.concurrencyKey === key);
  return {
    held: held.slice(0, limit).map(({ id }) => id),
    keyHeld: ofKey.slice(0, limit).map(({ id }) => id),
    tokenAt: nextToken(queue?.fullAt ?? null, rateLimit, now),
    keyTokenAt: key === null ? null : nextToken(keyFullAt, rateLimitPerKey, now),
    typeHeld: held
      .filter(({ lane }) => lane.type === type)
      .slice(0, limit)
      .map(({ id }) => id),
  };
}
