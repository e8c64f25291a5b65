import type { Command } from "commander";
import { connect } from "../connect.ts";
import { printable } from "../output.ts";

export function eventsCommand(program: Command): void {
  program
    .command("events")
    .description("Print what changes, as it happens (a display feed: under load it is thinned out)")
    .option("--follow", "go on until interrupted (the only mode there is; given for clarity)")
    .option("--topics <list>", "tasks, schedules", "tasks,schedules")
    .action(async ({ topics }: { topics: string }, command: Command) => {
      const { carillon, json } = connect(command);
      for await (const change of carillon.events({ topics: topics.split(",") })) {
        if (json) console.log(JSON.stringify(change));
        else if (change.kind === "reset") console.error("(changes may have been missed)");
        else console.log(printable(`${change.at}  ${change.topic.padEnd(9)}  ${change.id}  ${change.state ?? ""}`));
      }
    });
}
