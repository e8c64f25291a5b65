import type { Command } from "commander";
import { connect } from "../connect.ts";
import { usageError } from "../input.ts";
import { list } from "../options.ts";
import { print, printJson, say } from "../output.ts";

const topics = ["tasks", "schedules", "queues"];

export function eventsCommand(program: Command): void {
  program
    .command("events")
    .description("Print what changes, as it happens: a feed for the eye, thinned out under load")
    .option("--follow", "go on until interrupted; there is no other way, the option says so")
    .option("--topics <list>", topics.join(", "), list)
    .action(async (flags: { topics?: string[] }, command: Command) => {
      const wanted = flags.topics ?? topics;
      const unknown = wanted.find((topic) => !topics.includes(topic));
      if (unknown !== undefined) throw usageError(`no topic "${unknown}"; there are ${topics.join(", ")}`);
      const { carillon, json } = connect(command);
      for await (const change of carillon.events({ topics: wanted })) {
        if (json) printJson(change);
        else if (change.kind === "reset") say("connected; what changed before is not shown");
        else print([change.at, change.topic, change.id, change.state ?? ""].join("  ").trimEnd());
      }
    });
}
