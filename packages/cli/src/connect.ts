import { Carillon } from "@carillon/client";
import type { Command } from "commander";

export interface GlobalOptions {
  url?: string[];
  apiKey?: string;
  json?: boolean;
}

/** The client that the global options (or the environment) describe, and whether data is printed as JSON. */
export function connect(command: Command): { carillon: Carillon; json: boolean } {
  return { carillon: new Carillon(target(command)), json: wantsJson(command) };
}

/** Where the nodes are, for a client or a worker. */
export function target(command: Command): { url?: string[]; apiKey?: string } {
  const { url, apiKey } = command.optsWithGlobals<GlobalOptions>();
  return { ...(url === undefined ? {} : { url }), ...(apiKey === undefined ? {} : { apiKey }) };
}

export function wantsJson(command: Command): boolean {
  return command.optsWithGlobals<GlobalOptions>().json ?? false;
}
