/** Promise: nothing starts before its instant, by the database's clock, wherever its worker is and whatever the machines' clocks say. */
import { task, Worker, type WorkerGate } from "@carillon/client";
import { seededRandom } from "@carillon/testkit";
import { expect, onTestFinished, test } from "vitest";
import { setup } from "../../test/dispatch-world.ts";
import { directTransport } from "../direct-transport.ts";

const TASKS = 300;
const WAY_MS = 2;
/** Of sums of instants of today. */
const ROUNDING_MS = 0.001;
const HOUR_MS = 3_600_000;

type World = Awaited<ReturnType<typeof setup>>;

/** Everything that is said takes a moment on its way. */
function farAway(gate: WorkerGate, { clock }: World): WorkerGate {
  const later = (arrive: () => void) => void clock.after(WAY_MS, arrive);
  return {
    accept(link, namespace) {
      const node = gate.accept(
        { send: (message) => later(() => link.send(message)), close: () => later(() => link.close()) },
        namespace,
      );
      return {
        message: (message) => later(() => node.message(message)),
        closed: (cause) => later(() => node.closed(cause)),
      };
    },
  };
}

/** Runs tasks that are due now and at random instants, and says how late each handler was called, by the database's clock. */
async function startsOf(t: World, where: "local" | "remote", workerAheadMs: number) {
  const starts: number[] = [];
  const { dispatcher } = t.engine;
  const work = task("t", {
    run: (_payload, { dueAt }) => void starts.push(t.clock.now() - dueAt.getTime()),
  });
  const worker = new Worker({
    tasks: [work],
    concurrency: 20,
    signals: false,
    transport: directTransport(where === "local" ? dispatcher : farAway(dispatcher, t), "default"),
    clock: {
      now: () => t.clock.now() + workerAheadMs,
      monotonic: () => t.clock.monotonic(),
      after: (delayMs, callback) => t.clock.after(delayMs, callback),
    },
  });
  worker.start();
  onTestFinished(() => void worker.close({ timeout: "0s" }));
  await t.knowLane();
  const random = seededRandom(11);
  const begin = t.clock.now();
  const ids = await t.insert(
    Array.from({ length: TASKS }, (_, index) =>
      t.task({ dueAt: index % 10 === 0 ? begin : begin + Math.floor(random() * 4_000) }),
    ),
  );
  await t.clock.advance(6_000);
  const shown = await Promise.all(ids.map(async (id) => (await t.state(id)).startedAt! - (await t.state(id)).dueAt));
  return { starts, shown };
}

const cases = (["local", "remote"] as const).flatMap((where) =>
  [-HOUR_MS, -40, 0, 40, HOUR_MS].map((wallAheadMs) => [where, wallAheadMs] as const),
);

test.each(cases)("on a %s worker nothing starts early, with clocks ahead by %d ms", async (where, wallAheadMs) => {
  const t = await setup({ callMs: 3, wallAheadMs });
  const { starts, shown } = await startsOf(t, where, -wallAheadMs);
  expect(starts).toHaveLength(TASKS);
  expect(Math.min(...starts)).toBeGreaterThanOrEqual(-ROUNDING_MS);
  expect(Math.min(...shown)).toBeGreaterThanOrEqual(0);
  expect(t.lateness).toHaveLength(TASKS);
  const transport = t.lateness.map((each) => each.transport);
  expect(Math.max(...transport)).toBeCloseTo(where === "local" ? 0 : WAY_MS, 6);
  for (const { lateMs, claim, dispatch, transport, start } of t.lateness) {
    expect(claim + dispatch + transport + start).toBeCloseTo(lateMs, 6);
  }
});
