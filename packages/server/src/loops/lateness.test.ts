import { latenessPhases } from "@carillon/core";
import { createMemoryDatabase, createMemoryStore } from "@carillon/store";
import { expect, test } from "vitest";
import { createLatenessBook } from "../lateness-book.ts";
import { latenessRound } from "./lateness.ts";

const now = Date.UTC(2026, 10, 20, 12, 1);
const lane = { id: 1, namespace: "default", queue: "billing", type: "t" };

function setup() {
  const store = createMemoryStore(createMemoryDatabase({ now: () => now }));
  const book = createLatenessBook();
  const session: { id: bigint | null } = { id: null };
  const round = latenessRound({ store, clock: { now: () => now }, book, session });
  const start = () => book.started(lane, 3, new Float64Array(latenessPhases.length));
  const started = async () => {
    const [queue] = await store.lateness("default", { from: 0, to: now });
    return queue?.counts.reduce((sum, count) => sum + count, 0) ?? 0;
  };
  return { round, session, start, started };
}

test("a node that has lost its session and got another one does not count its starts twice", async () => {
  const t = setup();
  t.start();
  t.session.id = 7n;
  await t.round();
  t.session.id = 8n;
  t.start();
  await t.round();
  expect(await t.started()).toBe(2);
});

test("what started before a node has a session is counted as soon as it has one", async () => {
  const t = setup();
  t.start();
  await t.round();
  expect(await t.started()).toBe(0);
  t.session.id = 7n;
  await t.round();
  expect(await t.started()).toBe(1);
});
