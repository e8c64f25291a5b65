import { expect, test } from "vitest";
import { cancelTask, deleteTask, patchTask, retryTask, runTaskNow } from "./people.ts";
import { getTask } from "./records.ts";
import { claimText, handlerError, NOON, type Setup, setup } from "./test-setup.ts";

const LATER = NOON + 5_000;
type State =
  | "pending"
  | "waiting"
  | "blocked"
  | "claimed"
  | "running"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "skipped";

/** A task in this state, due in an hour when it is not held. */
async function taskIn(t: Setup, state: State) {
  const task = t.newTask({ dueAt: NOON + 3_600_000, payload: '{"n":1}' });
  await t.insert(task);
  const session = await t.session(`node of ${task.id}`, 16 + Number(task.id % 200n));
  if (state === "waiting" || state === "blocked")
    await t.sql("update task set state = $2 where id = $1", [task.id, state]);
  if (state === "claimed") await t.claim(task.id, session);
  if (state === "running") await t.run(task.id, session);
  if (state === "cancelled") await cancelTask(t.db, "default", task.id, { reason: "by hand", now: NOON });
  if (state === "succeeded" || state === "failed" || state === "skipped") {
    await t.claim(task.id, session);
    await t.finish(task.id, state);
  }
  return { id: task.id, session };
}

test("every verb answers for every state as promised", async () => {
  await using t = await setup();
  const verbs = {
    cancel: (id: bigint) => cancelTask(t.db, "default", id, { reason: null, now: LATER }),
    patch: (id: bigint) => patchTask(t.db, "default", id, { priority: 1 }, NOON),
    retry: (id: bigint) => retryTask(t.db, "default", id, LATER),
    runNow: (id: bigint) => runTaskNow(t.db, "default", id, LATER),
    delete: (id: bigint) => deleteTask(t.db, "default", id),
  };
  const expected: Record<State, Record<keyof typeof verbs, string>> = {
    pending: {
      cancel: "done cancelled",
      patch: "done pending",
      retry: "done pending",
      runNow: "done pending",
      delete: "running pending",
    },
    waiting: {
      cancel: "done cancelled",
      patch: "done waiting",
      retry: "done waiting",
      runNow: "done waiting",
      delete: "running waiting",
    },
    blocked: {
      cancel: "done cancelled",
      patch: "done blocked",
      retry: "done blocked",
      runNow: "done blocked",
      delete: "running blocked",
    },
    claimed: {
      cancel: "recalled claimed",
      patch: "recalled claimed",
      retry: "running claimed",
      runNow: "running claimed",
      delete: "running claimed",
    },
    running: {
      cancel: "recalled running",
      patch: "running running",
      retry: "running running",
      runNow: "running running",
      delete: "running running",
    },
    succeeded: {
      cancel: "final succeeded",
      patch: "final succeeded",
      retry: "final succeeded",
      runNow: "final succeeded",
      delete: "done succeeded",
    },
    failed: {
      cancel: "final failed",
      patch: "final failed",
      retry: "done pending",
      runNow: "final failed",
      delete: "done failed",
    },
    cancelled: {
      cancel: "final cancelled",
      patch: "final cancelled",
      retry: "done pending",
      runNow: "final cancelled",
      delete: "done cancelled",
    },
    skipped: {
      cancel: "final skipped",
      patch: "final skipped",
      retry: "done pending",
      runNow: "final skipped",
      delete: "done skipped",
    },
  };
  for (const [state, answers] of Object.entries(expected) as [State, (typeof expected)[State]][]) {
    for (const [verb, wanted] of Object.entries(answers) as [keyof typeof verbs, string][]) {
      const { id, session } = await taskIn(t, state);
      const answer = await verbs[verb](id);
      const said = answer.kind === "not_found" ? answer.kind : `${answer.kind} ${answer.task.state}`;
      expect(`${verb} ${state}: ${said}`).toBe(`${verb} ${state}: ${wanted}`);
      if (answer.kind === "recalled") expect(answer.session).toBe(session);
    }
  }
});

test("no verb touches, or tells of, another namespace's task", async () => {
  await using t = await setup();
  for (const state of ["pending", "claimed", "failed"] as const) {
    const { id } = await taskIn(t, state);
    const before = await getTask(t.db, "default", id);
    for (const answer of [
      await cancelTask(t.db, "other", id, { reason: null, now: LATER }),
      await patchTask(t.db, "other", id, { priority: 1, queue: "billing" }, NOON),
      await retryTask(t.db, "other", id, LATER),
      await runTaskNow(t.db, "other", id, LATER),
      await deleteTask(t.db, "other", id),
    ]) {
      expect(answer).toEqual({ kind: "not_found" });
    }
    expect(await getTask(t.db, "other", id)).toBeNull();
    expect(await getTask(t.db, "default", id)).toEqual(before);
  }
});

