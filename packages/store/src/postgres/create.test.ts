import type { Id } from "@carillon/core";
import { expect, test } from "vitest";
import type { CreateAnswer, CreateOptions } from "../store.ts";
import { NOON, proxied, setup, succeeded } from "./test-store.ts";

const options: CreateOptions = { now: NOON };

test("callers of the same moment share statements, and each gets its own answer", async () => {
  await using t = await setup();
  const statements: string[] = [];
  const store = await t.openStore({ statementTimer: (name) => statements.push(name) });
  await store.createTasks([t.newTask()], options); // Knows lane and policy from here on.
  statements.length = 0;
  const tasks = t.newTasks(300);
  const answers = await Promise.all(tasks.map((task) => store.createTasks([task], options)));
  expect(answers).toEqual(tasks.map(({ id }) => created(id)));
  expect(statements.length).toBeLessThan(5);
});

test("large payloads leave in several statements, and what is too much at a time is refused", async () => {
  await using t = await setup();
  const statements: string[] = [];
  const store = await t.openStore({ statementTimer: (name) => statements.push(name) });
  const payload = JSON.stringify("x".repeat(256 * 1_024 - 2));
  await store.createTasks([t.newTask({ payload })], options); // Makes the day's partitions.
  statements.length = 0;
  const answers = await Promise.allSettled(
    t.newTasks(260, { payload }).map((task) => store.createTasks([task], options)),
  );
  expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(256);
  for (const answer of answers.slice(256)) {
    expect(answer).toMatchObject({ reason: { code: "backlog_full", retryAfterMs: 1_000 } });
  }
  expect(statements.filter((name) => name.startsWith("insert_tasks"))).toHaveLength(8);
  expect(await t.sql("select from blob")).toHaveLength(257);
});

test("so are large payloads with keys", async () => {
  await using t = await setup();
  const payload = JSON.stringify("x".repeat(256 * 1_024 - 2));
  const tasks = Array.from({ length: 260 }, (_, index) => t.newTask({ payload, uniqueKey: `k-${index}` }));
  const answers = await Promise.allSettled(tasks.map((task) => t.store.createTasks([task], options)));
  expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(256);
  expect(answers[256]).toMatchObject({ reason: { code: "backlog_full" } });
});

test("an insert whose answer was lost is recognised by its ids", async () => {
  await using t = await setup();
  for (const tasks of [[t.newTask()], t.newTasks(3), [t.newTask({ uniqueKey: "k" })]]) {
    await using network = await proxied(t);
    network.loseAnswerTo(tasks[0]!.uniqueKey === null ? "insert_tasks_10000" : "commit");
    const answer = network.store.createTasks(tasks, options);
    await t.until(`select from task where id = ${tasks[0]!.id}`);
    network.cut();
    expect(await answer).toEqual(created(...tasks.map(({ id }) => id)));
  }
});

test("an insert that claimed its tasks and lost its answer still knows that it holds them", async () => {
  await using t = await setup();
  const session = await t.session();
  const tasks = t.newTasks(3);
  await using network = await proxied(t);
  network.loseAnswerTo("insert_tasks_10010");
  const answer = network.store.createTasks(tasks, { ...options, claim: { session, count: 2 } });
  await t.until(`select from task where id = ${tasks[2]!.id}`);
  network.cut();
  expect(await answer).toMatchObject({
    claimed: [
      { id: tasks[0]!.id, token: 1n },
      { id: tasks[1]!.id, token: 1n },
    ],
  });
});

test("an insert that may still arrive is answered with unavailable, not with success", async () => {
  await using t = await setup();
  const task = t.newTask();
  const other = await t.connect();
  await other.query("begin");
  await other.query(rowOf(task.id));
  await using network = await proxied(t);
  const answer = network.store.createTasks([task], options);
  answer.catch(() => {});
  await t.untilBlocked();
  network.cut();
  await expect(answer).rejects.toMatchObject({ code: "unavailable", retryable: true });
  await other.query("rollback");
});

test("a key whose remembering broke off is not taken for remembered", async () => {
  await using t = await setup();
  await using network = await proxied(t);
  network.loseAnswerTo("take_idempotency_keys");
  const idempotency = {
    namespace: "default",
    key: "k",
    requestHash: "h",
    response: () => "r",
    expiresAt: NOON + 1_000,
  };
  const answer = network.store.createTasks([], { ...options, idempotency });
  const failure = expect(answer).rejects.toMatchObject({ code: "unavailable" });
  await t.until(
    "select from pg_stat_activity where state = 'idle in transaction' and query like '%insert into idempotency%'",
  );
  network.cut();
  await failure;
  expect(await t.sql("select from idempotency")).toEqual([]);
});

