import { type FinalState, formatId, idCreatedAt, publicState } from "@carillon/core";
import { expect, test } from "vitest";
import type { TaskFilter, TaskRecord } from "../store.ts";
import { composeList, listTasks, taskLogs } from "./list.ts";
import { createPartition, DAY_MS, dayOf } from "./partitions.ts";
import { cancelTask } from "./people.ts";
import { getSoonFinal, getTask } from "./records.ts";
import { putSchedule } from "./schedules.ts";
import { definition, HOUR, NOON, type Setup, setup } from "./test-setup.ts";

/** All pages of a list, newest first. */
async function listAll(
  t: Setup,
  filter: TaskFilter = {},
  pageSize = 7,
  betweenPages: () => Promise<void> = async () => {},
) {
  const items: TaskRecord[] = [];
  for (let after: string | null = null, first = true; first || after !== null; first = false) {
    const page = await listTasks(t.db, "default", { filter, now: NOON, pageSize, after });
    expect(page.items.length).toBeLessThanOrEqual(pageSize);
    items.push(...page.items);
    after = page.next;
    await betweenPages();
  }
  return items;
}

/** Tasks of all kinds and states, some of them of another namespace, created over some hours. */
async function populate(t: Setup, count: number) {
  const session = await t.session();
  const schedule = await putSchedule(t.db, {
    id: t.nextId(),
    namespace: "default",
    name: "nightly",
    definition: definition(),
    now: NOON,
    nextFireAt: null,
  });
  const scheduleId = "schedule" in schedule ? schedule.schedule.id : 0n;
  const tasks = Array.from({ length: count }, (_, n) =>
    t.newTask({
      id: t.nextId(NOON + n * 60_000),
      namespace: n % 11 === 10 ? "other" : "default",
      type: ["send", "report", "it's 100%_done"][n % 3]!,
      queue: ["default", "billing"][n % 2]!,
      dueAt: NOON + (n % 4 === 0 ? HOUR : -HOUR),
      payload: n % 5 === 0 ? JSON.stringify({ name: `Zoë ${n}`, pad: "x".repeat(n % 10 === 0 ? 600 : 0) }) : null,
      tags: n % 6 === 0 ? ["vip", `n${n}`] : [],
      scheduleId: n % 7 === 0 ? scheduleId : null,
      trigger: n % 7 === 0 ? "schedule" : "api",
      fireAt: n % 7 === 0 ? NOON + n : null,
    }),
  );
  await t.insert(...tasks);
  for (const [n, { id }] of tasks.entries()) {
    const finals: FinalState[] = ["succeeded", "failed", "skipped"];
    if (n % 8 < 3) await t.finish(id, finals[n % 8] as "succeeded", NOON + n * HOUR);
    if (n % 8 === 3) await t.claim(id, session);
    if (n % 8 === 4) await t.run(id, session);
    if (n % 8 === 5) await t.sql("update task set failures = 1 where id = $1", [id]);
  }
  return tasks;
}

test("a list holds every task of its namespace once, newest first, whatever the size of its pages", async () => {
  await using t = await setup();
  const tasks = await populate(t, 60);
  const own = tasks
    .filter((task) => task.namespace === "default")
    .map((task) => task.id)
    .reverse();
  for (const pageSize of [1, 7, own.length, 200]) {
    expect((await listAll(t, {}, pageSize)).map((task) => task.id)).toEqual(own);
  }
});

