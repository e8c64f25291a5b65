import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";

const TASKS = "/api/v1/tasks";

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
  });
  afterEach(() => t.close());

  const create = async (body: object): Promise<string> => (await t.call("POST", TASKS, body)).body.id;
  const codes = async (id: string) => {
    const { status, body } = await t.call("GET", `${TASKS}/${id}/explain`);
    expect(status).toBe(200);
    return body.reasons.map(({ code }: { code: string }) => code);
  };

  test("a task that does not run says why: no worker, none of its queue, all busy with others before it, or about to", async () => {
    const id = await create({ type: "mail", queue: "billing" });
    expect(await codes(id)).toEqual(["task_queued", "no_worker"]);
    const { id: session } = await t.store.openSession({ node: "n", url: null, now: t.clock.now() });
    const tell = (over: object) => {
      const pool = {
        namespace: "default",
        queues: ["billing"],
        types: ["mail"],
        workers: 1,
        slots: 2,
        busy: 0,
        ...over,
      };
      return t.store.recordFigures(session, { workers: 1, pools: [pool], queues: [] });
    };
    await tell({ queues: ["default"] });
    expect(await codes(id)).toEqual(["task_queued", "no_worker"]);
    await tell({ namespace: "other" });
    expect(await codes(id)).toEqual(["task_queued", "no_worker"]);
    await tell({});
    expect(await codes(id)).toEqual(["task_queued", "starting"]);
    await tell({ busy: 2 });
    expect(await codes(id)).toEqual(["task_queued", "no_credit"]);
    await create({ type: "report", queue: "billing" });
    await create({ type: "report", queue: "other" });
    const { body } = await t.call("GET", `${TASKS}/${id}/explain`);
    expect(body.summary).toMatch(/; 1 other task of the queue billing may start too, the most urgent first\.$/);
  });

  test("one that is due later says when, one that is final what became of it, and one that is none is not found", async () => {
    const id = await create({ type: "mail", delay: "1h" });
    const later = await t.call("GET", `${TASKS}/${id}/explain`);
    expect(later.body.reasons[0]).toMatchObject({ code: "due_later", until: "2026-11-20T11:00:00.000Z", refs: [id] });
    await t.call("POST", `${TASKS}/${id}:cancel`, { reason: "enough" });
    expect((await t.call("GET", `${TASKS}/${id}/explain`)).body.summary).toBe("The task was cancelled (enough).");
    for (const other of ["task_0000000000000", "nonsense"]) {
      const answer = await t.call("GET", `${TASKS}/${other}/explain`);
      expect(answer).toMatchObject({ status: 404, body: { code: "task_not_found" } });
    }
  });
});
