import { expect, test } from "vitest";
import { check, type History, type JournalLine } from "./check.ts";

const line = (event: JournalLine["event"], over: Partial<JournalLine> = {}): JournalLine => ({
  event,
  taskId: "task_a",
  attempt: 1,
  token: "1",
  worker: 100,
  at: event === "start" ? 1_000 : 1_010,
  dueAt: 1_000,
  schedule: null,
  fireAt: null,
  ...over,
});

/** One task and one fire, as they should be. */
function good(): History {
  const fire = { schedule: "every-second", fireAt: 2_000 };
  return {
    acknowledged: [{ id: "task_a", dueAt: 1_000 }],
    archived: [
      { id: "task_a", state: "succeeded", token: "1", attempt: 1, startedAt: 1_000, schedule: null, fireAt: null },
      { id: "task_b", state: "succeeded", token: "1", attempt: 1, startedAt: 2_000, ...fire },
    ],
    unfinished: [],
    ledger: [{ ...fire, outcome: "task", task: "task_b" }],
    expectedFires: [{ ...fire, outcomes: ["task"] }],
    journal: [
      line("start"),
      line("end"),
      line("start", { taskId: "task_b", ...fire }),
      line("end", { taskId: "task_b", ...fire }),
    ],
  };
}

test("a good history has no findings", () => {
  expect(check(good(), { undisturbed: true })).toEqual([]);
});

const corruptions: [string, (history: History) => void, RegExp][] = [
  ["an acknowledged task that is nowhere", (h) => h.archived.shift(), /task_a was acknowledged and is gone/],
  ["a task that never ended", (h) => h.unfinished.push("task_c"), /task_c is not final/],
  ["a task that failed", (h) => Object.assign(h.archived[0]!, { state: "failed" }), /task_a ended failed/],
  ["an outcome recorded twice", (h) => h.archived.push(h.archived[0]!), /task_a has 2 recorded outcomes/],
  [
    "a journal without the recorded attempt's end",
    (h) => h.journal.splice(1, 1),
    /no worker finished the recorded attempt/,
  ],
  [
    "an outcome of an attempt that was fenced",
    (h) => h.journal.push(line("start", { token: "2", at: 1_005 })),
    /older token/,
  ],
  ["a token handed out twice", (h) => h.journal.push(line("start", { worker: 101, at: 1_002 })), /handed out twice/],
  [
    "a task started twice without a reason",
    (h) => h.journal.push(line("start", { worker: 101, at: 1_002 })),
    /started 2 times/,
  ],
  ["a fire that is missing", (h) => h.ledger.pop(), /is missing in the ledger/],
  ["a fire that nobody expected", (h) => h.expectedFires.pop(), /was not expected/],
  ["a fire that was missed", (h) => Object.assign(h.ledger[0]!, { outcome: "missed" }), /is missed/],
  [
    "a task that a workflow has twice",
    (h) => Object.assign(h, { graphs: [{ id: "wf_a", keys: ["b", "a", "b"], expected: ["a", "b"] }] }),
    /wf_a has the tasks a b b instead of a b/,
  ],
  ["a fire with two tasks", (h) => h.archived.push({ ...h.archived[1]!, id: "task_d" }), /has 2 tasks/],
  ["a fire whose task never ran", (h) => h.archived.pop(), /has no task that ended/],
];

for (const [name, corrupt, finding] of corruptions) {
  test(`the checker finds ${name}`, () => {
    const history = good();
    corrupt(history);
    expect(check(history, { undisturbed: true }).join("\n")).toMatch(finding);
  });
}
