import { listCalendars } from "./commands/calendars.ts";
import { listWorkflows } from "./commands/dependencies.ts";
import { listOperations } from "./commands/operations.ts";
import { everyPage } from "./commands/people.ts";
import { compareQueues } from "./commands/queues.ts";
import { listFires } from "./commands/schedules.ts";
import { listSessions } from "./commands/sessions.ts";
import { listTargets } from "./commands/targets.ts";
import { laneId, laneNames, nextDueByName, same, unordered, type World } from "./world.ts";

/** Everything that can be seen from outside, on both sides. */
export async function compareEverything(world: World): Promise<void> {
  for (const { namespace, id } of world.tasks) {
    await same(world, (store) => store.getTask(namespace, id));
  }
  const filter = {};
  for (const namespace of world.namespaces) {
    await everyPage(world, (store, after) =>
      store.listTasks(namespace, { filter, now: world.now, pageSize: 20, after }),
    );
    await same(world, (store) => store.types(namespace));
  }
  const names = await laneNames(world);
  await same(
    world,
    (store, side) => store.nextDue(names.map((name) => laneId(side, name))),
    (answer, side) => unordered(side, nextDueByName(side, answer)),
  );
  await same(
    world,
    (store) => store.depths({ now: world.now, cap: 1_000 }),
    (answer, side) =>
      unordered(
        side,
        answer.filter((depth) => depth.count > 0),
      ),
  );
  await same(
    world,
    (store) => store.created({ from: world.now - 60_000, cap: 1_000, namespace: world.namespaces[0] }),
    ({ from, lanes }, side) => ({ from, lanes: unordered(side, lanes) }),
  );
  await listSessions(world);
  for (const n of world.beats.keys()) {
    await same(
      world,
      (store, side) => store.leases(side.sessions[n]!),
      (refs, side) => unordered(side, refs),
    );
  }
  for (const name of world.scheduleNames) {
    await same(world, (store) => store.getSchedule(world.namespaces[0], name, world.now));
  }
  for (const namespace of world.namespaces) await listCalendars(world, namespace);
  for (const schedule of world.scheduleIds) await listFires(world, schedule);
  await same(
    world,
    (store) => store.gates({ until: world.now + 86_400_000, limit: 100 }),
    (answer, side) =>
      unordered(
        side,
        answer.filter(({ id }) => world.scheduleIds.includes(id)),
      ),
  );
  await listOperations(world);
  await listTargets(world);
  await compareQueues(world);
  await listWorkflows(world);
  await same(world, (store) => store.downtimes(0));
}