test("a waiting task is cancelled at once, with its reason, and its unique key is free again", async () => {
  await using t = await setup();
  const first = t.newTask({ uniqueKey: "k" });
  await t.insert(first);
  const answer = await cancelTask(t.db, "default", first.id, { reason: "no longer needed", now: LATER });
  expect(answer).toMatchObject({
    kind: "done",
    task: { state: "cancelled", reason: "no longer needed", finishedAt: LATER, cancelRequestedAt: LATER, attempts: [] },
  });
  const second = t.newTask({ uniqueKey: "k" });
  await t.insert(second);
  expect((await getTask(t.db, "default", second.id))?.state).toBe("pending");
});

test("cancelling a held task twice keeps the first request", async () => {
  await using t = await setup();
  const { id } = await taskIn(t, "running");
  await cancelTask(t.db, "default", id, { reason: "first", now: LATER });
  const answer = await cancelTask(t.db, "default", id, { reason: "second", now: LATER + 1 });
  expect(answer).toMatchObject({ kind: "recalled", task: { reason: "first", cancelRequestedAt: LATER } });
});

test("asking a held task back does not undo that it shall be cancelled", async () => {
  await using t = await setup();
  const { id } = await taskIn(t, "claimed");
  await cancelTask(t.db, "default", id, { reason: null, now: LATER });
  await patchTask(t.db, "default", id, { priority: 9 }, NOON);
  expect(await t.sql("select recall from task where id = $1", [id])).toEqual([{ recall: "cancel" }]);
});

test("a cancel that meets a claim about to commit recalls the task", async () => {
  await using t = await setup();
  const { id } = await taskIn(t, "pending");
  const session = await t.session("claimer", 250);
  const claimer = await t.connect();
  await claimer.query("begin");
  await claimer.query(claimText, [id, session]);
  const cancelling = cancelTask(t.db, "default", id, { reason: null, now: LATER });
  await t.untilBlocked();
  await claimer.query("commit");
  expect(await cancelling).toMatchObject({ kind: "recalled", session, task: { state: "claimed" } });
  expect(await t.sql("select recall from task where id = $1", [id])).toEqual([{ recall: "cancel" }]);
});

test("a patch that meets a claim about to commit asks for the task and changes nothing", async () => {
  await using t = await setup();
  const { id } = await taskIn(t, "pending");
  const session = await t.session("claimer", 250);
  const claimer = await t.connect();
  await claimer.query("begin");
  await claimer.query(claimText, [id, session]);
  const patching = patchTask(t.db, "default", id, { priority: 1, payload: "2" }, NOON);
  await t.untilBlocked();
  await claimer.query("commit");
  expect(await patching).toMatchObject({ kind: "recalled", session, task: { priority: 5, payload: '{"n":1}' } });
  expect(await t.sql("select recall from task where id = $1", [id])).toEqual([{ recall: "return" }]);
});

test("a claim does not wait for a cancel, and does not get its task", async () => {
  await using t = await setup();
  const { id } = await taskIn(t, "pending");
  const [canceller, claimer] = [await t.connect(), await t.connect()];
  await canceller.query("begin");
  await canceller.query("select from task where id = $1 for update", [id]);
  const taken = await claimer.query("select id from task where id = $1 and state = 'pending' for update skip locked", [
    id,
  ]);
  expect(taken.rows).toEqual([]);
  await canceller.query("rollback");
});

test("of many cancels and outcomes at the same moment exactly one decides", async () => {
  await using t = await setup();
  for (let round = 0; round < 10; round++) {
    const { id } = await taskIn(t, "claimed");
    const [, ...answers] = await Promise.all([
      t.finish(id, "succeeded", LATER),
      ...[1, 2, 3].map(() => cancelTask(t.db, "default", id, { reason: null, now: LATER })),
    ]);
    for (const answer of answers) expect(["recalled", "final"]).toContain(answer.kind);
    expect((await getTask(t.db, "default", id))?.state).toBe("succeeded");
    expect(await t.sql("select id from task where id = $1", [id])).toEqual([]);
  }
});

test("a patch changes what it names and nothing else", async () => {
  await using t = await setup();
  const { id } = await taskIn(t, "pending");
  const before = (await getTask(t.db, "default", id))!;
  const answer = await patchTask(
    t.db,
    "default",
    id,
    {
      priority: 2,
      dueAt: LATER,
      queue: "billing",
      payload: '"new"',
    },
    NOON,
  );
  expect(answer).toEqual({
    kind: "done",
    task: { ...before, priority: 2, dueAt: LATER, queue: "billing", payload: '"new"' },
  });
  const [row] = await t.sql("select band, lane.queue from task join lane on lane.id = lane_id where task.id = $1", [
    id,
  ]);
  expect(row).toEqual({ band: 1, queue: "billing" });
  expect(await patchTask(t.db, "default", id, {}, NOON)).toEqual(answer);
  expect(await patchTask(t.db, "default", id, { payload: null }, NOON)).toMatchObject({
    task: { payload: null, priority: 2 },
  });
});

