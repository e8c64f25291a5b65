import type { Id } from "@carillon/core";
import type { NewTask } from "@carillon/store";
import fc from "fast-check";
import { command, nth } from "../command.ts";
import { newTask, pick, same, type TaskGiven } from "../world.ts";

const payload = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: fc.constantFrom('{"a":1}', '"text"', "[]") },
  { weight: 1, arbitrary: fc.integer({ min: 500, max: 2_000 }).map((length) => JSON.stringify("x".repeat(length))) },
);

const task = (uniqueKey: fc.Arbitrary<string | null>): fc.Arbitrary<TaskGiven> =>
  fc.record({
    namespace: fc.constantFrom(0, 0, 0, 1),
    type: fc.constantFrom("mail", "bill"),
    queue: fc.constantFrom("default", "default", "slow"),
    priority: fc.integer({ min: 1, max: 9 }),
    dueInMs: fc.constantFrom(-1_000, 0, 0, 1, 300, 5_000, 60_000),
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    startWithinMs: fc.constantFrom(null, null, 1, 2_000, 30_000),
    finishWithinMs: fc.constantFrom(null, null, 2, 2_000, 40_000),
    payload,
    uniqueKey,
    uniqueForMs: fc.constantFrom(null, null, 1_000, 30_000),
    concurrencyKey: fc.constantFrom(null, "k-1", "k-1", "k-2"),
    fairKey: fc.constantFrom(null, null, null, "ada", "bob"),
    tags: fc.subarray(["red", "blue"]),
    requires: fc.constantFrom(
      {},
      {},
      {},
      { region: "eu" },
      { region: "eu", gpu: "a100" },
      { gpu: "a100", region: "eu" },
    ),
  });

const withoutKey = task(fc.constant(null));
const perhapsWithKey = task(fc.constantFrom(null, "key-1", "key-2"));
const uniquePolicies = fc.array(fc.constantFrom("keep" as const, "replace" as const, "reject" as const), {
  minLength: 3,
  maxLength: 3,
});

const createOne = command("createOne", withoutKey, async (world, given) => {
  const task = newTask(world, given);
  await same(world, (store) => store.createTasks([task], { now: world.now }));
});

const createBatch = command("createBatch", fc.array(withoutKey, { maxLength: 6 }), async (world, given) => {
  const tasks = given.map((one) => newTask(world, one));
  await same(world, (store) => store.createTasks(tasks, { now: world.now }));
});

/** Singles of the same moment, which a store may write together. */
const createTogether = command(
  "createTogether",
  fc.array(withoutKey, { minLength: 2, maxLength: 6 }),
  async (world, given) => {
    const tasks = given.map((one) => newTask(world, one));
    await same(world, (store) => Promise.all(tasks.map((task) => store.createTasks([task], { now: world.now }))));
  },
);

const createKeyed = command(
  "createKeyed",
  fc.record({ tasks: fc.array(perhapsWithKey, { minLength: 1, maxLength: 3 }), uniquePolicies }),
  async (world, { tasks: given, uniquePolicies }) => {
    const tasks = given.map((one) => newTask(world, one));
    const uniquePolicy = (task: NewTask) => uniquePolicies[tasks.indexOf(task)]!;
    await same(world, (store) => store.createTasks(tasks, { now: world.now, uniquePolicy }));
  },
);

const createIdempotently = command(
  "createIdempotently",
  fc.record({
    tasks: fc.array(perhapsWithKey, { minLength: 1, maxLength: 2 }),
    uniquePolicies,
    namespace: fc.constantFrom(0, 1),
    key: fc.constantFrom("again-1", "again-2"),
    requestHash: fc.constantFrom("this", "this", "that"),
    ttlMs: fc.constantFrom(1_000, 86_400_000),
  }),
  async (world, { tasks: given, uniquePolicies, namespace, key, requestHash, ttlMs }) => {
    const tasks = given.map((one) => newTask(world, one));
    const uniquePolicy = (task: NewTask) => uniquePolicies[tasks.indexOf(task)]!;
    const idempotency = {
      namespace: world.namespaces[namespace]!,
      key,
      requestHash,
      response: (answers: { id: Id; created: boolean }[]) =>
        `${world.step}: ${answers.map(({ id, created }) => `${id} ${created}`)}`,
      expiresAt: world.now + ttlMs,
    };
    await same(world, (store) => store.createTasks(tasks, { now: world.now, uniquePolicy, idempotency }));
  },
);

const createClaimed = command(
  "createClaimed",
  fc.record({ tasks: fc.array(withoutKey, { minLength: 1, maxLength: 4 }), session: nth, count: fc.nat({ max: 4 }) }),
  async (world, { tasks: given, session, count }) => {
    const tasks = given.map((one) => newTask(world, one));
    const answer = await same(world, (store, side) => {
      const claim = { session: pick(side.sessions, session)!, count };
      return store.createTasks(tasks, { now: world.now, claim });
    });
    if (answer?.kind !== "created") return;
    world.refs.push(...answer.claimed.map(({ id, token }) => ({ id, token })));
  },
);

export const createCommands = [createOne, createBatch, createTogether, createKeyed, createIdempotently, createClaimed];
