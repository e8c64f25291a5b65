import type { Id } from "@carillon/core";
import fc from "fast-check";
import { command, nth } from "../command.ts";
import { pick, type Side, same, unordered, type World } from "../world.ts";

const advance = command(
  "advance",
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(1, 300, 1_000, 1_499, 1_500, 5_000, 60_000) },
    { weight: 1, arbitrary: fc.constantFrom(3_600_000, 90_000_000) },
  ),
  async (world, ms) => {
    world.now += ms;
  },
);

export async function open(world: World, node: string, zoneData: string | null = null): Promise<void> {
  await same(
    world,
    async (store, side) => {
      const session = await store.openSession({ node, url: `http://${node}`, now: world.now, zoneData });
      side.sessions.push(session.id);
      return session;
    },
    ({ slot, lastSeenAt }) => ({ slot, lastSeenAt }),
  );
  world.beats.push(0n);
}

const openSession = command(
  "openSession",
  fc.record({ node: fc.constantFrom("node-1", "node-2"), zoneData: fc.constantFrom(null, "2025c", "2026a") }),
  (world, { node, zoneData }) => open(world, node, zoneData),
);

const renewSession = command("renewSession", nth, async (world, n) => {
  const answer = await same(
    world,
    (store, side) => store.renewSession(pick(side.sessions, n)!, world.now),
    ({ alive, recalls }, side) => ({ alive, recalls: unordered(side, recalls) }),
  );
  if (answer?.alive) world.beats[n % world.beats.length]!++;
});

export function listSessions(world: World) {
  return same(
    world,
    (store) => store.sessions(),
    (sessions, side) =>
      unordered(
        side,
        sessions.map(({ id, ...session }) => ({ ...session, session: id })),
      ),
  );
}

const sessions = command("sessions", fc.constant(null), async (world) => {
  await listSessions(world);
});

const markSessionDead = command(
  "markSessionDead",
  fc.record({ session: nth, late: fc.constantFrom(0n, 0n, 1n) }),
  async (world, { session, late }) => {
    const beat = pick(world.beats, session)! - late;
    await same(world, (store, side) => store.markSessionDead(pick(side.sessions, session)!, beat, world.now));
  },
);

const closeSession = command("closeSession", nth, async (world, n) => {
  await same(world, (store, side) => store.closeSession(pick(side.sessions, n)!, world.now));
});

const takeBack = command(
  "takeBack",
  fc.record({ session: nth, limit: fc.constantFrom(1, 2, 100), untilNothingIsLeft: fc.boolean() }),
  async (world, { session, limit, untilNothingIsLeft }) => {
    const take = () =>
      same(world, (store, side) => store.takeBack(pick(side.sessions, session)!, { now: world.now, limit }));
    while ((await take()) && untilNothingIsLeft);
  },
);

/** A node dies and is noticed: the whole way, which single commands rarely find. */
const die = command(
  "die",
  fc.record({ session: nth, afterMs: fc.constantFrom(1_499, 1_500) }),
  async (world, { session, afterMs }) => {
    const id = (side: Side): Id => pick(side.sessions, session)!;
    await same(world, (store, side) => store.markSessionDead(id(side), pick(world.beats, session)!, world.now));
    world.now += afterMs;
    await same(world, (store, side) => store.takeBack(id(side), { now: world.now, limit: 100 }));
    await listSessions(world);
  },
);

const recordDowntime = command(
  "recordDowntime",
  fc.record({ fromMs: fc.constantFrom(15_000, 60_000, 600_000), twice: fc.boolean() }),
  async (world, { fromMs, twice }) => {
    const downtime = { from: world.now - fromMs, until: world.now };
    await same(world, (store) => store.recordDowntime(downtime));
    if (twice) await same(world, (store) => store.recordDowntime(downtime));
    await same(world, (store) => store.downtimes(world.now - 60_000));
  },
);

/** Nobody is alive for a while, and the first one back notes it. */
const outage = command("outage", fc.constantFrom(15_000, 45_000, 600_000), async (world, ms) => {
  const from = world.now;
  world.now += ms;
  await same(world, (store) => store.recordDowntime({ from, until: world.now }));
});

/** Forgets nothing that is younger than its retention. */
const maintain = command("maintain", fc.constant(null), async (world) => {
  const retentionMs = 30 * 86_400_000;
  await same(world, (store) => store.maintain({ now: world.now, retentionMs, logRetentionMs: retentionMs }));
});

export const sessionCommands = [
  ...Array.from({ length: 8 }, () => advance),
  openSession,
  renewSession,
  sessions,
  markSessionDead,
  closeSession,
  takeBack,
  die,
  recordDowntime,
  maintain,
  outage,
  outage,
];