test("a payload may grow beyond a row and shrink again", async () => {
  await using t = await setup();
  const { id } = await taskIn(t, "pending");
  const long = JSON.stringify("x".repeat(2_000));
  const longer = JSON.stringify("y".repeat(3_000));
  for (const payload of [long, longer, '"short"', long, null]) {
    expect(await patchTask(t.db, "default", id, { payload }, NOON)).toMatchObject({ kind: "done", task: { payload } });
  }
  expect(await t.sql("select * from blob where task_id = $1", [id])).toEqual([]);
});

test("a failed task that is retried keeps id, token and attempts, and begins with a fresh budget", async () => {
  await using t = await setup();
  const { id } = await taskIn(t, "failed");
  const attempts = [
    {
      number: 1,
      worker: "w-1",
      node: `node of ${id}`,
      dueAt: NOON + 3_600_000,
      startedAt: NOON,
      finishedAt: NOON + 1_000,
      outcome: "failed",
      error: handlerError,
    },
  ];
  expect((await getTask(t.db, "default", id))?.attempts).toEqual(attempts);
  expect(await retryTask(t.db, "default", id, LATER)).toMatchObject({
    kind: "done",
    task: {
      state: "pending",
      dueAt: LATER,
      attempt: 1,
      failures: 0,
      lost: 0,
      error: handlerError,
      attempts,
      startedAt: null,
      finishedAt: null,
      result: null,
      reason: null,
      payload: '{"n":1}',
    },
  });
  expect(await t.sql("select token, session, band from task where id = $1", [id])).toEqual([
    { token: 1n, session: null, band: 2 },
  ]);
  const again = await t.session("second", 251);
  await t.claim(id, again);
  await t.finish(id, "succeeded", LATER + 1_000);
  const done = await getTask(t.db, "default", id);
  expect(done?.attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
    [1, "failed"],
    [2, "succeeded"],
  ]);
});

test("a retry is refused while another task holds its unique key", async () => {
  await using t = await setup();
  const [first, second] = [t.newTask({ uniqueKey: "k" }), t.newTask({ uniqueKey: "k" })];
  await t.insert(first);
  await cancelTask(t.db, "default", first.id, { reason: null, now: LATER });
  await t.insert(second);
  await expect(retryTask(t.db, "default", first.id, LATER)).rejects.toMatchObject({ code: "unique_conflict" });
  expect((await getTask(t.db, "default", first.id))?.state).toBe("cancelled");
});

test("two retries at the same moment give one task", async () => {
  await using t = await setup();
  const { id } = await taskIn(t, "failed");
  const answers = await Promise.all([1, 2, 3, 4].map(() => retryTask(t.db, "default", id, LATER)));
  for (const answer of answers) expect(answer).toMatchObject({ kind: "done", task: { state: "pending", attempt: 1 } });
  expect(await t.sql("select id from archive where id = $1", [id])).toEqual([]);
});

test("run now brings a task forward, and leaves one that is due where it is", async () => {
  await using t = await setup();
  const due = t.newTask({ dueAt: NOON });
  await t.insert(due);
  expect(await runTaskNow(t.db, "default", due.id, LATER)).toMatchObject({ kind: "done", task: { dueAt: NOON } });
  const { id } = await taskIn(t, "pending");
  expect(await runTaskNow(t.db, "default", id, LATER)).toMatchObject({ kind: "done", task: { dueAt: LATER } });
});

test("a deleted task leaves nothing", async () => {
  await using t = await setup();
  const task = t.newTask({ payload: JSON.stringify("x".repeat(2_000)) });
  await t.insert(task);
  await t.sql("create table log_line_all partition of log_line for values from ('2020-01-01') to ('2030-01-01')");
  await t.sql("insert into log_line values ($1, to_timestamp($2), 0, 1, 'info', 'hello')", [task.id, NOON / 1_000]);
  await cancelTask(t.db, "default", task.id, { reason: null, now: LATER });
  await t.insert(t.newTask({ payload: task.payload }));
  expect(await deleteTask(t.db, "default", task.id)).toMatchObject({ kind: "done" });
  expect(await deleteTask(t.db, "default", task.id)).toEqual({ kind: "not_found" });
  expect(await t.sql("select task_id from blob where task_id = $1", [task.id])).toEqual([]);
  expect(await t.sql("select count(*) from blob")).toEqual([{ count: 1n }]);
  expect(await t.sql("select * from log_line where task_id = $1", [task.id])).toEqual([]);
});