test("tasks that two groups replace in opposite orders are both replaced", async () => {
  await using t = await setup();
  const stores = [t.store, await t.openStore()];
  const keys = ["a", "b"];
  await t.store.createTasks(
    keys.map((uniqueKey) => t.newTask({ uniqueKey })),
    options,
  );
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(
      stores.map((store, index) =>
        store.createTasks(
          (index === 0 ? keys : keys.toReversed()).map((uniqueKey) => t.newTask({ uniqueKey })),
          { ...options, uniquePolicy: "replace" },
        ),
      ),
    );
    for (const answer of answers) expect(answer.kind).toBe("created");
  }
  const [{ deadlocks }] = (await t.sql<{ deadlocks: string }>(
    "select deadlocks::text from pg_stat_database where datname = current_database()",
  )) as [{ deadlocks: string }];
  expect(deadlocks).toBe("0");
});

test("a row that cannot be stored fails alone", async () => {
  await using t = await setup();
  await t.store.createTasks([t.newTask()], options);
  const tasks = t.newTasks(50);
  tasks[17]!.payload = '"\0"';
  tasks[31]!.dueAt = 1e17;
  const answers = await Promise.allSettled(tasks.map((task) => t.store.createTasks([task], options)));
  const refused = answers.flatMap((answer, index) =>
    answer.status === "rejected" ? [[index, answer.reason.code]] : [],
  );
  expect(refused).toEqual([
    [17, "invalid_request"],
    [31, "invalid_request"],
  ]);
  expect(await t.sql("select from task")).toHaveLength(49);
});

test("a batch is all or nothing", async () => {
  await using t = await setup();
  const tasks = t.newTasks(50);
  tasks[49]!.dueAt = 1e17;
  await expect(t.store.createTasks(tasks, options)).rejects.toMatchObject({ code: "invalid_request" });
  expect(await t.sql("select from task")).toEqual([]);
});

test("somebody's open transaction that holds a unique key delays only callers of that key", async () => {
  await using t = await setup();
  await t.store.createTasks([t.newTask()], options);
  const other = await t.connect();
  await other.query("begin");
  await other.query(rowOf(t.newTask().id, "held"));

  const startedAt = performance.now();
  const took = () => performance.now() - startedAt;
  const blocked = [1, 2, 3].map(() => fails(t.store.createTasks([t.newTask({ uniqueKey: "held" })], options), took));
  const free = Array.from({ length: 100 }, async (_, index) => {
    await t.store.createTasks([t.newTask({ uniqueKey: `free-${index}` })], options);
    return took();
  });
  const plain = Array.from({ length: 100 }, async () => {
    await t.store.createTasks([t.newTask()], options);
    return took();
  });
  const order: string[] = [];
  await Promise.all([
    Promise.all(blocked).then(() => order.push("held")),
    Promise.all([...free, ...plain]).then(() => order.push("others")),
  ]);
  expect(order).toEqual(["others", "held"]);
  for (const { error, afterMs } of await Promise.all(blocked)) {
    expect(error).toMatchObject({ code: "unavailable", retryAfterMs: 1_000 });
    expect(afterMs).toBeGreaterThan(400);
  }

  // Who waits gets the key as soon as it is free.
  const waiting = t.store.createTasks([t.newTask({ uniqueKey: "held" })], options);
  await t.untilBlocked();
  await other.query("rollback");
  expect(await waiting).toMatchObject({ tasks: [{ created: true }] });
});

test("a request whose idempotency key another one holds is told that it is in progress, and later gets its answer", async () => {
  await using t = await setup();
  const idempotency = {
    namespace: "default",
    key: "order-1",
    requestHash: "a",
    response: () => "first",
    expiresAt: NOON + 60_000,
  };
  const other = await t.connect();
  await other.query("begin");
  await other.query(`
    insert into idempotency (namespace, key, request_hash, response, expires_at)
    values ('default', 'order-1', 'a', 'the answer', '2100-01-01')`);
  // With a unique key too: the idempotency key comes first.
  for (const uniqueKey of [null, "k"]) {
    const again = t.store.createTasks([t.newTask({ uniqueKey })], { ...options, idempotency });
    await expect(again).rejects.toMatchObject({ code: "idempotency_in_progress", retryAfterMs: 1_000 });
  }
  await other.query("commit");
  expect(await t.store.createTasks([t.newTask()], { ...options, idempotency })).toEqual({
    kind: "replayed",
    response: "the answer",
  });
});

