import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { exitCodeOf } from "./exit.ts";
import { createProgram, withDefaultCommand } from "./program.ts";

/** What a command line that is refused says, and its exit code. */
async function refuse(args: string[]): Promise<{ code: number; said: string }> {
  let said = "";
  const program = createProgram();
  const output = { writeErr: (text: string) => (said += text), writeOut: () => {} };
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.configureOutput(output);
  }
  const error = await program.parseAsync(args, { from: "user" }).then(
    () => new Error("was not refused"),
    (thrown: Error) => thrown,
  );
  if (error instanceof CommanderError) return { code: 2, said };
  return { code: exitCodeOf(error), said: error.message };
}

test.each([
  [["tasks", "lss"], "Did you mean ls?"],
  [["tasks", "ls", "--stat", "failed"], "Did you mean --state?"],
  [["tasks", "ls", "--limit", "many"], "A whole number from 1 to"],
  [["tasks", "create"], "missing required argument 'type'"],
  [["tasks", "create", "greet", "{name"], "the payload is not JSON"],
  [["tasks", "create", "greet", "@no-such-file"], "no-such-file does not exist"],
  [["tasks", "create", "greet", "--priority", "0"], "A whole number from 1 to 9"],
  [["tasks", "wait", "task_x", "--timeout", "soon"], "A duration such as"],
  [["schedules", "put", "x", "--cron", "* * * * *"], "--type"],
  [["schedules", "put", "x", "--after-end", "--type", "a"], "'--after-end' goes with '--every"],
  [["schedules", "put", "x", "--every", "5m", "--type", "a", "--overlap", "wait"], "Allowed choices are allow, skip"],
  [["schedules", "preview", "--count", "1001"], "A whole number from 1 to 1000"],
  [["queues", "set", "billing"], "nothing to set"],
  [["queues", "set", "billing", "--concurrency", "0"], "A whole number from 1 to 1000000"],
  [["queues", "set", "billing", "--rate-limit", "100"], "So many in a time, such as 100/1m"],
  [["queues", "set", "billing", "--rate-limit", "100/soon"], "So many in a time, such as 100/1m"],
  [["--url", "nonsense", "tasks", "ls"], "An address such as"],
  [["--url", "ftp://x", "tasks", "ls"], "An address such as"],
  [["events", "--topics", "weather"], 'no topic "weather"'],
  [["worker"], "nothing to run"],
  [["worker", "no-such-tasks.js"], "no-such-tasks.js does not exist"],
  [["worker", "--labels", "gpu", "--allow-command", "/bin/sh"], "Give key=value"],
  [["worker", "--allow-command", "/bin/date", "--allow-env", "TZ=UTC"], "--allow-env TZ=UTC: give the name"],
  [["worker", "--name", "two words", "--allow-command", "/bin/sh"], "A letter or digit"],
  [["import", "crontab", "no-such-file"], "does not exist"],
  [["import", "crontab", "-", "--system", "--user"], "not both"],
  [["cron", "explain", "a b c d e"], "minute"],
  [["cron", "explain", "* * * * *", "--tz", "Mars/Olympus"], "no IANA time zone"],
  [["cron", "explain", "* * * * *", "--dialect", "jenkins"], "Allowed choices are ocps, vixie, quartz, aws"],
  [["cron", "explain", "* * * * *", "--dialect", "quartz"], "six fields"],
  [["schedules", "preview", "--cron", "* * * * *", "--dialect", "jenkins"], "Allowed choices are ocps, vixie"],
  [["server", "--drain-timeout", "soon"], "A duration such as"],
  [["server", "--concurrency", "0"], "A whole number from 1 to 10000"],
])("%j is wrong usage: %s", async (args, words) => {
  expect(await refuse(args)).toEqual({ code: 2, said: expect.stringContaining(words) });
});

test.each([
  [[], ["dev"]],
  [
    ["--port", "0"],
    ["dev", "--port", "0"],
  ],
  [["--json"], ["--json", "dev"]],
  [
    ["--json", "--port", "0"],
    ["--json", "dev", "--port", "0"],
  ],
  [
    ["--url", "http://x", "tasks", "ls"],
    ["--url", "http://x", "tasks", "ls"],
  ],
  [
    ["--url=http://x", "tasks"],
    ["--url=http://x", "tasks"],
  ],
  [["--help"], ["--help"]],
  [["-V"], ["-V"]],
  [["taks"], ["taks"]],
])("without a command it is dev: %j", (args, effective) => {
  expect(withDefaultCommand(createProgram(), args)).toEqual(effective);
});

test("every command and option says what it is for", () => {
  const commands = [...createProgram().commands].flatMap((command) => [command, ...command.commands]);
  expect(commands.filter((command) => command.description() === "").map((command) => command.name())).toEqual([]);
  const options = commands.flatMap((command) => command.options);
  expect(options.filter(({ description }) => description === "").map(({ flags }) => flags)).toEqual([]);
});
