#!/usr/bin/env node
/** `carillon`. Data goes to stdout, talk to stderr; the exit codes are in `exit.ts`. */
import { CommanderError } from "commander";
import { exitCodeOf, sayError, USAGE } from "./exit.ts";
import { createProgram, withDefaultCommand } from "./program.ts";

// `carillon tasks ls | head -1`: the reader has enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const program = createProgram();
try {
  await program.parseAsync(withDefaultCommand(program, process.argv.slice(2)), { from: "user" });
} catch (error) {
  if (error instanceof CommanderError) {
    // It has said what is wrong; 0 is for --help and --version.
    process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  } else {
    sayError(error);
    // What a command that failed has still open must not keep it alive.
    process.exit(exitCodeOf(error));
  }
}
