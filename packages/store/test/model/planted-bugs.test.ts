/** Who tests the tests: stores with one bug each, which a comparison with the right one must find. */
import { createMemoryDatabase, createMemoryStore, type MemoryDatabase, type Store } from "@carillon/store";
import { expect, test } from "vitest";
import { compareStores } from "./sequences.ts";

type Bug = (store: Store, database: MemoryDatabase) => Partial<Store>;

const bugs: Record<string, Bug> = {
  "a claim does not raise the token": (store, database) => ({
    async claim(request) {
      const claimed = await store.claim(request);
      for (const task of claimed) task.token = --database.tasks.get(task.id)!.token;
      return claimed;
    },
  }),
  "a claim takes what is not yet due": (store) => ({
    claim: (request) => store.claim({ ...request, until: request.until + 1 }),
  }),
  "a claim takes one more than it may": (store) => ({
    claim: (request) => {
      const targets = request.targets.map((target) => ({ ...target, limit: target.limit + 1 }));
      return store.claim({ ...request, targets });
    },
  }),
  "a limited claim takes one more than it may": (store) => ({
    claimLimited: (request) => store.claimLimited({ ...request, limit: request.limit + 1 }),
  }),
  "a key that is full is not looked at again": (store) => ({
    claimLimited: (request) => store.claimLimited({ ...request, keys: [], sweepAfter: null }),
  }),
  "a dead session claims": (store, database) => ({
    async claim(request) {
      const session = database.sessions.get(request.session)!;
      const { deadAt } = session;
      session.deadAt = null;
      const claimed = await store.claim(request);
      session.deadAt = deadAt;
      return claimed;
    },
  }),
  "an outcome is written without looking at the token": (store, database) => ({
    recordOutcomes: (outcomes) =>
      store.recordOutcomes(
        outcomes.map((outcome) => ({ ...outcome, token: database.tasks.get(outcome.id)?.token ?? outcome.token })),
      ),
  }),
  "an outcome that is sent again is refused": (store, database) => ({
    recordOutcomes: (outcomes) =>
      store.recordOutcomes(
        outcomes.map((outcome) => (database.archive.has(outcome.id) ? { ...outcome, token: -1n } : outcome)),
      ),
  }),
  "what a node decides is not bound to its session": (store) => ({
    recordOutcomes: (outcomes) => store.recordOutcomes(outcomes.map(({ session: _, ...outcome }) => outcome)),
  }),
  "a task that is asked to cancel is tried again": (store, database) => ({
    recordOutcomes: (outcomes) => {
      for (const { id, decision } of outcomes) {
        const row = database.tasks.get(id);
        if (row && decision.kind === "again") row.recall = null;
      }
      return store.recordOutcomes(outcomes);
    },
  }),
  "giving back costs an attempt": (store, database) => ({
    async giveBack(session, tasks) {
      const ids = await store.giveBack(session, tasks);
      for (const id of ids) {
        const row = database.tasks.get(id);
        if (row) row.attempt++;
      }
      return ids;
    },
  }),
  "giving back does not ask who holds the task": (store, database) => ({
    giveBack: (session, tasks) => store.giveBack(database.tasks.get(tasks[0]?.id ?? 0n)?.session ?? session, tasks),
  }),
  "a beat that has grown does not save a session": (store, database) => ({
    markSessionDead: (id, _, now) => store.markSessionDead(id, database.sessions.get(id)!.beat, now),
  }),
  "leases are taken back a millisecond too early": (store) => ({
    takeBack: (session, options) => store.takeBack(session, { ...options, now: options.now + 1 }),
  }),
  "a dead session adopts": (store, database) => ({
    adopt(session, namespace, tasks) {
      const row = database.sessions.get(session)!;
      row.deadAt = null;
      return store.adopt(session, namespace, tasks);
    },
  }),
  "labels that a task asks for are forgotten": (store) => ({
    createTasks: (tasks, options) =>
      store.createTasks(
        tasks.map(({ requires: _, ...task }) => task),
        options,
      ),
  }),
  "fair keys are forgotten": (store) => ({
    createTasks: (tasks, options) =>
      store.createTasks(
        tasks.map(({ fairKey: _, ...task }) => task),
        options,
      ),
  }),
  "a unique key is not looked at": (store) => ({
    createTasks: (tasks, options) =>
      store.createTasks(
        tasks.map((task) => ({ ...task, uniqueKey: null })),
        options,
      ),
  }),
  "an idempotency key is forgotten": (store) => ({
    createTasks: (tasks, options) => store.createTasks(tasks, { ...options, idempotency: null }),
  }),
  "a retry goes on with the old budget": (store, database) => ({
    async retryTask(namespace, id, now) {
      const failures = database.archive.get(id)?.failures ?? 0;
      const answer = await store.retryTask(namespace, id, now);
      const row = database.tasks.get(id);
      if (row) row.failures = failures;
      return answer;
    },
  }),
  "another tenant cancels": (store, database) => ({
    cancelTask: (namespace, id, request) =>
      store.cancelTask(database.tasks.get(id)?.namespace ?? namespace, id, request),
  }),
  "an edit leaves what was planned": (store, database) => ({
    async putSchedule(request) {
      const planned = [...database.tasks.values()].filter((row) => row.trigger === "schedule");
      const answer = await store.putSchedule(request);
      for (const row of planned) database.tasks.set(row.id, row);
      return answer;
    },
  }),
  "an edit of a calendar leaves its schedules as they were": (store, database) => ({
    async putCalendar(request, nextFireAt) {
      const before = [...database.schedules.values()].map((row) => ({ ...row }));
      const answer = await store.putCalendar(request, nextFireAt);
      for (const row of before) Object.assign(database.schedules.get(row.id)!, row);
      return answer;
    },
  }),
  "new zone data leaves what was planned": (store) => ({
    adoptZoneData: (request, shift) =>
      store.adoptZoneData(request, (schedule) => {
        const shifted = shift(schedule);
        return shifted && { ...shifted, removed: [] };
      }),
  }),
  "older zone data takes plans back from newer": (store, database) => ({
    adoptZoneData(request, shift) {
      for (const row of database.sessions.values()) row.zoneData = null;
      return store.adoptZoneData(request, shift);
    },
  }),
  "a fire becomes a task twice": (store, database) => ({
    planSchedules(request, plan) {
      return store.planSchedules(request, (schedule) => {
        database.fires.get(schedule.id)!.clear();
        return plan(schedule);
      });
    },
  }),
  "a gate lets a fire through beside a task that is not final": (store, database) => ({
    async judgeGates(request) {
      const others = [...database.tasks.values()].filter(({ state }) => state !== "waiting");
      for (const row of others) database.scheduled.get(row.scheduleId ?? 0n)?.delete(row.id);
      const answer = await store.judgeGates(request);
      for (const row of others) database.scheduled.get(row.scheduleId ?? 0n)?.add(row.id);
      return answer;
    },
  }),
  "a pause is forgotten": (store) => ({
    setPaused: (namespace, name, request) => store.setPaused(namespace, name, { ...request, paused: false }),
  }),
  "a downtime leaves what was planned for then": (store, database) => ({
    async recordDowntime(downtime) {
      const planned = [...database.tasks.values()].filter((row) => row.trigger === "schedule");
      await store.recordDowntime(downtime);
      for (const row of planned) database.tasks.set(row.id, row);
    },
  }),
  "a large payload is cut": (store, database) => ({
    async createTasks(tasks, options) {
      const answer = await store.createTasks(tasks, options);
      for (const row of database.tasks.values()) row.payload = row.payload?.slice(0, 512) ?? null;
      return answer;
    },
  }),
};

test.each(Object.entries(bugs))("found: %s", async (_, bug) => {
  const open = async (): Promise<[Store, Store]> => {
    const database = createMemoryDatabase({ now: () => 0 });
    const wrong = createMemoryStore(database);
    return [createMemoryStore(createMemoryDatabase({ now: () => 0 })), { ...wrong, ...bug(wrong, database) }];
  };
  await expect(compareStores(open, { sequences: 3_000 })).rejects.toThrow("Property failed");
});
