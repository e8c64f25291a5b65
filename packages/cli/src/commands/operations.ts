import { type Carillon, type Operation, processClock } from "@carillon/client";
import { delay } from "@carillon/core/clock";
import type { Command } from "commander";
import { connect } from "../connect.ts";
import { wholeNumber } from "../options.ts";
import { type Column, printRecord, printRows } from "../output.ts";

const MOST_ROWS = 10_000;
const LOOK_MS = 250;

export function operationsCommand(program: Command): void {
  const operations = program.command("operations").description("Watch and cancel what goes on in the background");

  operations
    .command("ls")
    .description("List operations, newest first")
    .option("--limit <n>", "how many at most", wholeNumber(1, MOST_ROWS), 50)
    .action(async ({ limit }: { limit: number }, command: Command) => {
      const { carillon, json } = connect(command);
      const rows: Operation[] = [];
      for await (const operation of carillon.operations.listAll({ pageSize: Math.min(200, limit) })) {
        rows.push(operation);
        if (rows.length === limit) break;
      }
      printRows(rows, columns, json);
    });

  operations
    .command("get <id>")
    .description("Show an operation")
    .action(async (id: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      printRecord(await carillon.operations.get(id), json);
    });

  operations
    .command("cancel <id>")
    .description("Stop an operation where it is; what it has done stays")
    .action(async (id: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      printRecord(await carillon.operations.cancel(id), json);
    });
}

/** As it is once it has ended. */
export async function operationEnd(carillon: Carillon, operation: Operation): Promise<Operation> {
  const clock = processClock();
  let present = operation;
  while (present.state === "running") {
    await delay(clock, LOOK_MS);
    present = await carillon.operations.get(operation.id);
  }
  return present;
}

const columns: Column<Operation>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "KIND", value: ({ kind }) => kind },
  { title: "OF", value: ({ schedule, action }) => schedule ?? action },
  { title: "STATE", value: ({ state }) => state },
  { title: "DONE", value: ({ matched, done, skipped, failed }) => `${done + skipped + failed}/${matched}` },
  { title: "CREATED", value: ({ createdAt }) => createdAt },
];