test("a key that is held does not slow down callers of other keys that come all the time", async () => {
  await using t = await setup();
  const other = await t.connect();
  await other.query("begin");
  await other.query(rowOf(t.newTask().id, "held"));
  let held = true;
  const blocked = Array.from({ length: 5 }, async () => {
    while (held) await t.store.createTasks([t.newTask({ uniqueKey: "held" })], options).catch(() => {});
  });
  // Callers of the held key fill every waiting connection they can get.
  await t.untilBlocked(1);
  for (let index = 0; index < 200; index++) {
    await t.store.createTasks([t.newTask({ uniqueKey: `free-${index}` })], options);
  }
  await other.query("rollback");
  held = false;
  await Promise.all(blocked);
  expect(await t.sql("select from task where unique_key like 'free-%'")).toHaveLength(200);
});

test("keys that are locked in opposite orders end in answers, not in a deadlock", async () => {
  await using t = await setup();
  const second = await t.openStore();
  const keys = Array.from({ length: 20 }, (_, index) => `k-${index}`);
  const batch = (order: string[]) => order.map((uniqueKey) => t.newTask({ uniqueKey }));
  for (let round = 0; round < 10; round++) {
    await Promise.all([
      t.store.createTasks(batch(keys), options),
      second.createTasks(batch([...keys].reverse()), options),
    ]);
    expect(await t.sql("delete from task returning id")).toHaveLength(keys.length);
  }
});

test("outcomes are recorded while every connection for inserts waits", async () => {
  await using t = await setup();
  await t.store.createTasks(t.newTasks(3), options);
  const session = await t.session();
  const tasks = await t.claim(session);
  const other = await t.connect();
  await other.query("begin");
  const blocked = [];
  for (let index = 0; index < 4; index++) {
    const { id } = t.newTask();
    await other.query(rowOf(id));
    // Two groups of singles, two batches: as many as there are connections.
    const same = index < 2 ? [t.newTask({ id })] : [t.newTask({ id }), t.newTask()];
    blocked.push(t.store.createTasks(same, options));
    await t.untilBlocked(index + 1);
  }
  expect(await t.store.recordOutcomes(tasks.map((task) => succeeded(task)))).toEqual([true, true, true]);
  expect((await t.store.giveBack(session, [])).length).toBe(0);
  await other.query("rollback");
  await Promise.all(blocked);
});

test("a key is refused or shared while its holder comes and goes", async () => {
  await using t = await setup();
  const session = await t.session();
  let going = true;
  const worker = async () => {
    while (going) await t.store.recordOutcomes((await t.claim(session)).map((task) => succeeded(task)));
  };
  const working = worker();
  const ids = new Set<Id>();
  for (let round = 0; round < 30; round++) {
    const answers = await Promise.all(
      [0, 1, 2].map(() => t.store.createTasks([t.newTask({ uniqueKey: "k" })], options)),
    );
    for (const answer of answers) if (answer.kind === "created") ids.add(answer.tasks[0]!.id);
  }
  going = false;
  await working;
  const known = await t.sql<{ id: Id }>("select id from task union all select id from archive");
  expect(known.map(({ id }) => BigInt(id)).sort()).toEqual([...ids].sort());
});

function created(...ids: Id[]): CreateAnswer {
  return { kind: "created", tasks: ids.map((id) => ({ id, created: true })), claimed: [] };
}

function rowOf(id: Id, uniqueKey: string | null = null): string {
  return `insert into task (id, due_at, lane_id, policy_id, state, band, priority, namespace, unique_key)
    values (${id}, now(), 1, 1, 'pending', 2, 5, 'default', ${uniqueKey === null ? "null" : `'${uniqueKey}'`})`;
}

async function fails(answer: Promise<unknown>, took: () => number): Promise<{ error: unknown; afterMs: number }> {
  const error = await answer.then(
    () => null,
    (reason: unknown) => reason,
  );
  return { error, afterMs: took() };
}
