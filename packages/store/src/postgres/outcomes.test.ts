import { expect, test } from "vitest";
import { failed, NOON, proxied, setup, succeeded } from "./test-store.ts";

test("batches over the same tasks in opposite orders record each task once, without a deadlock", async () => {
  await using t = await setup();
  const session = await t.session();
  const second = await t.openStore();
  for (let round = 0; round < 5; round++) {
    await t.store.createTasks(t.newTasks(300), { now: NOON });
    const tasks = await t.claim(session);
    const [left, right] = await Promise.all([
      t.store.recordOutcomes(tasks.map((task) => succeeded(task))),
      second.recordOutcomes(tasks.toReversed().map((task) => failed(task))),
    ]);
    expect(left.map((recorded, index) => recorded !== right.toReversed()[index])).toEqual(tasks.map(() => true));
    await t.sql("delete from task");
  }
});

test("large results are recorded in several statements, also those of one call", async () => {
  await using t = await setup();
  const statements: string[] = [];
  const store = await t.openStore({ statementTimer: (name) => statements.push(name) });
  await store.createTasks(t.newTasks(101), { now: NOON });
  const [first, ...tasks] = await t.claim(await t.session());
  const result = JSON.stringify("x".repeat(256 * 1_024 - 2));
  const decision = { kind: "final", state: "succeeded", result, error: null, reason: null } as const;
  await store.recordOutcomes([succeeded(first!, { decision })]); // Makes the day's partitions.
  statements.length = 0;
  const outcomes = tasks.map((task) => succeeded(task, { decision }));
  outcomes.splice(50, 0, succeeded({ ...tasks[0]!, token: 99n }));
  const wanted = outcomes.map(({ token }) => token !== 99n);
  expect(await store.recordOutcomes(outcomes)).toEqual(wanted);
  expect(statements.filter((name) => /^finish_\d/.test(name))).toHaveLength(4);
  expect(await t.sql("select from blob")).toHaveLength(101);
  expect(await t.sql("select from archive")).toHaveLength(101);
});

test("giving back, adopting and finishing the same tasks at once leaves each in one hand", async () => {
  await using t = await setup();
  const session = await t.session("one");
  const adopter = await t.session("two");
  for (let round = 0; round < 5; round++) {
    await t.store.createTasks(t.newTasks(200), { now: NOON });
    const tasks = await t.claim(session);
    const [given, adopted, recorded] = await Promise.all([
      t.store.giveBack(session, tasks.toReversed()),
      t.store.adopt(adopter, "default", tasks),
      t.store.recordOutcomes(tasks.toReversed().map((task) => succeeded(task, { session }))),
    ]);
    expect(given.length + adopted.length + recorded.filter(Boolean).length).toBe(tasks.length);
    const held = await t.sql("select from task where session = $1", [adopter]);
    expect(held.length).toBe(adopted.length);
    await t.sql("delete from task");
  }
});

test("an outcome whose answer was lost is acknowledged when it is sent again, and recorded once", async () => {
  await using t = await setup();
  await t.store.createTasks(t.newTasks(3), { now: NOON });
  const session = await t.session();
  const [first, ...outcomes] = (await t.claim(session)).map((task) => succeeded(task));
  await t.store.recordOutcomes([first!]); // Makes the day's partition.
  await using network = await proxied(t);
  network.loseAnswerTo("finish_11111100");
  const lost = network.store.recordOutcomes(outcomes);
  lost.catch(() => {});
  await t.until("select from archive", 3);
  network.cut();
  await expect(lost).rejects.toMatchObject({ code: "unavailable" });
  expect(await network.store.recordOutcomes(outcomes)).toEqual([true, true]);
  expect(await t.sql("select from archive")).toHaveLength(3);
  // What says something else is not the same outcome.
  const other = outcomes.map((outcome) => succeeded(outcome, { decision: { ...final, state: "failed" } }));
  expect(await network.store.recordOutcomes(other)).toEqual([false, false]);
});

const final = { kind: "final", result: null, error: null, reason: null } as const;

test("a cancel that commits while an outcome waits for the row is not lost", async () => {
  await using t = await setup();
  const cancel = "update task set recall = 'cancel', cancel_at = $2, reason = 'enough' where id = $1";
  for (const act of ["again", "give back", "take back"] as const) {
    const session = await t.session();
    await t.store.createTasks([t.newTask()], { now: NOON });
    const [task] = await t.claim(session);
    if (act === "take back") await t.sql("update session set dead_at = to_timestamp(0) where id = $1", [session]);
    const person = await t.connect();
    await person.query("begin");
    await person.query(cancel, [task!.id, new Date(NOON)]);
    const answer =
      act === "again"
        ? t.store.recordOutcomes([failed(task!)])
        : act === "give back"
          ? t.store.giveBack(session, [task!])
          : t.store.takeBack(session, { now: NOON, limit: 10 });
    await t.untilBlocked();
    await person.query("commit");
    expect(await answer).toEqual({ again: [true], "give back": [task!.id], "take back": 1 }[act]);
    expect(await t.store.getTask("default", task!.id)).toMatchObject({ state: "cancelled", reason: "enough" });
  }
});

test("an outcome in the wake of a take-back is refused", async () => {
  await using t = await setup();
  await t.store.createTasks([t.newTask()], { now: NOON });
  const session = await t.session();
  const [task] = await t.claim(session);
  await t.store.markSessionDead(session, 0n, NOON);
  await t.store.takeBack(session, { now: NOON + 1_500, limit: 10 });
  expect(await t.store.recordOutcomes([succeeded(task!)])).toEqual([false]);
  const next = await t.session("two");
  const [again] = await t.claim(next);
  expect(await t.store.recordOutcomes([succeeded(task!), succeeded(again!)])).toEqual([false, true]);
});

test("texts that PostgreSQL cannot hold do not keep an outcome from being recorded", async () => {
  await using t = await setup();
  await t.store.createTasks(t.newTasks(2), { now: NOON });
  const [first, second] = await t.claim(await t.session());
  const error = { code: "handler_error", name: "E\0", message: "half \ud800", stack: "\0" } as const;
  const recorded = await t.store.recordOutcomes([
    failed(first!, { decision: { kind: "again", as: "failed", dueAt: NOON, error } }),
    succeeded(second!, { decision: { ...final, state: "skipped", error, reason: "no\0reason" } }),
  ]);
  expect(recorded).toEqual([true, true]);
  const kept = { code: "handler_error", name: "E\ufffd", message: "half \ufffd", stack: "\ufffd" };
  expect(await t.store.getTask("default", first!.id)).toMatchObject({ error: kept, attempts: [{ error: kept }] });
  expect(await t.store.getTask("default", second!.id)).toMatchObject({ error: kept, reason: "no\ufffdreason" });
});
