import type { Broadcast, Task } from "@carillon/client";
import type { Command } from "commander";
import { connect } from "../connect.ts";
import { FAILED } from "../exit.ts";
import { readPayload } from "../input.ts";
import { collect, duration, labels, wholeNumber } from "../options.ts";
import { type Column, printRows, say } from "../output.ts";

interface Flags {
  queue?: string;
  priority?: number;
  startWithin?: string;
  requires?: Record<string, string>;
  tag?: string[];
  wait?: boolean;
}

export function addBroadcastCommand(tasks: Command): void {
  tasks
    .command("broadcast <type> [payload]")
    .description("Run a task once on every worker that is connected now; the payload is as for create")
    .option("--queue <name>", "only workers that take this queue")
    .option("--priority <n>", "1 urgent to 9 idle", wholeNumber(1, 9))
    .option("--start-within <duration>", "skip it on a worker that has not started it by then (1m)", duration)
    .option("--requires <key=value,...>", "only workers with these labels", labels)
    .option("--tag <tag>", "for people to find them by, several by repeating it", collect)
    .option("--wait", "wait until all are final and print their results; exit code 1 when one did not succeed")
    .action(async (type: string, payload: string | undefined, flags: Flags, command: Command) => {
      const { carillon, json } = connect(command);
      const { tag: tags, wait, ...options } = flags;
      const given = { ...options, ...(tags === undefined ? {} : { tags }) };
      const { tag, tasks } = await carillon.tasks.broadcast(type, readPayload(payload), given);
      if (!wait) {
        if (tasks.length > 0) say(`${tasks.length} created, with the tag ${tag}`);
        printRows(tasks, created, json);
        return;
      }
      say(`${tasks.length} created, waiting`);
      const ended = await Promise.all(
        tasks.map(async ({ id, worker }) => ({ ...(await carillon.tasks.wait(id)), requiredWorker: worker })),
      );
      printRows(ended, finals, json);
      if (ended.some(({ state }) => state !== "succeeded")) process.exitCode = FAILED;
    });
}

const created: Column<Broadcast["tasks"][number]>[] = [
  { title: "WORKER", value: ({ worker }) => worker },
  { title: "ID", value: ({ id }) => id },
];

const finals: Column<Task & { requiredWorker: string }>[] = [
  { title: "WORKER", value: ({ requiredWorker }) => requiredWorker },
  { title: "ID", value: ({ id }) => id },
  { title: "STATE", value: ({ state }) => state },
  {
    title: "RESULT",
    value: ({ state, result, error, reason }) =>
      state === "succeeded" ? JSON.stringify(result) : (error?.message ?? reason),
  },
];
