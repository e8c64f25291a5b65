import { Carillon } from "@carillon/client";
import type { Command } from "commander";

export interface GlobalOptions {
  url?: string[];
  apiKey?: string;
  json?: boolean;
}

/** The client and the global options of the command that runs. */
export function connect(command: Command): { carillon: Carillon; json: boolean; options: GlobalOptions } {
  const options = command.optsWithGlobals<GlobalOptions>();
  const carillon = new Carillon({
    ...(options.url === undefined ? {} : { url: options.url }),
    ...(options.apiKey === undefined ? {} : { apiKey: options.apiKey }),
  });
  return { carillon, json: options.json ?? false, options };
}
