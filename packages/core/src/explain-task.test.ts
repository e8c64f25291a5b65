import { expect, test } from "vitest";
import type { ExplainedQueue } from "./explain-queue.ts";
import { explainTask, type TaskToExplain } from "./explain-task.ts";

const now = Date.parse("2026-11-20T10:00:00Z");
const task: TaskToExplain["task"] = {
  id: "task_1",
  type: "mail",
  queue: "billing",
  state: "queued",
  reason: null,
  createdAt: now - 5_000,
  dueAt: now - 3_000,
  startedAt: null,
  attempt: 0,
  policy: {},
  error: null,
  attempts: [],
};
const pool = { queues: ["billing", "default"], types: ["mail"], workers: 2, slots: 10, busy: 10 };
const due = { count: 1, capped: false };
const given = { now, task, overlap: null, others: [], pools: [pool], queue: null, due };
const queue: ExplainedQueue = { pause: null, settings: {}, concurrencyKey: null, type: "mail", facts: null };
const waited = "The task has waited 3s in the queue billing for a worker that runs mail and has a free slot";

test.each<[string, Partial<TaskToExplain>, string[], string]>([
  [
    "due later",
    { task: { ...task, state: "scheduled", dueAt: now + 60_000 } },
    ["due_later"],
    "The task is due at 2026-11-20T10:01:00+00:00[UTC].",
  ],
  [
    "due later, and nobody would run it",
    { task: { ...task, state: "scheduled", dueAt: now + 60_000 }, pools: [] },
    ["due_later", "no_worker"],
    "The task is due at 2026-11-20T10:01:00+00:00[UTC]; no connected worker runs mail.",
  ],
  ["no worker of its type", { pools: [] }, ["task_queued", "no_worker"], `${waited}; no connected worker runs mail.`],
  [
    "no worker of its queue",
    { pools: [{ ...pool, queues: ["default"] }] },
    ["task_queued", "no_worker"],
    `${waited}; the connected workers that run mail take no tasks of the queue billing.`,
  ],
  [
    "no worker with its label",
    { task: { ...task, requires: { region: "eu", gpu: "a100" } }, pools: [{ ...pool, labels: { region: "eu" } }] },
    ["task_queued", "no_worker"],
    `${waited}; no connected worker that runs mail and takes the queue billing has the label gpu=a100.`,
  ],
  [
    "no worker with any of its labels",
    { task: { ...task, requires: { region: "us", gpu: "a100" } }, pools: [{ ...pool, labels: { region: "eu" } }] },
    ["task_queued", "no_worker"],
    `${waited}; no connected worker that runs mail and takes the queue billing has any of the labels region=us, gpu=a100.`,
  ],
  [
    "workers with each of its labels, and none with both",
    {
      task: { ...task, requires: { region: "eu", gpu: "a100" } },
      pools: [
        { ...pool, labels: { region: "eu" } },
        { ...pool, labels: { gpu: "a100" } },
      ],
    },
    ["task_queued", "no_worker"],
    `${waited}; no single connected worker that runs mail and takes the queue billing has all of its labels: region=eu, gpu=a100.`,
  ],
  [
    "only those with its labels count",
    {
      task: { ...task, requires: { region: "eu" } },
      pools: [
        { ...pool, workers: 1, slots: 4, busy: 4, labels: { region: "eu", worker: "a" } },
        { ...pool, busy: 0, labels: { region: "us" } },
      ],
    },
    ["task_queued", "no_credit"],
    `${waited}; all 4 slots of the one worker that runs it were busy.`,
  ],
  [
    "waits for one task",
    { task: { ...task, state: "blocked" }, waitsFor: { tasks: ["task_2"], count: 1 } },
    ["parents"],
    "The task waits for task_2, which is not final.",
  ],
  [
    "waits for many tasks",
    { task: { ...task, state: "blocked" }, waitsFor: { tasks: ["task_2", "task_3"], count: 1_200 } },
    ["parents"],
    "The task waits for 1,200 tasks that are not final.",
  ],
  [
    "the tasks before it did not end as it asks for",
    { task: { ...task, state: "skipped", reason: "parents" } },
    ["task_skipped"],
    "The task was skipped, because the tasks that it comes after did not end as it asks for.",
  ],
  [
    "all slots busy",
    {},
    ["task_queued", "no_credit"],
    `${waited}; all 10 slots of the 2 workers that run it were busy.`,
  ],
  [
    "all slots busy, and others wait too",
    { due: { count: 1_235, capped: false }, pools: [{ ...pool, workers: 1 }] },
    ["task_queued", "no_credit", "backlog"],
    `${waited}; all 10 slots of the one worker that runs it were busy; 1,234 other tasks of the queue billing may start too, the most urgent first.`,
  ],
  [
    "its queue is paused, whatever is free",
    { queue: { ...queue, pause: { at: now - 60_000, reason: "the bank is down" } }, pools: [{ ...pool, busy: 3 }] },
    ["task_queued", "queue_paused"],
    `${waited}; its queue billing is paused since 2026-11-20T09:59:00.000Z (the bank is down), and starts nothing until it is resumed.`,
  ],
  [
    "due later in a paused queue",
    {
      task: { ...task, state: "scheduled", dueAt: now + 60_000 },
      queue: { ...queue, pause: { at: now, reason: null } },
    },
    ["due_later", "queue_paused"],
    "The task is due at 2026-11-20T10:01:00+00:00[UTC]; its queue billing is paused since 2026-11-20T10:00:00.000Z, and starts nothing until it is resumed.",
  ],
  [
    "all slots of its queue are taken, one of its key is too, and the next token comes later",
    {
      queue: {
        pause: null,
        settings: {
          concurrency: 4,
          concurrencyPerKey: 1,
          rateLimit: { limit: 100, perMs: 60_000, burst: 1 },
          rateLimitPerKey: { limit: 1, perMs: 3_600_000, burst: 1 },
        },
        concurrencyKey: "ada",
        type: "mail",
        facts: {
          held: ["task_2", "task_3", "task_4", "task_5"],
          tokenAt: now + 600,
          keyHeld: ["task_3"],
          keyTokenAt: now + 60_000,
          typeHeld: ["task_2"],
        },
      },
    },
    ["task_queued", "key_limit", "key_limit", "rate_limit", "rate_limit"],
    `${waited}; the one slot of the concurrency key ada is taken by task_3; all 4 slots of the queue billing are taken by task_2, task_3, task_4 and 1 other; of the key, 1 may start in 1h, the next at 2026-11-20T10:01:00.000Z; of the queue, 100 may start in 1m, the next at 2026-11-20T10:00:00.600Z.`,
  ],
  [
    "all slots of its type in its queue are taken",
    {
      queue: {
        pause: null,
        settings: { concurrencyPerType: { mail: 2, bill: 1 } },
        concurrencyKey: null,
        type: "mail",
        facts: { held: [], tokenAt: null, keyHeld: [], keyTokenAt: null, typeHeld: ["task_2", "task_3"] },
      },
    },
    ["task_queued", "key_limit"],
    `${waited}; all 2 slots of the type mail in the queue billing are taken by task_2 and task_3.`,
  ],
  [
    "limits that leave room, and a token that is there",
    {
      queue: {
        pause: null,
        settings: { concurrency: 4, concurrencyPerKey: 2, rateLimit: { limit: 1, perMs: 1_000, burst: 1 } },
        concurrencyKey: "ada",
        type: "mail",
        facts: { held: ["task_2"], tokenAt: now, keyHeld: ["task_2"], keyTokenAt: null, typeHeld: [] },
      },
    },
    ["task_queued", "no_credit"],
    `${waited}; all 10 slots of the 2 workers that run it were busy.`,
  ],
  [
    "a slot is free",
    { pools: [{ ...pool, busy: 3 }] },
    ["task_queued", "starting"],
    `${waited}; it is about to start: the 2 workers that run it had 7 of 10 slots free.`,
  ],
  [
    "retrying",
    {
      task: {
        ...task,
        state: "retrying",
        attempt: 2,
        dueAt: now + 1_000,
        error: { code: "handler_error", message: "no\nroute" },
      },
    },
    ["retry_at"],
    "Attempt 2 of the task ended with handler_error: no route, and the next one is due at 2026-11-20T10:00:01.000Z.",
  ],
  [
    "waiting for others of its schedule",
    { task: { ...task, reason: "overlap" }, overlap: "queue-one", others: ["task_0"] },
    ["overlap"],
    "The task waits until the schedule's other tasks are final, as the overlap policy queue-one says.",
  ],
  [
    "cancelled",
    { task: { ...task, state: "cancelled", reason: "wrong list" } },
    ["task_cancelled"],
    "The task was cancelled (wrong list).",
  ],
])("%s: every reason is named", (_, over, codes, summary) => {
  const explanation = explainTask({ ...given, ...over });
  expect(explanation.reasons.map(({ code }) => code)).toEqual(codes);
  expect(explanation.summary).toBe(summary);
});

test("what it waits for is referred to, and when it is over", () => {
  const waiting = explainTask({
    ...given,
    task: { ...task, reason: "overlap" },
    overlap: "queue-all",
    others: ["task_0"],
  });
  expect(waiting.reasons[0]).toMatchObject({ refs: ["task_0"], until: null });
  const later = explainTask({ ...given, task: { ...task, state: "scheduled", dueAt: now + 1 } });
  expect(later.reasons[0]).toMatchObject({ refs: ["task_1"], until: now + 1 });
});
