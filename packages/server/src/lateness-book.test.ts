import type { LatenessWindow } from "@carillon/store";
import { expect, test } from "vitest";
import { createLatenessBook } from "./lateness-book.ts";

const MINUTE_MS = 60_000;
const start = Date.UTC(2026, 10, 20, 12, 2);
const lane = { id: 1, namespace: "default", queue: "billing", type: "t" };

function setup() {
  const book = createLatenessBook();
  const sent: LatenessWindow[][] = [];
  return {
    book,
    sent,
    start: (ms: number, over = {}) => book.started({ ...lane, ...over }, ms, new Float64Array([0, ms, 0, 0, 0])),
    write: (now: number) => book.write(now, async (windows) => void sent.push(windows)),
    total: () =>
      book
        .queues()
        .get("billing")
        ?.counts.reduce((sum, count) => sum + count, 0),
  };
}

test("a window is told whole each time that something in it has changed, and not otherwise", async () => {
  const t = setup();
  t.start(2);
  await t.write(start);
  await t.write(start + 10_000);
  t.start(7);
  await t.write(start + 20_000);
  const window = { namespace: "default", queue: "billing", at: Date.UTC(2026, 10, 20, 12) };
  expect(t.sent).toMatchObject([
    [{ ...window, maxMs: 2, phasesMs: [0, 2, 0, 0, 0] }],
    [{ ...window, maxMs: 7, phasesMs: [0, 9, 0, 0, 0] }],
  ]);
  expect(t.sent[1]![0]!.counts.slice(0, 5)).toEqual([0, 1, 0, 0, 1]);
});

test("a new window begins every five minutes, and the figures since the start go on", async () => {
  const t = setup();
  t.start(2);
  await t.write(start);
  t.start(3);
  await t.write(start + 5 * MINUTE_MS);
  t.start(4);
  await t.write(start + 6 * MINUTE_MS);
  expect(t.sent.slice(1)).toMatchObject([
    [{ at: Date.UTC(2026, 10, 20, 12), maxMs: 3 }],
    [{ at: Date.UTC(2026, 10, 20, 12, 5), maxMs: 4, phasesMs: [0, 4, 0, 0, 0] }],
  ]);
  expect(t.total()).toBe(3);
});

test("what the store did not take is told again, also windows that are over", async () => {
  const t = setup();
  const fail = () => Promise.reject(new Error("away"));
  t.start(2);
  await expect(t.book.write(start, fail)).rejects.toThrow("away");
  t.start(9);
  await expect(t.book.write(start + 5 * MINUTE_MS, fail)).rejects.toThrow("away");
  t.start(4);
  await t.write(start + 6 * MINUTE_MS);
  expect(t.sent).toMatchObject([[{ maxMs: 9, phasesMs: [0, 11, 0, 0, 0] }, { maxMs: 4 }]]);
  await t.write(start + 7 * MINUTE_MS);
  expect(t.sent).toHaveLength(1);
});

test("task types share their queue's figures, namespaces do not", async () => {
  const t = setup();
  t.start(1);
  t.start(1, { id: 2, type: "other" });
  t.start(1, { id: 3, namespace: "elsewhere" });
  await t.write(start);
  expect(t.sent[0]).toMatchObject([
    { namespace: "default", phasesMs: [0, 2, 0, 0, 0] },
    { namespace: "elsewhere", phasesMs: [0, 1, 0, 0, 0] },
  ]);
  expect(t.total()).toBe(3);
});
