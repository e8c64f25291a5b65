import { expect, test } from "vitest";
import { checkHistory } from "./checkers.ts";
import { type History, type JournalLine, parseJournal } from "./history.ts";

type Mutable = { -readonly [Key in keyof History]-?: Array<NonNullable<History[Key]>[number]> };

/** One task that was lost once and then succeeded, and one fire. */
function good(): Mutable {
  const journal: JournalLine[] = [
    { kind: "accepted", task: "1", dueAt: 1_000, at: 500 },
    { kind: "claimed", task: "1", token: "1", at: 900 },
    { kind: "started", task: "1", token: "1", worker: "a", dueAt: 1_000, at: 1_000 },
    { kind: "claimed", task: "1", token: "2", at: 1_700 },
    { kind: "started", task: "1", token: "2", worker: "b", dueAt: 1_000, at: 1_750 },
    { kind: "ended", task: "1", token: "2", worker: "b", at: 1_800 },
    { kind: "recorded", task: "1", token: "2", state: "succeeded", at: 1_801 },
    { kind: "recorded", task: "1", token: "2", state: "succeeded", at: 1_900 },
    { kind: "claimed", task: "2", token: "1", at: 1_900 },
    { kind: "started", task: "2", token: "1", worker: "b", dueAt: 2_000, at: 2_000 },
    { kind: "ended", task: "2", token: "1", worker: "b", at: 2_010 },
    { kind: "recorded", task: "2", token: "1", state: "succeeded", at: 2_011 },
    { kind: "died", worker: "a", at: 1_600 },
  ];
  const limited = { queue: "q", concurrencyKey: "k" };
  return {
    journal,
    tasks: [
      { task: "1", state: "succeeded", final: true, token: "2", schedule: null, fireAt: null, ...limited },
      { task: "2", state: "succeeded", final: true, token: "1", schedule: "s", fireAt: 2_000, ...limited },
    ],
    fires: [{ schedule: "s", fireAt: 2_000, outcome: "task", task: "2" }],
    expectedFires: [{ schedule: "s", fireAt: 2_000, outcomes: ["task"] }],
    alone: ["s"],
    limits: [{ queue: "q", concurrency: 1, concurrencyPerKey: 1, rateLimit: { limit: 1, perMs: 1_000, burst: 2 } }],
  };
}

test("a good history has no findings", () => {
  expect(checkHistory(good(), { maxLatenessMs: 0 })).toEqual([]);
});

test("a journal can be read back from the lines that processes write", () => {
  const { journal } = good();
  expect(parseJournal(`${journal.map((line) => JSON.stringify(line)).join("\n")}\n`)).toEqual(journal);
});

const add = (history: Mutable, line: JournalLine) => history.journal.push(line);
const corruptions: [string, (history: Mutable) => void, RegExp][] = [
  ["an accepted task that is gone", (h) => h.tasks.shift(), /1 was accepted and is gone/],
  [
    "a task that never became final",
    (h) => Object.assign(h.tasks[0]!, { final: false, state: "claimed" }),
    /still claimed/,
  ],
  ["a task that nobody asked for", (h) => h.tasks.push({ ...h.tasks[0]!, task: "9" }), /9 was never asked for/],
  [
    "a second outcome",
    (h) => add(h, { kind: "recorded", task: "1", token: "2", state: "failed", at: 2_000 }),
    /1 has two outcomes/,
  ],
  [
    "the outcome of an attempt that had lost its lease",
    (h) => h.journal.splice(5, 0, { kind: "recorded", task: "1", token: "1", state: "succeeded", at: 1_790 }),
    /outcome of token 1 was recorded, 2 holds it/,
  ],
  [
    "an outcome that the store does not show",
    (h) => Object.assign(h.tasks[0]!, { state: "failed" }),
    /1 was recorded succeeded/,
  ],
  [
    "a recorded task that runs on",
    (h) => Object.assign(h.tasks[0]!, { final: false, state: "pending" }),
    /and is pending/,
  ],
  [
    "a token that did not grow",
    (h) => h.journal.splice(4, 0, { kind: "claimed", task: "1", token: "2", at: 1_740 }),
    /token 2 was claimed after 2/,
  ],
  [
    "a token with two workers",
    (h) => h.journal.splice(5, 0, { kind: "started", task: "1", token: "2", worker: "c", dueAt: 1_000, at: 1_760 }),
    /token 2 started twice/,
  ],
  [
    "a claim after the outcome",
    (h) => add(h, { kind: "claimed", task: "1", token: "3", at: 2_500 }),
    /was claimed \(3\) after its outcome/,
  ],
  ["a success that nobody ran", (h) => h.journal.splice(5, 1), /nobody ran the recorded attempt/],
  ["a fire that is missing", (h) => h.fires.pop(), /is missing in the ledger/],
  ["a fire that nobody expected", (h) => h.expectedFires.pop(), /was not expected/],
  ["a fire that is twice in the ledger", (h) => h.fires.push({ ...h.fires[0]! }), /in the ledger 2 times/],
  ["a fire with two tasks", (h) => h.tasks.push({ ...h.tasks[1]!, task: "3" }), /has 2 tasks/],
  ["a fire without its task", (h) => h.tasks.pop(), /has 0 tasks/],
  ["a fire that was missed without need", (h) => Object.assign(h.fires[0]!, { outcome: "missed" }), /is missed/],
  ["a fire that names another task", (h) => Object.assign(h.fires[0]!, { task: "1" }), /names 1 and has 2/],
  ["a task of a fire without a row", (h) => h.fires.pop(), /2 of s at .* has no row/],
  ["a start before the instant", (h) => Object.assign(h.journal[9]!, { at: 1_999.5 }), /2 started 0\.500 ms early/],
  [
    "a task beside another of a schedule that lets none overlap",
    (h) => {
      h.tasks.push({ ...h.tasks[1]!, task: "3", fireAt: 1_000 });
      h.journal.splice(8, 0, { kind: "claimed", task: "3", token: "1", at: 1_850 });
    },
    /2 was claimed while 3 was not final/,
  ],
  ["two at once where one may run", (h) => h.journal.pop(), /the queue q allows 1 at once, and 2 ran at 1750: 1, 1/],
  [
    "two of a key at once, before the store took the first back",
    (h) => {
      Object.assign(h.limits[0]!, { concurrency: 2 });
      h.journal.splice(-1, 1, { kind: "freed", task: "1", token: "1", at: 1_751 });
    },
    /the key k allows 1 at once/,
  ],
  [
    "more starts than there were tokens",
    (h) => Object.assign(h.limits[0]!, { rateLimit: { limit: 1, perMs: 2_000, burst: 2 } }),
    /the queue q has no token for 2, which started at 2000/,
  ],
  ["a start that is too late", (h) => Object.assign(h.journal[9]!, { at: 2_001 }), /2 started 1 ms late/],
];

for (const [name, corrupt, finding] of corruptions) {
  test(`the checkers find ${name}`, () => {
    const history = good();
    corrupt(history);
    expect(checkHistory(history, { maxLatenessMs: 0 }).join("\n")).toMatch(finding);
  });
}