test("each filter finds exactly what matches it", async () => {
  await using t = await setup();
  const tasks = await populate(t, 60);
  const records: TaskRecord[] = [];
  for (const { id } of [...tasks].reverse()) {
    const record = await getTask(t.db, "default", id);
    if (record) records.push(record);
  }
  const states = ["pending", "waiting", "claimed"] as const;
  const waiting = (record: TaskRecord) => (states as readonly string[]).includes(record.state);
  const publicly = (record: TaskRecord) => publicState(record, NOON);
  const from = NOON + 20 * 60_000;
  const to = NOON + 40 * 60_000;
  const cases: [TaskFilter, (record: TaskRecord) => boolean][] = [
    [{ states: ["failed"] }, (record) => record.state === "failed"],
    [{ states: ["running", "claimed"] }, (record) => record.state === "running" || record.state === "claimed"],
    [{ states: ["pending", "skipped"] }, (record) => record.state === "pending" || record.state === "skipped"],
    [{ states: [] }, () => false],
    [{ states, waiting: ["scheduled"] }, (record) => waiting(record) && publicly(record) === "scheduled"],
    [{ states, waiting: ["queued"] }, (record) => waiting(record) && publicly(record) === "queued"],
    [{ states, waiting: ["retrying"] }, (record) => waiting(record) && publicly(record) === "retrying"],
    [
      { states: [...states, "succeeded"], waiting: ["retrying", "scheduled"] },
      (record) => record.state === "succeeded" || (waiting(record) && publicly(record) !== "queued"),
    ],
    [{ types: ["send"] }, (record) => record.type === "send"],
    [{ types: ["it's 100%_done", "send"] }, (record) => record.type !== "report"],
    [{ types: ["unheard-of"] }, () => false],
    [{ queues: ["billing"] }, (record) => record.queue === "billing"],
    [{ schedule: "nightly" }, (record) => record.scheduleName === "nightly"],
    [{ schedule: "none" }, () => false],
    [{ tag: "vip" }, (record) => record.tags.includes("vip")],
    [{ tag: "vi" }, () => false],
    [{ text: "ZOë" }, (record) => record.payload !== null],
    [{ text: "100%_D" }, (record) => record.type === "it's 100%_done"],
    [{ text: "handler_err" }, (record) => record.error !== null],
    [{ text: formatId("task", records[9]!.id) }, (record) => record === records[9]],
    [{ from, to }, (record) => idCreatedAt(record.id) >= from && idCreatedAt(record.id) < to],
    [{ from: NOON + 59 * 60_000 }, (record) => idCreatedAt(record.id) >= NOON + 59 * 60_000],
    [
      { types: ["send", "report"], queues: ["default"], states: ["succeeded", "pending"], from, tag: "vip" },
      (record) =>
        record.type !== "it's 100%_done" &&
        record.queue === "default" &&
        record.tags.includes("vip") &&
        ["succeeded", "pending"].includes(record.state) &&
        idCreatedAt(record.id) >= from,
    ],
  ];
  for (const [filter, matches] of cases) {
    const wanted = records.filter(matches).map((record) => ({ ...record, payload: null, result: null }));
    expect({ filter, found: await listAll(t, filter) }).toEqual({ filter, found: wanted });
  }
});

test("tasks that come, or become final, between two pages neither hide nor double one", async () => {
  await using t = await setup();
  const tasks = await populate(t, 60);
  const own = tasks
    .filter((task) => task.namespace === "default")
    .map((task) => task.id)
    .reverse();
  const pending = [...own];
  const items = await listAll(t, {}, 6, async () => {
    await t.insert(t.newTask({ id: t.nextId(NOON + DAY_MS) }), t.newTask({ id: t.nextId(NOON + DAY_MS) }));
    for (const id of [pending.shift()!, pending.pop()!]) {
      await cancelTask(t.db, "default", id, { reason: null, now: NOON + DAY_MS });
    }
  });
  expect(items.map((task) => task.id)).toEqual(own);
});

test("a page token that was not made here is refused", async () => {
  await using t = await setup();
  for (const after of ["", "x", "1;drop table task", "-1", "9223372036854775808", "99999999999999999999", "1.5"]) {
    const list = listTasks(t.db, "default", { filter: {}, now: NOON, pageSize: 5, after });
    await expect(list).rejects.toMatchObject({ code: "invalid_request", errors: [{ parameter: "pageToken" }] });
    const logs = taskLogs(t.db, "default", 1n, { pageSize: 5, after: after === "" ? ":" : after });
    await expect(logs).rejects.toMatchObject({ code: "invalid_request" });
  }
});

