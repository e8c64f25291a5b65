import { limits } from "@carillon/core";
import { noLog, VirtualClock } from "@carillon/testkit";
import { expect, test } from "vitest";
import type { HeldTask } from "./hand.ts";
import { createLogs } from "./logs.ts";
import type { DispatcherOptions } from "./options.ts";

function setup() {
  const written: string[] = [];
  const store = {
    appendLogs: async (lines: { message: string }[]) => {
      for (const { message } of lines) written.push(message);
    },
  };
  const logs = createLogs({ store, clock: new VirtualClock(), log: noLog } as unknown as DispatcherOptions);
  const held = () => ({ lastLogLine: 0 }) as HeldTask;
  const line = (message: string) => ({ id: 1n, token: 1n, attempt: 1, at: 0, level: "info", message }) as const;
  return { logs, written, held, line };
}

test.each([
  ["bytes", "x".repeat(8_000), Math.floor(limits.taskLogBytes / (8_000 + limits.logLineCostBytes))],
  ["lines", "", limits.taskLogLines],
])("a node writes no more %s of an attempt's log than a worker may send", async (_what, message, room) => {
  const { logs, written, held, line } = setup();
  const flood = held();
  for (let i = 0; i < room + 100; i++) {
    logs.add(flood, line(message));
    if (i % 1_000 === 0) await logs.written([flood]);
  }
  const quiet = held();
  logs.add(quiet, line("one of another attempt"));
  await logs.written([flood, quiet]);
  expect(written.slice(room)).toEqual([expect.stringMatching(/^The log is full/), "one of another attempt"]);
});
