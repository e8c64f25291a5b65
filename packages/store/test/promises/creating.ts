import { CarillonError, defaultPolicy } from "@carillon/core";
import type { CreateAnswer } from "@carillon/store";
import { expect } from "vitest";
import { final, large, type Promises } from "./world.ts";

export const creating: Promises = {
  "a created task can be read back as it was sent": async (t) => {
    const sent = await t.create({ payload: '{"a": 1}', tags: ["red"], priority: 9, dueAt: t.now + 5, queue: "slow" });
    expect(sent.answer).toEqual({ kind: "created", tasks: [{ id: sent.id, created: true }], claimed: [] });
    expect(await t.task(sent.id)).toMatchObject({
      namespace: t.namespace,
      type: "work",
      queue: "slow",
      state: "pending",
      priority: 9,
      dueAt: t.now + 5,
      attempt: 0,
      payload: '{"a": 1}',
      policy: defaultPolicy,
      trigger: "api",
      tags: ["red"],
      attempts: [],
    });
  },
  "a payload of any size comes to its worker byte by byte": async (t) => {
    const { id } = await t.create({ payload: large });
    expect((await t.claim())[0]).toMatchObject({ id, payload: large });
    expect((await t.task(id)).payload).toBe(large);
  },
  "another namespace does not see a task": async (t) => {
    const { id } = await t.create();
    expect(await t.store.getTask("elsewhere", id)).toBeNull();
    expect(await t.store.cancelTask("elsewhere", id, { reason: null, now: t.now })).toEqual({ kind: "not_found" });
  },
  "a task can be created in the hands of its first holder": async (t) => {
    const tasks = [t.newTask(), t.newTask()];
    const answer = await t.store.createTasks(tasks, { now: t.now, claim: { session: t.session, count: 1 } });
    expect(answer).toMatchObject({ claimed: [{ id: tasks[0]!.id, token: 1n, attempt: 1 }] });
    expect(await t.store.leases(t.session)).toEqual([{ id: tasks[0]!.id, token: 1n }]);
    expect((await t.claim()).map((task) => task.id)).toEqual([tasks[1]!.id]);
  },
  "a session that is dead is handed nothing at creation": async (t) => {
    await t.die(t.session);
    const { answer, id } = await t.create({}, { claim: { session: t.session, count: 1 } });
    expect(answer).toMatchObject({ kind: "created", claimed: [] });
    expect((await t.task(id)).state).toBe("pending");
  },
  "tasks created at the same moment one by one are all there": async (t) => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => t.create()));
    expect(answers.every(({ answer }) => answer.kind === "created")).toBe(true);
    expect(await t.claim({ limit: 1_000 })).toHaveLength(200);
  },

  "a unique key is held by one task that is not final": async (t) => {
    const first = await t.create({ uniqueKey: "k" });
    const second = await t.create({ uniqueKey: "k" });
    expect(second.answer).toMatchObject({ tasks: [{ id: first.id, created: false }] });
    expect(await t.store.getTask(t.namespace, second.id)).toBeNull();
  },
  "a unique key is free again once its task is final": async (t) => {
    const first = await t.claimOne({ uniqueKey: "k" });
    await t.record(first, final("succeeded"));
    expect((await t.create({ uniqueKey: "k" })).answer).toMatchObject({ tasks: [{ created: true }] });
  },
  "a key twice in a batch makes one task": async (t) => {
    const tasks = [t.newTask({ uniqueKey: "k" }), t.newTask({ uniqueKey: "k" }), t.newTask()];
    expect(await t.store.createTasks(tasks, { now: t.now })).toMatchObject({
      tasks: [
        { id: tasks[0]!.id, created: true },
        { id: tasks[0]!.id, created: false },
        { id: tasks[2]!.id, created: true },
      ],
    });
  },
  "replacing changes the waiting task, not one that is held": async (t) => {
    const { id } = await t.create({ uniqueKey: "k", payload: '"old"', dueAt: t.now + 60_000 });
    const replace = { uniquePolicy: "replace" } as const;
    const answer = (await t.create({ uniqueKey: "k", payload: '"new"', priority: 8 }, replace)).answer;
    expect(answer).toMatchObject({ tasks: [{ id, created: false }] });
    expect(await t.task(id)).toMatchObject({ payload: '"new"', priority: 8, dueAt: t.now });
    expect((await t.claim()).map((task) => task.id)).toEqual([id]);
    await t.create({ uniqueKey: "k", payload: '"newest"' }, replace);
    expect((await t.task(id)).payload).toBe('"new"');
  },
  "rejecting a taken key leaves the whole batch out": async (t) => {
    const { id } = await t.create({ uniqueKey: "k" });
    const tasks = [t.newTask(), t.newTask({ uniqueKey: "k" })];
    expect(await t.store.createTasks(tasks, { now: t.now, uniquePolicy: "reject" })).toEqual({
      kind: "unique_conflict",
      id,
      uniqueKey: "k",
      sameType: true,
    });
    expect(await t.store.getTask(t.namespace, tasks[0]!.id)).toBeNull();
  },
  "each task of a batch has its own answer to a taken key": async (t) => {
    const kept = await t.create({ uniqueKey: "kept", payload: '"old"' });
    const replaced = await t.create({ uniqueKey: "replaced", payload: '"old"' });
    const tasks = ["kept", "replaced", "free"].map((uniqueKey) => t.newTask({ uniqueKey, payload: '"new"' }));
    const policies = ["keep", "replace", "reject"] as const;
    const answer = await t.store.createTasks(tasks, {
      now: t.now,
      uniquePolicy: (task) => policies[tasks.indexOf(task)]!,
    });
    expect(answer).toMatchObject({
      tasks: [
        { id: kept.id, created: false },
        { id: replaced.id, created: false },
        { id: tasks[2]!.id, created: true },
      ],
    });
    expect((await t.task(kept.id)).payload).toBe('"old"');
    expect((await t.task(replaced.id)).payload).toBe('"new"');
  },
  "a task is not replaced by one of another type": async (t) => {
    const { id } = await t.create({ uniqueKey: "k", payload: '"old"', type: "mail" });
    const task = t.newTask({ uniqueKey: "k", payload: '"new"', type: "bill" });
    expect(await t.store.createTasks([task], { now: t.now, uniquePolicy: "replace" })).toEqual({
      kind: "unique_conflict",
      id,
      uniqueKey: "k",
      sameType: false,
    });
    expect((await t.task(id)).payload).toBe('"old"');
  },
  "callers with the same unique key at the same moment agree on one task": async (t) => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => t.create({ uniqueKey: "k" })));
    const found = answers.map(({ answer }) => (answer.kind === "created" ? answer.tasks[0]! : null));
    expect(new Set(found.map((task) => task!.id)).size).toBe(1);
    expect(found.filter((task) => task!.created)).toHaveLength(1);
  },
  "within its window a key is taken by its task, also once that is final; then it is free again": async (t) => {
    const window = { uniqueKey: "k", uniqueForMs: 60_000 };
    const first = await t.claimOne(window);
    expect((await t.create(window)).answer).toMatchObject({ tasks: [{ id: first.id, created: false }] });
    await t.record(first, final("succeeded"));
    t.now += 59_999;
    const second = await t.create(window);
    expect(second.answer).toMatchObject({ tasks: [{ id: first.id, created: false }] });
    expect(await t.store.getTask(t.namespace, second.id)).toBeNull();
    t.now += 1;
    const third = await t.create(window);
    expect(third.answer).toMatchObject({ tasks: [{ id: third.id, created: true }] });
    const [claimed] = await t.claim();
    await t.record(claimed!, final("failed"));
    expect((await t.create(window)).answer).toMatchObject({ tasks: [{ id: third.id, created: false }] });
  },
  "a window counts for those who ask for one, and only tasks that were created with one have it": async (t) => {
    const window = { uniqueKey: "k", uniqueForMs: 60_000 };
    const without = await t.claimOne({ uniqueKey: "k" });
    expect((await t.create(window)).answer).toMatchObject({ tasks: [{ id: without.id, created: false }] });
    await t.record(without, final("succeeded"));
    const first = await t.claimOne(window);
    await t.record(first, final("succeeded"));
    const free = await t.create({ uniqueKey: "k" });
    expect(free.answer).toMatchObject({ tasks: [{ id: free.id, created: true }] });
    expect((await t.create(window)).answer).toMatchObject({ tasks: [{ id: first.id, created: false }] });
    expect((await t.create({ ...window, uniqueKey: "other" })).answer).toMatchObject({ tasks: [{ created: true }] });
  },
  "a taken window: reject is refused, replace changes what waits and nothing that is final": async (t) => {
    const window = { uniqueKey: "k", uniqueForMs: 60_000 };
    const first = await t.create({ ...window, payload: '"old"' });
    const replace = { uniquePolicy: "replace" } as const;
    await t.create({ ...window, payload: '"new"', dueAt: t.now + 5 }, replace);
    expect(await t.task(first.id)).toMatchObject({ payload: '"new"', dueAt: t.now + 5 });
    t.now += 5;
    const [claimed] = await t.claim();
    await t.record(claimed!, final("succeeded"));
    const late = await t.create({ ...window, payload: '"late"' }, replace);
    expect(late.answer).toMatchObject({ tasks: [{ id: first.id, created: false }] });
    expect(await t.task(first.id)).toMatchObject({ state: "succeeded", payload: '"new"' });
    expect((await t.create(window, { uniquePolicy: "reject" })).answer).toEqual({
      kind: "unique_conflict",
      id: first.id,
      uniqueKey: "k",
      sameType: true,
    });
  },
  "a window is over when its task is forgotten": async (t) => {
    const window = { uniqueKey: "k", uniqueForMs: 60_000 };
    const first = await t.claimOne(window);
    await t.record(first, final("succeeded"));
    await t.store.deleteTask(t.namespace, first.id);
    expect((await t.create(window)).answer).toMatchObject({ tasks: [{ created: true }] });
  },
  "a key twice in a batch with a window makes one task, and so do callers of the same moment": async (t) => {
    const window = { uniqueKey: "k", uniqueForMs: 60_000 };
    const tasks = [t.newTask(window), t.newTask(window)];
    const { id } = tasks[0]!;
    expect(await t.store.createTasks(tasks, { now: t.now })).toMatchObject({
      tasks: [
        { id, created: true },
        { id, created: false },
      ],
    });
    const other = { ...window, uniqueKey: "other" };
    // On a busy machine a caller may have waited too long for the key; as any client would, it tries again.
    const create = (): Promise<{ answer: CreateAnswer }> =>
      t.create(other).catch((error: unknown) => {
        if (CarillonError.is(error) && error.code === "unavailable") return create();
        throw error;
      });
    const answers = await Promise.all(Array.from({ length: 5 }, create));
    const found = answers.flatMap(({ answer }) => (answer.kind === "created" ? answer.tasks : []));
    expect(new Set(found.map((task) => task.id)).size).toBe(1);
    expect(found.filter(({ created }) => created)).toHaveLength(1);
  },

  "an idempotency key answers the same request with the first answer, another one not at all": async (t) => {
    const idempotency = (requestHash: string, response: string, ttlMs = 1_000) => ({
      idempotency: {
        namespace: t.namespace,
        key: "again",
        requestHash,
        response: () => response,
        expiresAt: t.now + ttlMs,
      },
    });
    await t.create({}, idempotency("this", "first"));
    const second = await t.create({}, idempotency("this", "second"));
    expect(second.answer).toEqual({ kind: "replayed", response: "first" });
    expect(await t.store.getTask(t.namespace, second.id)).toBeNull();
    expect((await t.create({}, idempotency("that", "third"))).answer).toEqual({ kind: "key_reused" });
    t.now += 1_000;
    expect((await t.create({}, idempotency("that", "fourth"))).answer).toMatchObject({ kind: "created" });
  },
};
