import type { Id } from "@carillon/core";
import type { ClaimedTask, LogLine, Page } from "@carillon/store";
import { expect } from "vitest";
import { again, final, large, mistake, type Promises, start } from "./world.ts";

export const tasks: Promises = {
  "a waiting task is cancelled at once": async (t) => {
    const { id } = await t.create();
    const cancel = () => t.store.cancelTask(t.namespace, id, { reason: "a mistake", now: t.now });
    expect(await cancel()).toMatchObject({ kind: "done", task: { state: "cancelled", reason: "a mistake" } });
    expect(await cancel()).toMatchObject({ kind: "final", task: { state: "cancelled" } });
    expect(await t.claim()).toEqual([]);
  },
  "the holder of a cancelled task learns it with its renewal, and decides": async (t) => {
    const task = await t.claimOne();
    const answer = await t.store.cancelTask(t.namespace, task.id, { reason: "stop", now: t.now });
    expect(answer).toMatchObject({ kind: "recalled", session: t.session, task: { cancelRequestedAt: t.now } });
    expect(await t.store.renewSession(t.session, t.now)).toEqual({
      alive: true,
      recalls: [{ id: task.id, token: task.token, what: "cancel", reason: "stop" }],
    });
    expect(await t.record(task, final("succeeded"))).toEqual([true]);
    expect((await t.task(task.id)).state).toBe("succeeded");
  },
  "a task that was asked to cancel is not tried again": async (t) => {
    const ways: ((task: ClaimedTask) => Promise<unknown>)[] = [
      (task) => t.record(task, again(t.now, mistake)),
      (task) => t.store.giveBack(t.session, [task]),
      async () => {
        await t.die(t.session);
        await t.store.takeBack(t.session, { now: t.now, limit: 10 });
      },
    ];
    for (const comeBack of ways) {
      const task = await t.claimOne();
      await t.store.cancelTask(t.namespace, task.id, { reason: "stop", now: t.now });
      await comeBack(task);
      expect(await t.task(task.id)).toMatchObject({ state: "cancelled", reason: "stop" });
    }
  },
  "a change reaches a waiting task, and recalls a held one": async (t) => {
    const { id } = await t.create();
    const patch = { priority: 9, dueAt: t.now + 10, payload: large, queue: "other" };
    const change = () => t.store.patchTask(t.namespace, id, patch, t.now);
    expect(await change()).toMatchObject({ kind: "done", task: { priority: 9, queue: "other", payload: large } });
    const [task] = await t.claim({ queue: "other", until: t.now + 10 });
    expect(task).toMatchObject({ id, priority: 9, payload: large });
    expect(await change()).toMatchObject({ kind: "recalled", session: t.session });
    expect((await t.store.renewSession(t.session, t.now)).recalls).toMatchObject([{ id, what: "return" }]);
    await t.store.giveBack(t.session, [task!]);
    expect(await change()).toMatchObject({ kind: "done" });
  },
  "a change does not undo a cancel": async (t) => {
    const task = await t.claimOne();
    await t.store.cancelTask(t.namespace, task.id, { reason: null, now: t.now });
    await t.store.patchTask(t.namespace, task.id, { priority: 1 }, t.now);
    expect((await t.store.renewSession(t.session, t.now)).recalls).toMatchObject([{ what: "cancel" }]);
  },
  "a retry gives a fresh budget, keeps earlier attempts, and voids old leases": async (t) => {
    const task = await t.claimOne();
    await t.record(task, final("failed", mistake));
    t.now += 1_000;
    expect(await t.store.retryTask(t.namespace, task.id, t.now)).toMatchObject({
      kind: "done",
      task: { state: "pending", dueAt: t.now, failures: 0, attempts: [{ number: 1, outcome: "failed" }] },
    });
    const [next] = await t.claim();
    expect(next).toMatchObject({ id: task.id, token: 2n, attempt: 2, failures: 0 });
    expect(await t.record(task, final("succeeded"))).toEqual([false]);
  },
  "a retry is refused for what succeeded, and while another task has its key": async (t) => {
    const done = await t.claimOne();
    await t.record(done, final("succeeded"));
    expect(await t.store.retryTask(t.namespace, done.id, t.now)).toMatchObject({ kind: "final" });
    const failed = await t.claimOne({ uniqueKey: "k" });
    await t.record(failed, final("failed", mistake));
    await t.create({ uniqueKey: "k" });
    await expect(t.store.retryTask(t.namespace, failed.id, t.now)).rejects.toMatchObject({ code: "unique_conflict" });
  },
  "a task that is due later can be run now": async (t) => {
    const { id } = await t.create({ dueAt: t.now + 60_000 });
    expect(await t.store.runTaskNow(t.namespace, id, t.now)).toMatchObject({ kind: "done", task: { dueAt: t.now } });
    expect(await t.claim()).toMatchObject([{ id }]);
    expect(await t.store.runTaskNow(t.namespace, id, t.now)).toMatchObject({ kind: "running" });
  },
  "only a final task can be forgotten": async (t) => {
    const task = await t.claimOne();
    expect(await t.store.deleteTask(t.namespace, task.id)).toMatchObject({ kind: "running" });
    await t.record(task, final("succeeded"));
    expect(await t.store.deleteTask(t.namespace, task.id)).toMatchObject({ kind: "done" });
    expect(await t.store.getTask(t.namespace, task.id)).toBeNull();
    expect(await t.store.deleteTask(t.namespace, task.id)).toEqual({ kind: "not_found" });
  },
  "lists show the newest first, final ones included, page by page": async (t) => {
    const tasks: Id[] = [];
    for (let n = 0; n < 5; n++) {
      tasks.unshift((await t.create({ payload: "1" })).id);
      t.now++;
    }
    await t.store.cancelTask(t.namespace, tasks[2]!, { reason: null, now: t.now });
    const page = (after: string | null) =>
      t.store.listTasks(t.namespace, { filter: {}, now: t.now, pageSize: 2, after });
    const first = await page(null);
    const second = await page(first.next);
    const third = await page(second.next);
    expect([first, second, third].flatMap(({ items }) => items.map((task) => task.id))).toEqual(tasks);
    expect(third.next).toBeNull();
    expect(first.items[0]!.payload).toBeNull();
  },
  "lists tell what is scheduled, queued and retrying apart": async (t) => {
    const retrying = await t.claimOne();
    await t.record(retrying, again(t.now + 10, mistake));
    const queued = await t.create();
    const scheduled = await t.create({ dueAt: t.now + 10 });
    const list = async (waiting: "scheduled" | "queued" | "retrying") => {
      const filter = { states: ["pending"] as const, waiting: [waiting] };
      const { items } = await t.store.listTasks(t.namespace, { filter, now: t.now, pageSize: 10, after: null });
      return items.map((task) => task.id);
    };
    expect(await list("retrying")).toEqual([retrying.id]);
    expect(await list("queued")).toEqual([queued.id]);
    expect(await list("scheduled")).toEqual([scheduled.id]);
  },
  "log lines are kept from whoever holds the task, oldest first": async (t) => {
    const task = await t.claimOne();
    const line = (message: string, at: number, token = task.token) => ({
      id: task.id,
      token,
      at,
      level: "info" as const,
      message,
      attempt: 1,
    });
    await t.store.appendLogs([line("one", t.now), line("stale", t.now, 99n)]);
    await t.record(task, final("succeeded"));
    await t.store.appendLogs([line("two", t.now + 1)]);
    const first = await t.store.taskLogs(t.namespace, task.id, { pageSize: 1, after: null });
    const second = await t.store.taskLogs(t.namespace, task.id, { pageSize: 1, after: first.next });
    expect([...first.items, ...second.items].map(({ message }) => message)).toEqual(["one", "two"]);
    expect(second.next).toBeNull();
  },
  "log lines of the same instant stay in the order in which they were written": async (t) => {
    const { id, token } = await t.claimOne();
    const messages = ["a", "b", "c", "d"];
    for (const message of messages) {
      await t.store.appendLogs([{ id, token, at: t.now, level: "info", message, attempt: 1 }]);
    }
    const read: string[] = [];
    let after: string | null = null;
    do {
      const page: Page<LogLine> = await t.store.taskLogs(t.namespace, id, { pageSize: 1, after });
      read.push(...page.items.map((line) => line.message));
      after = page.next;
    } while (after !== null);
    expect(read).toEqual(messages);
  },
  "what was declared last for a type counts": async (t) => {
    const declare = (timeoutMs: number) =>
      t.store.declareTypes(t.namespace, [{ type: "work", queue: null, policy: { retry: null, timeoutMs } }], t.now);
    await declare(1_000);
    t.now += 5;
    await declare(2_000);
    expect(await t.store.types(t.namespace)).toEqual([
      { type: "work", queue: null, policy: { retry: null, timeoutMs: 2_000 }, declaredAt: t.now },
    ]);
  },
  "depths count what is not final by lane and the state that people read, and say since when the first waits": async (
    t,
  ) => {
    const depths = async (cap = 100) =>
      (await t.store.depths({ now: t.now, cap }))
        .filter(({ lane }) => lane.namespace === t.namespace)
        .map(({ state, count, waitsSince }) =>
          `${state} ${count} ${waitsSince === null ? "" : waitsSince - start}`.trim(),
        )
        .sort();
    const failing = await t.claimOne();
    const error = { code: "handler_error", name: "Error", message: "no", stack: null } as const;
    await t.record(failing, { kind: "again", as: "failed", dueAt: t.now + 1_000, error });
    await t.store.createTasks([t.newTask({ dueAt: t.now + 60_000 })], { now: t.now });
    expect(await depths()).toEqual(["retrying 1", "scheduled 1"]);
    t.now += 2_000;
    const long = t.newTask({ dueAt: t.now - 60_000 });
    await t.store.createTasks([long, t.newTask(), t.newTask()], { now: t.now });
    t.now += 500;
    expect(await depths()).toEqual(["queued 3 2000", "retrying 1 1000", "scheduled 1"]);
    expect(await depths(1)).toContain("queued 1 2000");
  },
};
