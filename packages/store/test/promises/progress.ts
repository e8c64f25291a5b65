import { expect } from "vitest";
import { again, final, mistake, type Promises } from "./world.ts";

export const progress: Promises = {
  "what an attempt says last about how far it has come is shown with its task, also once that is final": async (t) => {
    const task = await t.claimOne();
    expect(await t.task(task.id)).toMatchObject({ progress: null });
    const say = (fraction: number, message: string | null = null) =>
      t.store.recordProgress([{ id: task.id, token: task.token, fraction, message }], t.now);
    await say(0.25, "reading");
    expect((await t.task(task.id)).progress).toEqual({ fraction: 0.25, message: "reading" });
    const { items } = await t.store.listTasks(t.namespace, { filter: {}, now: t.now, pageSize: 10, after: null });
    expect(items).toMatchObject([{ id: task.id, progress: { fraction: 0.25, message: "reading" } }]);
    await say(0.5);
    expect((await t.task(task.id)).progress).toEqual({ fraction: 0.5, message: null });
    await t.record(task, final("succeeded"));
    await say(1);
    expect((await t.task(task.id)).progress).toEqual({ fraction: 1, message: null });
  },
  "of several about one attempt in a batch the last counts, and what is no text that can be kept is replaced": async (
    t,
  ) => {
    const { id, token } = await t.claimOne();
    const reports = [0.1, 0.2].map((fraction) => ({ id, token, fraction, message: "\u0000" }));
    await t.store.recordProgress(reports, t.now);
    expect((await t.task(id)).progress).toMatchObject({ fraction: 0.2 });
  },
  "the next attempt begins without progress, and what the one before still says is not heard": async (t) => {
    const first = await t.claimOne();
    const say = ({ id, token }: typeof first, fraction: number) =>
      t.store.recordProgress([{ id, token, fraction, message: null }], t.now);
    await say(first, 0.5);
    await t.record(first, again(t.now, mistake));
    expect((await t.task(first.id)).progress).toMatchObject({ fraction: 0.5 });
    const [second] = await t.claim();
    expect((await t.task(first.id)).progress).toBeNull();
    await say(first, 0.9);
    expect((await t.task(first.id)).progress).toBeNull();
    await say(second!, 0.1);
    await say(first, 0.9);
    expect((await t.task(first.id)).progress).toMatchObject({ fraction: 0.1 });
  },
  "progress is forgotten with its task": async (t) => {
    const task = await t.claimOne();
    const { id, token } = task;
    await t.store.recordProgress([{ id, token, fraction: 0.5, message: null }], t.now);
    await t.record(task, final("succeeded"));
    await t.store.deleteTask(t.namespace, id);
    await t.store.recordProgress([{ id, token, fraction: 0.6, message: null }], t.now);
    expect(await t.store.getTask(t.namespace, id)).toBeNull();
  },
};
