import type { WorkerFacts } from "@carillon/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, START, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";

const TASKS = "/api/v1/tasks";
const WORKERS = "/api/v1/workers";

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
  });
  afterEach(() => t.close());

  const worker = (name: string, over: Partial<WorkerFacts> = {}): WorkerFacts => ({
    name,
    namespace: "default",
    version: "1.2.3",
    queues: ["default"],
    types: ["reload", "mail"],
    labels: {},
    slots: 10,
    busy: 1,
    connectedAt: START,
    ...over,
  });

  /** A node that tells of these. */
  async function node(name: string, workers: WorkerFacts[]): Promise<bigint> {
    const { id } = await t.store.openSession({ node: name, url: null, now: t.clock.now() });
    await t.store.recordWorkers(id, workers);
    return id;
  }

  test("workers of all nodes are listed by name, page by page, those of this node as it sees them", async () => {
    const session = await node("here", [worker("b", { busy: 7 })]);
    await node("there", [worker("c", { labels: { region: "eu" } }), worker("a"), worker("x", { namespace: "other" })]);
    const dispatcher = {
      session,
      reserve: () => 0,
      release: () => {},
      handOut: () => {},
      noticeCreated: () => {},
      queuesChanged: () => {},
      workers: () => [worker("b", { busy: 2 }), worker("d", { busy: 0 })],
      recall: () => {},
    };
    const here = await startApp({ clock: t.clock, store: t.store, dispatcher });
    const first = await here.call("GET", `${WORKERS}?pageSize=3`);
    expect(first.body.workers).toEqual([
      expect.objectContaining({ name: "a", node: "there" }),
      expect.objectContaining({ name: "b", node: "here", busy: 2 }),
      {
        name: "c",
        node: "there",
        version: "1.2.3",
        labels: { region: "eu" },
        queues: ["default"],
        types: ["mail", "reload"],
        slots: 10,
        busy: 1,
        connectedAt: "2026-11-20T10:00:00.000Z",
      },
    ]);
    const second = await here.call("GET", `${WORKERS}?pageSize=3&pageToken=${first.body.nextPageToken}`);
    expect(second.body).toMatchObject({ workers: [{ name: "d", node: "here" }], nextPageToken: null });
    await here.close();
  });

  test("a broadcast makes a task for each worker that runs the type, takes the queue and has the labels", async () => {
    const eu = { region: "eu" };
    await node("one", [
      worker("a", { labels: eu }),
      worker("b"),
      worker("c", { labels: eu, types: ["mail"] }),
      worker("d", { labels: eu, queues: ["slow"] }),
    ]);
    // Two processes of one name are one worker to a broadcast.
    await node("two", [worker("e", { labels: eu }), worker("a", { labels: eu }), worker("f", { namespace: "other" })]);
    const sent = { type: "reload", payload: { now: true }, requires: eu, tags: ["config"] };
    const answer = await t.call("POST", `${TASKS}:broadcast`, sent);
    expect(answer.status).toBe(202);
    const { tag, tasks } = answer.body;
    expect(tag).toMatch(/^broadcast_[0-9a-z]{13}$/);
    expect(tasks.map((task: { worker: string }) => task.worker)).toEqual(["a", "e"]);
    const first = (await t.call("GET", `${TASKS}/${tasks[0].id}`)).body;
    expect(first).toMatchObject({
      type: "reload",
      payload: { now: true },
      requires: { worker: "a" },
      tags: ["config", tag],
      maxAttempts: 1,
      startWithin: "1m",
    });
    const listed = await t.call("GET", `${TASKS}?tag=${tag}`);
    expect(listed.body.tasks).toHaveLength(2);
  });

  test("a broadcast sent again is the same broadcast, and one that reaches nobody says so", async () => {
    const nobody = await t.call("POST", `${TASKS}:broadcast`, { type: "reload" });
    expect(nobody).toMatchObject({ status: 202, body: { tag: expect.any(String), tasks: [] } });
    await node("one", [worker("a")]);
    const key = { "idempotency-key": "reload-1" };
    const first = await t.call("POST", `${TASKS}:broadcast`, { type: "reload", startWithin: "5s" }, key);
    await node("two", [worker("b")]);
    const again = await t.call("POST", `${TASKS}:broadcast`, { type: "reload", startWithin: "5s" }, key);
    expect(again.body).toEqual(first.body);
    expect(again.headers["idempotent-replayed"]).toBe("true");
    expect((await t.call("GET", TASKS)).body.tasks).toHaveLength(1);
  });

  test("a broadcast to more workers than it may reach is refused, and asks for labels", async () => {
    await node(
      "one",
      [...Array(1_001).keys()].map((n) => worker(`w-${n}`)),
    );
    const answer = await t.call("POST", `${TASKS}:broadcast`, { type: "reload" });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer: "/requires", code: "too_many" }] } });
    expect(answer.body.detail).toContain("1001 workers run reload");
  });

  test("a task says which labels it requires, and explains who lacks them", async () => {
    const created = await t.call("POST", TASKS, { type: "mail", requires: { region: "eu", gpu: "a100" } });
    expect(created.body.requires).toEqual({ gpu: "a100", region: "eu" });
    const { id } = created.body;
    expect((await t.call("GET", `${TASKS}/${id}`)).body.requires).toEqual({ gpu: "a100", region: "eu" });
    expect((await t.call("GET", TASKS)).body.tasks[0].requires).toEqual({ gpu: "a100", region: "eu" });
    await node("one", [worker("a", { labels: { region: "eu" } })]);
    const why = async () => (await t.call("GET", `${TASKS}/${id}/explain`)).body;
    expect(await why()).toMatchObject({ reasons: [{ code: "task_queued" }, { code: "no_worker" }] });
    expect((await why()).summary).toContain("has the label gpu=a100");
    await node("two", [worker("b", { labels: { region: "eu", gpu: "a100" } })]);
    expect(await why()).toMatchObject({ reasons: [{ code: "task_queued" }, { code: "starting" }] });
    // It keeps them in another queue, and once it is tried again.
    const moved = await t.call("PATCH", `${TASKS}/${id}`, { queue: "slow" });
    expect(moved.body).toMatchObject({ queue: "slow", requires: { gpu: "a100", region: "eu" } });
    await t.call("POST", `${TASKS}/${id}:cancel`);
    expect((await t.call("POST", `${TASKS}/${id}:retry`)).body.requires).toEqual({ gpu: "a100", region: "eu" });
  });

  test("labels that make no sense are refused by name", async () => {
    const many = Object.fromEntries([...Array(9).keys()].map((n) => [`l${n}`, "x"]));
    const cases: [unknown, string, string][] = [
      [many, "/requires", "too_many"],
      [{ "not a name": "x" }, "/requires/not a name", "invalid_name"],
      [{ region: "x".repeat(257) }, "/requires/region", "invalid_label"],
      [{ region: 5 }, "/requires/region", "invalid_type"],
      [["region"], "/requires", "invalid_type"],
    ];
    for (const [requires, pointer, code] of cases) {
      const answer = await t.call("POST", TASKS, { type: "mail", requires });
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer, code }] } });
    }
  });

  test("a schedule's tasks require the labels of its template, planned, triggered and backfilled", async () => {
    const body = { every: "1h", task: { type: "mail", requires: { region: "eu" } } };
    const put = await t.call("PUT", "/api/v1/schedules/hourly", body);
    expect(put.body.task.requires).toEqual({ region: "eu" });
    expect((await t.call("PUT", "/api/v1/schedules/hourly", body)).body.version).toBe(put.body.version);
    const merged = await t.call("PATCH", "/api/v1/schedules/hourly", { task: { requires: { gpu: "a100" } } });
    expect(merged.body.task.requires).toEqual({ gpu: "a100", region: "eu" });
    const triggered = await t.call("POST", "/api/v1/schedules/hourly:trigger", {});
    expect(triggered.body.requires).toEqual({ gpu: "a100", region: "eu" });
    const none = await t.call("PATCH", "/api/v1/schedules/hourly", { task: { requires: null } });
    expect(none.body.task.requires).toEqual({});
  });
});
