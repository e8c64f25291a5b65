import type { WorkerInfo } from "@carillon/client";
import type { Command } from "commander";
import { connect } from "../connect.ts";
import { wholeNumber } from "../options.ts";
import { type Column, printRows } from "../output.ts";

const MOST_ROWS = 100_000;

export function workersCommand(program: Command): void {
  const workers = program.command("workers").description("See the workers that are connected");

  workers
    .command("ls")
    .description("List workers by name")
    .option("--limit <n>", "how many at most", wholeNumber(1, MOST_ROWS), 200)
    .action(async ({ limit }: { limit: number }, command: Command) => {
      const { carillon, json } = connect(command);
      const rows: WorkerInfo[] = [];
      for await (const worker of carillon.workers.listAll({ pageSize: Math.min(200, limit) })) {
        rows.push(worker);
        if (rows.length === limit) break;
      }
      printRows(rows, columns, json);
    });
}

const columns: Column<WorkerInfo>[] = [
  { title: "NAME", value: ({ name }) => name },
  { title: "NODE", value: ({ node }) => node },
  { title: "BUSY", value: ({ busy, slots }) => `${busy}/${slots}` },
  { title: "QUEUES", value: ({ queues }) => queues.join(",") },
  { title: "TYPES", value: ({ types }) => types.join(",") },
  {
    title: "LABELS",
    value: ({ labels }) =>
      Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(",") || null,
  },
];
