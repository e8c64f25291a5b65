import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";

const TASKS = "/api/v1/tasks";
const WORKFLOWS = "/api/v1/workflows";

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
  });
  afterEach(() => t.close());

  const create = async (body: object): Promise<string> => (await t.call("POST", TASKS, body)).body.id;
  const settle = () => t.store.settleDependencies({ now: t.clock.now(), limit: 100 });
  /** Ends everything that may run. */
  async function end(state: "succeeded" | "failed"): Promise<void> {
    const { refs } = await t.claim();
    const now = t.clock.now();
    const error = { code: "handler_error", name: "Error", message: "no", stack: null } as const;
    const decision = {
      kind: "final",
      state,
      result: null,
      error: state === "failed" ? error : null,
      reason: null,
    } as const;
    const facts = { startedAt: now, finishedAt: now, worker: "w", lost: false };
    await t.store.recordOutcomes(refs.map((ref) => ({ ...ref, ...facts, decision })));
    while ((await settle()).more);
  }

  test("a task after others is blocked, says for which it waits, and is queued when they have succeeded", async () => {
    const first = await create({ type: "a" });
    const { status, body, headers } = await t.call(
      "POST",
      TASKS,
      { type: "b", after: [first] },
      { "idempotency-key": "k" },
    );
    expect({ status, body }).toMatchObject({ status: 202, body: { state: "blocked", after: [first], when: "all" } });
    expect(headers.location).toBe(`${TASKS}/${body.id}`);
    const again = await t.call("POST", TASKS, { type: "b", after: [first] }, { "idempotency-key": "k" });
    expect(again).toMatchObject({ status: 202, body, headers: { "idempotent-replayed": "true" } });
    const explained = await t.call("GET", `${TASKS}/${body.id}/explain`);
    expect(explained.body).toEqual({
      summary: `The task waits for ${first}, which is not final.`,
      reasons: [{ code: "parents", message: expect.any(String), until: null, refs: [first] }],
    });
    expect((await t.call("GET", "/api/v1/queues/default/stats")).body).toMatchObject({ due: 1, blocked: 1, depth: 2 });
    await end("succeeded");
    expect((await t.call("GET", `${TASKS}/${body.id}`)).body).toMatchObject({ state: "queued", after: [first] });
  });

  test("a task after one that has failed is skipped at once, or due at once if it is meant for that", async () => {
    const first = await create({ type: "a" });
    await end("failed");
    const skipped = await t.call("POST", TASKS, { type: "b", after: [first] }, { "idempotency-key": "k" });
    expect(skipped).toMatchObject({ status: 202, body: { state: "skipped", reason: "parents" } });
    const again = await t.call("POST", TASKS, { type: "b", after: [first] }, { "idempotency-key": "k" });
    expect(again).toMatchObject({ status: 202, body: skipped.body });
    const explained = await t.call("GET", `${TASKS}/${skipped.body.id}/explain`);
    expect(explained.body.summary).toMatch(/^The task was skipped, because the tasks that it comes after/);
    const undo = await t.call("POST", TASKS, { type: "b", after: [first], when: "on-failure" });
    expect(undo).toMatchObject({ status: 202, body: { state: "queued", when: "on-failure" } });
  });

  test("tasks that there are not, no ids, and ids that are there twice are refused by their places, in batches too", async () => {
    const first = await create({ type: "a" });
    const nobody = "task_0000000000000";
    const refused = async (path: string, body: object) => {
      const answer = await t.call("POST", path, body);
      expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
      return answer.body.errors.map(({ pointer, code }: { pointer: string; code: string }) => [pointer, code]);
    };
    expect(await refused(TASKS, { type: "b", after: [first, nobody] })).toEqual([["/after/1", "unknown_task"]]);
    expect(await refused(TASKS, { type: "b", after: ["a"] })).toEqual([["/after/0", "unknown_task"]]);
    expect(await refused(TASKS, { type: "b", after: [first, first] })).toEqual([["/after/1", "duplicate"]]);
    expect(await refused(TASKS, { type: "b", when: "any" })).toEqual([["/after", "required"]]);
    const tasks = [
      { type: "b" },
      { type: "b", after: [first] },
      { type: "b", after: [first, first.replace(/.$/, "z"), nobody] },
    ];
    expect(await refused(`${TASKS}:batch`, { tasks })).toEqual([
      ["/tasks/2/after/1", "unknown_task"],
      ["/tasks/2/after/2", "unknown_task"],
    ]);
    expect((await t.call("GET", TASKS)).body.tasks).toHaveLength(1);
  });

  const order = {
    name: "order",
    tasks: [
      { key: "charge", type: "charge-card", payload: { order: 42 } },
      { key: "ship", type: "ship-order", after: ["charge"] },
      { key: "refund", type: "refund-card", after: ["ship"], when: "on-failure" },
    ],
  };

  test("a workflow is submitted once, shows its graph and states, and is found among its tasks", async () => {
    const { status, body, headers } = await t.call("POST", WORKFLOWS, order, { "idempotency-key": "k" });
    expect(status).toBe(202);
    expect(headers.location).toBe(`${WORKFLOWS}/${body.id}`);
    const again = await t.call("POST", WORKFLOWS, order, { "idempotency-key": "k" });
    expect(again).toMatchObject({ status: 202, body: { id: body.id }, headers: { "idempotent-replayed": "true" } });
    await end("succeeded");
    const graph = (await t.call("GET", `${WORKFLOWS}/${body.id}`)).body;
    expect(graph).toMatchObject({
      name: "order",
      state: "running",
      onFailure: "stop",
      counts: { total: 3, open: 2, succeeded: 1, failed: 0, cancelled: 0, skipped: 0 },
      tasks: [
        { key: "charge", type: "charge-card", state: "succeeded", after: [], when: null },
        { key: "ship", state: "queued", after: ["charge"], when: "all" },
        { key: "refund", state: "blocked", after: ["ship"], when: "on-failure" },
      ],
    });
    const task = (await t.call("GET", `${TASKS}/${graph.tasks[1].id}`)).body;
    expect(task).toMatchObject({
      workflow: body.id,
      workflowKey: "ship",
      trigger: "workflow",
      after: [graph.tasks[0].id],
    });
    const listed = await t.call("GET", `${TASKS}?workflow=${body.id}&state=succeeded,blocked`);
    expect(listed.body.tasks.map(({ workflowKey }: { workflowKey: string }) => workflowKey)).toEqual([
      "refund",
      "charge",
    ]);
    expect((await t.call("GET", `${TASKS}?workflow=nonsense`)).body.tasks).toEqual([]);
    const { tasks: _, ...summary } = graph;
    expect((await t.call("GET", WORKFLOWS)).body).toEqual({ workflows: [summary], nextPageToken: null });
  });

  test("a workflow that fails is retried from there; one that is cancelled cancels what waits", async () => {
    const { id } = (await t.call("POST", WORKFLOWS, order)).body;
    await end("failed");
    expect((await t.call("GET", `${WORKFLOWS}/${id}`)).body).toMatchObject({
      state: "failed",
      tasks: [{ state: "failed" }, { state: "skipped" }, { state: "skipped" }],
    });
    expect(await t.call("POST", `${WORKFLOWS}/${id}:cancel`)).toMatchObject({
      status: 409,
      body: { code: "workflow_final" },
    });
    expect(await t.call("POST", `${WORKFLOWS}/${id}:retry`, { from: ["nobody"] })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: "/from/0", code: "unknown_key" }] },
    });
    expect(await t.call("POST", `${WORKFLOWS}/${id}:retry`)).toMatchObject({
      status: 200,
      body: { state: "running", counts: { open: 3 }, finishedAt: null },
    });
    const cancelled = await t.call("POST", `${WORKFLOWS}/${id}:cancel`, { reason: "no" });
    expect(cancelled).toMatchObject({ status: 202, body: { reason: "no", cancelRequestedAt: expect.any(String) } });
    while ((await settle()).more);
    expect((await t.call("GET", `${WORKFLOWS}/${id}`)).body).toMatchObject({
      state: "cancelled",
      counts: { cancelled: 3 },
    });
    expect(await t.call("POST", `${WORKFLOWS}/${id}:cancel`)).toMatchObject({
      status: 202,
      body: { state: "cancelled" },
    });
    for (const other of ["wf_0000000000000", "nonsense"])
      expect(await t.call("GET", `${WORKFLOWS}/${other}`)).toMatchObject({
        status: 404,
        body: { code: "workflow_not_found" },
      });
  });

  const fan = {
    name: "fan",
    tasks: [
      { key: "split", type: "split" },
      { key: "join", type: "join", after: ["split"] },
    ],
  };
  const parts = ["part-1", "part-2"].map((key, page) => ({ key, type: "convert", payload: { page } }));

  test("a task that runs adds others, once, and what comes after it waits for them", async () => {
    const { id } = (await t.call("POST", WORKFLOWS, fan)).body;
    const add = (body: object) => t.call("POST", `${WORKFLOWS}/${id}:add`, body);
    const added = await add({ parent: "split", tasks: parts });
    expect(added).toMatchObject({ status: 202, body: { id, state: "running", counts: { total: 4, open: 4 } } });
    expect(await add({ parent: "split", tasks: parts })).toMatchObject({ status: 202, body: added.body });
    const graph = (await t.call("GET", `${WORKFLOWS}/${id}`)).body;
    expect(graph.tasks).toMatchObject([
      { key: "split", state: "queued" },
      { key: "join", state: "blocked", after: ["split", "part-1", "part-2"] },
      { key: "part-1", type: "convert", state: "queued", after: [] },
      { key: "part-2", type: "convert", state: "queued", after: [] },
    ]);
    expect((await t.call("GET", `${TASKS}/${graph.tasks[2].id}`)).body).toMatchObject({
      workflow: id,
      workflowKey: "part-1",
      trigger: "workflow",
      payload: { page: 0 },
    });
    await end("succeeded");
    expect((await t.call("GET", `${WORKFLOWS}/${id}`)).body.tasks[1]).toMatchObject({ state: "queued" });
    await end("succeeded");
    expect(await add({ parent: "split", tasks: parts })).toMatchObject({ status: 202, body: { state: "succeeded" } });
    const late = await add({ tasks: [{ key: "late", type: "convert" }] });
    expect(late).toMatchObject({ status: 409, body: { code: "workflow_final" } });
    expect(late.body.detail).toBe("The workflow has ended: it has succeeded.");
  });

  test("tasks that cannot join a workflow are refused by their places", async () => {
    const { id } = (await t.call("POST", WORKFLOWS, fan)).body;
    const add = (body: object, to = id) => t.call("POST", `${WORKFLOWS}/${to}:add`, body);
    const refused = async (body: object) => {
      const answer = await add(body);
      expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
      return answer.body.errors.map(({ pointer, code }: { pointer: string; code: string }) => [pointer, code]);
    };
    const node = (key: string, ...after: string[]) => ({ key, type: "t", after });
    expect(await refused({ parent: "split", tasks: [node("a"), node("b", "join")] })).toEqual([
      ["/tasks/1/after", "cycle"],
    ]);
    expect(await refused({ parent: "nobody", tasks: [node("a", "b")] })).toEqual([
      ["/parent", "unknown_key"],
      ["/tasks/0/after/0", "unknown_key"],
    ]);
    const many = Array.from({ length: 1_000 }, (_, n) => node(`n${n}`));
    expect(await refused({ parent: "split", tasks: many })).toEqual([["/tasks", "too_many"]]);
    expect(await refused({ tasks: [] })).toEqual([["/tasks", "too_few"]]);
    expect(await refused({ tasks: [{ ...node("a"), uniqueKey: "k" }] })).toEqual([
      ["/tasks/0/uniqueKey", "unknown_field"],
    ]);
    for (const other of ["wf_0000000000000", "nonsense"])
      expect(await add({ tasks: parts }, other)).toMatchObject({ status: 404, body: { code: "workflow_not_found" } });
    await t.call("POST", `${WORKFLOWS}/${id}:cancel`);
    expect(await add({ tasks: parts })).toMatchObject({
      status: 409,
      body: { code: "workflow_final", detail: "The workflow is being cancelled." },
    });
    expect((await t.call("GET", `${WORKFLOWS}/${id}`)).body.counts).toMatchObject({ total: 2 });
  });

  test("cycles, unknown and double keys, and fields that workflows do not have are refused by their places", async () => {
    const refused = async (tasks: object[]) => {
      const answer = await t.call("POST", WORKFLOWS, { name: "w", tasks });
      expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
      return answer.body.errors.map(({ pointer, code }: { pointer: string; code: string }) => [pointer, code]);
    };
    const node = (key: string, ...after: string[]) => ({ key, type: "t", after });
    expect(await refused([node("a", "b"), node("b", "a")])).toEqual([["/tasks/0/after", "cycle"]]);
    expect(await refused([node("a"), node("a", "c")])).toEqual([
      ["/tasks/1/key", "duplicate_key"],
      ["/tasks/1/after/0", "unknown_key"],
    ]);
    expect(await refused([{ key: "a", type: "t", uniqueKey: "k" }])).toEqual([["/tasks/0/uniqueKey", "unknown_field"]]);
    expect(await refused([{ ...node("a"), when: "any" }])).toEqual([["/tasks/0/after", "required"]]);
    expect((await t.call("GET", WORKFLOWS)).body.workflows).toEqual([]);
  });
});
