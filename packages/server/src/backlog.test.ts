import type { NodeFigures, QueueMode, QueueRecord } from "@carillon/store";
import { beforeEach, expect, test } from "vitest";
import { manualClock } from "../test/http/setup.ts";
import { type Admission, type Backlog, createBacklog } from "./backlog.ts";

const billing = { namespace: "default", queue: "billing" };
let stored: { count: number; counts: number; maxBacklog: number | undefined; figures: NodeFigures["queues"] };
let finished: number;
let clock: ReturnType<typeof manualClock>;
let backlog: Backlog;
/** What the count waits for. */
let gate: Promise<void>;

beforeEach(() => {
  stored = { count: 0, counts: 0, maxBacklog: 10, figures: [] };
  finished = 0;
  clock = manualClock();
  gate = Promise.resolve();
  backlog = createBacklog({
    clock,
    ended: { finishedIn: () => finished },
    store: {
      async allQueues() {
        const { maxBacklog } = stored;
        const settings = maxBacklog === undefined ? {} : { maxBacklog };
        return [{ namespace: "default", name: "billing", settings } as QueueRecord & { mode: QueueMode }];
      },
      async countBacklogs(queues) {
        stored.counts++;
        const counts = queues.map(({ cap }) => Math.min(cap, stored.count));
        await gate;
        return counts;
      },
      async nodeFigures() {
        return [{ node: "n", zoneData: null, workers: 0, pools: [], queues: stored.figures }];
      },
    },
  });
});

const ask = (count = 1): Admission => backlog.admit(Array(count).fill(billing));

/** Creates so many, which the store then has. Answers whether it was let in. */
function create(count = 1): boolean {
  const admission = ask(count);
  if (admission.kind === "refused") return false;
  stored.count += count;
  admission.settle(Array(count).fill({ created: true }));
  return true;
}

function refusal(count = 1) {
  const admission = ask(count);
  if (admission.kind !== "refused") throw new Error("it was let in");
  return admission.error;
}

test("between two counts a node adds what it takes in and subtracts what it sees become final", async () => {
  await backlog.look();
  expect([create(6), create(4), create()]).toEqual([true, true, false]);
  finished += 3;
  expect([create(4), create(3), create()]).toEqual([false, true, false]);
  stored.count -= 3;
  await backlog.look();
  expect(create()).toBe(false);
});

test("a namespace may have a bound over all of its queues, and of the two the smaller one counts", async () => {
  stored.maxBacklog = undefined;
  let counted: unknown[] = [];
  const bounded = createBacklog({
    clock,
    maxBacklog: 5,
    store: {
      allQueues: async () => [{ namespace: "default", name: "billing", settings: { maxBacklog: 3 } } as never],
      async countBacklogs(queues) {
        counted = queues.map(({ queue, cap }) => [queue, cap]);
        return queues.map(() => 0);
      },
      nodeFigures: async () => [],
    },
  });
  const tries = (queue: string, count: number) => {
    const admission = bounded.admit(Array(count).fill({ namespace: "default", queue }));
    return admission.kind === "refused" ? admission.error.message : "admitted";
  };
  await bounded.look();
  expect(tries("mail", 1)).toBe("admitted");
  await bounded.look();
  expect(counted).toEqual([
    ["billing", 4],
    [null, 6],
  ]);
  expect(tries("billing", 3)).toBe("admitted");
  expect(tries("billing", 1)).toMatch(/^The queue billing is full/);
  expect([tries("mail", 1), tries("mail", 1)]).toEqual([
    "admitted",
    expect.stringMatching(/^The namespace default is full/),
  ]);
});

test("while the database's disk is nearly full nothing is taken in, with and without bounds", () => {
  let tight = true;
  const onDisk = createBacklog({ clock, isDiskTight: () => tight, store: {} as never });
  const refused = onDisk.admit([billing]);
  expect(refused).toMatchObject({ kind: "refused", error: { code: "backlog_full", retryAfterMs: 30_000 } });
  tight = false;
  expect(onDisk.admit([billing]).kind).toBe("admitted");
});

test("what the store did not create takes no place", async () => {
  await backlog.look();
  const admission = ask(10);
  expect(create()).toBe(false);
  if (admission.kind === "admitted")
    admission.settle([...Array(4).fill({ created: false }), ...Array(6).fill({ created: true })]);
  expect([create(4), create()]).toEqual([true, false]);
});

test("what is under way while the store counts is not forgotten, and what failed is by the next count", async () => {
  await backlog.look();
  const flying = ask(8);
  await backlog.look();
  expect(create(3)).toBe(false);
  if (flying.kind === "admitted") flying.settle(null);
  expect(create(3)).toBe(false);
  await backlog.look();
  expect(create(10)).toBe(true);
});

test("a create during the count is counted once, and never less", async () => {
  let open = () => {};
  gate = new Promise((resolve) => (open = resolve));
  const looking = backlog.look();
  await new Promise(setImmediate);
  expect(create(5)).toBe(true);
  open();
  await looking;
  expect([create(6), create(5)]).toEqual([false, true]);
});

test("of more than there may be nobody counts all, so what ends makes room only for the next count", async () => {
  stored.count = 1_000;
  await backlog.look();
  finished += 500;
  expect(create()).toBe(false);
});

test("who is refused is told to come back by the pace at which the queue's tasks become final", async () => {
  stored.count = 10;
  await backlog.look();
  expect(refusal()).toMatchObject({ code: "backlog_full", retryAfterMs: 15_000 });
  // This node's own pace of the last seconds.
  clock.advance(5_000);
  finished += 1;
  stored.maxBacklog = 10;
  await backlog.look();
  expect(refusal().retryAfterMs).toBe(5_000);
  // All nodes together are faster.
  stored.figures = [
    { ...billing, startedPerSecond: 0, finishedPerSecond: 0.25 },
    { ...billing, startedPerSecond: 0, finishedPerSecond: 0.25 },
    { ...billing, queue: "mail", startedPerSecond: 0, finishedPerSecond: 100 },
  ];
  clock.advance(5_000);
  await backlog.look();
  expect(refusal().retryAfterMs).toBe(2_000);
});

test("a batch that never fits is an invalid one", async () => {
  await backlog.look();
  expect(refusal(11)).toMatchObject({ code: "invalid_request", errors: [{ pointer: "/tasks", code: "too_many" }] });
});

test("the store is asked once a second, ten times while creates are refused, and not at all for queues without a bound", async () => {
  expect(await backlog.look()).toBe(1_000);
  stored.count = 10;
  await backlog.look();
  refusal();
  expect(await backlog.look()).toBe(100);
  expect(await backlog.look()).toBe(1_000);
  const { counts } = stored;
  stored.maxBacklog = undefined;
  expect(await backlog.look()).toBe(1_000);
  expect(stored.counts).toBe(counts);
  expect(create(1_000)).toBe(true);
});

test("counting a large backlog takes a twentieth of the time at most", async () => {
  stored.count = 10;
  await backlog.look();
  refusal();
  let open = () => {};
  gate = new Promise((resolve) => (open = resolve));
  const looking = backlog.look();
  await new Promise(setImmediate);
  clock.advance(150);
  open();
  expect(await looking).toBe(3_000);
});

test("who asks while the store counts gets a count that began afterwards, one for all", async () => {
  let open = () => {};
  gate = new Promise((resolve) => (open = resolve));
  const first = backlog.look();
  await new Promise(setImmediate);
  const others = [backlog.look(), backlog.look()];
  open();
  await Promise.all([first, ...others]);
  expect(stored.counts).toBe(2);
});
