import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { manualClock, startApp, storeKinds, type TestApp, useStore } from "../../test/http/setup.ts";
import { targetList } from "./schemas/targets.ts";

const TASKS = "/api/v1/tasks";

describe.each(storeKinds)("on the %s store", (kind) => {
  const emptyStore = useStore(kind);
  let t: TestApp;
  beforeEach(async () => {
    const clock = manualClock();
    t = await startApp({ clock, store: await emptyStore(clock) });
  });
  afterEach(() => t.close());

  /** As a node that found its target broken: claimed, and parked instead of handed out. */
  async function parkedCall(url: string, reason: string): Promise<string> {
    const { body } = await t.call("POST", TASKS, { type: "http", payload: { url } });
    const now = t.clock.now();
    const { id: session } = await t.store.openSession({ node: "n", url: null, now });
    const targets = (await t.store.lanes()).map(({ id }) => ({ laneId: id, band: 2 as const, limit: 10 }));
    const claimed = await t.store.claim({ session, targets, until: now, limit: 10, now });
    const target = { id: t.deps.ids.next(now), namespace: "default", name: new URL(url).host };
    await t.store.parkTasks(
      session,
      claimed.map(({ id, token }) => ({ id, token, target, reason })),
      now,
    );
    return body.id;
  }

  test("a target that had trouble is listed with the tasks that wait for it, and such a task says what it waits for", async () => {
    const id = await parkedCall("https://api.example.com/hook", "breaker_open");
    const now = t.clock.now();
    const change = { id: 1n, namespace: "default", name: "api.example.com", state: "open", trips: 2 } as const;
    await t.store.setTarget({ ...change, until: now + 9_000, reason: "HttpStatusError: the target answered 503" }, now);
    t.clock.advance(3_000);
    const { status, body } = await t.call("GET", "/api/v1/targets");
    expect(status).toBe(200);
    expect(targetList.parse(body)).toEqual({
      targets: [
        {
          name: "api.example.com",
          state: "open",
          since: "2026-11-20T10:00:00.000Z",
          until: "2026-11-20T10:00:09.000Z",
          trips: 2,
          reason: "HttpStatusError: the target answered 503",
          waiting: 1,
        },
      ],
      nextPageToken: null,
    });
    expect((await t.call("GET", `${TASKS}/${id}`)).body).toMatchObject({ state: "queued", attempt: 0 });
    const explained = (await t.call("GET", `${TASKS}/${id}/explain`)).body;
    expect(explained).toEqual({
      summary:
        "The task waits for api.example.com, which is left alone since 3s ago (HttpStatusError: the target answered 503); one task tries it at 2026-11-20T10:00:09.000Z.",
      reasons: [{ code: "breaker_open", message: expect.any(String), until: "2026-11-20T10:00:09.000Z", refs: [id] }],
    });
  });

  test("a task that waits because many others call its target says so", async () => {
    const id = await parkedCall("https://api.example.com:8443/hook", "target_busy");
    const { body } = await t.call("GET", `${TASKS}/${id}/explain`);
    expect(body.reasons).toMatchObject([
      { code: "target_busy", message: expect.stringContaining("api.example.com:8443") },
    ]);
  });

  test("a task that waits for its target can be cancelled, and one that waited is due when it may go on", async () => {
    const [first, second] = [
      await parkedCall("https://api.example.com/1", "breaker_open"),
      await parkedCall("https://api.example.com/2", "breaker_open"),
    ];
    expect((await t.call("POST", `${TASKS}/${first}:cancel`, {})).body.state).toBe("cancelled");
    t.clock.advance(60_000);
    const [target] = await t.store.watchedTargets();
    const released = await t.store.releaseParked({ target: target!.id, limit: 10, now: t.clock.now() });
    expect(released).toHaveLength(1);
    expect((await t.call("GET", `${TASKS}/${second}`)).body).toMatchObject({
      state: "queued",
      reason: null,
      dueAt: "2026-11-20T10:01:00.000Z",
    });
  });

  test("a target is forgotten when all has been well for a day", async () => {
    const change = { id: 1n, namespace: "default", name: "api.example.com", trips: 1, reason: "no answer" };
    await t.store.setTarget({ ...change, state: "open", until: t.clock.now() + 5_000 }, t.clock.now());
    await t.store.setTarget({ ...change, state: "closed", until: null, trips: 0 }, t.clock.now() + 5_000);
    const listed = async () => (await t.call("GET", "/api/v1/targets")).body.targets.length;
    expect(await listed()).toBe(1);
    const upkeep = { retentionMs: 1e9, logRetentionMs: 1e9 };
    await t.store.maintain({ now: t.clock.now() + 23 * 3_600_000, ...upkeep });
    expect(await listed()).toBe(1);
    await t.store.maintain({ now: t.clock.now() + 25 * 3_600_000, ...upkeep });
    expect(await listed()).toBe(0);
  });

  test.each([
    ["pageSize=0", "pageSize", "out_of_range"],
    ["state=open", "state", "unknown_field"],
  ])("?%s is refused", async (query, parameter, code) => {
    const { status, body } = await t.call("GET", `/api/v1/targets?${query}`);
    expect(status).toBe(400);
    expect(body.errors).toMatchObject([{ parameter, code }]);
  });
});
