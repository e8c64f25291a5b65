import type { TargetChange } from "@carillon/store";
import fc from "fast-check";
import { command, nth } from "../command.ts";
import { pick, same, unordered, type World } from "../world.ts";
import { choose, which } from "./hold.ts";

const names = ["api.example.com", "slow.example.com:8080"];

/** The id that whoever is first gives it. */
function target(world: World, n: number) {
  const name = pick(names, n)!;
  if (!world.targets.has(name)) world.targets.set(name, world.newId());
  return { id: world.targets.get(name)!, namespace: world.namespaces[0], name };
}

const parkTasks = command(
  "parkTasks",
  fc.record({ which, n: nth, own: fc.constantFrom(true, true, true, false) }),
  async (world, given) => {
    const { holder, refs } = await choose(world, given.which);
    const by = given.own ? holder : given.n;
    const tasks = refs.map((ref, index) => ({
      ...ref,
      target: target(world, given.n + index),
      reason: "breaker_open",
    }));
    await same(
      world,
      (store, side) => store.parkTasks(pick(side.sessions, by)!, tasks, world.now),
      (ids, side) => unordered(side, ids),
    );
  },
);

const setTarget = command(
  "setTarget",
  fc.record({ n: nth, state: fc.constantFrom("open", "half-open", "closed"), ms: fc.constantFrom(0, 1_000, 60_000) }),
  async (world, { n, state, ms }) => {
    const until = state === "closed" ? null : world.now + ms;
    const change: TargetChange = {
      ...target(world, n),
      state,
      until,
      trips: ms / 1_000,
      reason: until === null ? null : "no answer",
    };
    await same(world, (store) => store.setTarget(change, world.now));
  },
);

const probeTarget = command("probeTarget", nth, async (world, n) => {
  const { id } = target(world, n);
  await same(world, (store) => store.probeTarget(id, { now: world.now, until: world.now + 60_000 }));
});

const releaseParked = command(
  "releaseParked",
  fc.record({ n: nth, limit: fc.constantFrom(1, 2, 100) }),
  async (world, { n, limit }) => {
    const { id } = target(world, n);
    await same(
      world,
      (store) => store.releaseParked({ target: id, limit, now: world.now }),
      (released, side) => unordered(side, released),
    );
  },
);

export async function listTargets(world: World): Promise<void> {
  await same(
    world,
    (store) => store.watchedTargets(),
    (targets, side) => unordered(side, targets),
  );
  for (const pageSize of [1, 50]) {
    await same(world, (store) => store.listTargets(world.namespaces[0], { pageSize, after: null, cap: 3 }));
  }
}

const list = command("listTargets", fc.constant(null), (world) => listTargets(world));

export const targetCommands = [parkTasks, parkTasks, setTarget, probeTarget, releaseParked, releaseParked, list];