test("a final task is found in two or three of the archive's partitions, and in any other if need be", async () => {
  await using t = await setup();
  for (let day = -30; day < 30; day++) await createPartition(t.db, "archive", dayOf(NOON) + day * DAY_MS);
  const [soon, late] = [t.newTask(), t.newTask()];
  await t.insert(soon, late);
  await t.finish(soon.id, "succeeded", NOON + 1_000);
  await t.finish(late.id, "failed", NOON + 20 * DAY_MS);
  expect((await getTask(t.db, "default", soon.id))?.state).toBe("succeeded");
  expect((await getTask(t.db, "default", late.id))?.state).toBe("failed");
  expect(await getTask(t.db, "default", t.nextId())).toBeNull();

  const [plan] = await t.sql<{ "QUERY PLAN": string }>(`explain (format json) ${getSoonFinal.text}`, [
    "default",
    soon.id,
    NOON - 60_000,
    NOON + 2 * DAY_MS,
  ]);
  const partitions = new Set(JSON.stringify(plan).match(/archive_\d{8}/g));
  expect(partitions.size).toBe(3);
});

test("a list reads no more than its page", async () => {
  await using t = await setup();
  for (let day = 0; day < 5; day++) await createPartition(t.db, "archive", dayOf(NOON) + day * DAY_MS);
  await t.insert(t.newTask());
  await t.sql(
    `
    insert into archive (id, due_at, finished_at, token, lane_id, policy_id, attempt, state, priority, failures, lost, blobs, trigger, namespace)
    select n, to_timestamp($1), to_timestamp($1) + n % 5 * interval '1 day', 1, 1, 1, 1,
           (case when n % 10000 = 0 then 'failed' else 'succeeded' end)::task_state, 5, 0, 0, 0, 'api', 'default'
      from generate_series(1, 50000) n`,
    [NOON / 1_000],
  );
  await t.sql("analyze archive");
  for (const filter of [{}, { states: ["failed"] }, { queues: ["default"] }] satisfies TaskFilter[]) {
    const { statement, values } = composeList("default", { filter, now: NOON, pageSize: 50, after: null })!;
    const [row] = await t.sql<{ "QUERY PLAN": string }>(`explain (analyze, format json) ${statement.text}`, values);
    const rows = JSON.stringify(row)
      .match(/"Actual Rows\\?":\s?(\d+)/g)!
      .map((text) => Number(text.match(/\d+$/)));
    expect(Math.max(...rows)).toBeLessThanOrEqual(51);
    expect(JSON.stringify(row)).not.toMatch(/Rows Removed by Filter\\?":\s?[1-9]\d{2}/);
  }
});

test("log lines come oldest first, page by page, to their own namespace only", async () => {
  await using t = await setup();
  const task = t.newTask();
  await t.insert(task);
  await createPartition(t.db, "log_line", dayOf(NOON));
  const written: string[] = [];
  for (let n = 0; n < 25; n++) {
    // Three lines a millisecond, with fractions in between; some instants are written twice by different batches.
    const at = NOON + Math.floor(n / 3) + (n % 3 === 2 ? 0.123 : 0);
    for (const batch of n % 4 === 0 ? ["a", "b", "c", "d", "e"] : ["a"]) {
      const message = `line ${n}${batch}`;
      const insert = "insert into log_line values ($1, to_timestamp($2::float8 / 1000), $3, 1, 'info', $4)";
      await t.sql(insert, [task.id, at, n, message]);
      written.push(message);
    }
  }
  for (const pageSize of [1, 2, 4, 7, 200]) {
    const lines: string[] = [];
    for (let after: string | null = null, first = true; first || after !== null; first = false) {
      const page = await taskLogs(t.db, "default", task.id, { pageSize, after });
      lines.push(...page.items.map((line) => line.message));
      after = page.next;
    }
    expect(lines).toEqual(written);
  }
  const [line] = (await taskLogs(t.db, "default", task.id, { pageSize: 1, after: null })).items;
  expect(line).toEqual({ at: NOON, level: "info", message: "line 0a", attempt: 1 });
  expect(await taskLogs(t.db, "other", task.id, { pageSize: 4, after: null })).toEqual({ items: [], next: null });
  await cancelTask(t.db, "default", task.id, { reason: null, now: NOON });
  expect((await taskLogs(t.db, "default", task.id, { pageSize: 200, after: null })).items).toHaveLength(written.length);
});
