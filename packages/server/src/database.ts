/** The database of a node: a server that exists, or an embedded one that starts and stops with the node. */
import { startEmbedded } from "@carillon/store";
import type { Logger } from "pino";

export interface NodeDatabase {
  url: string;
  /** Past a pooler, where one was told of. */
  directUrl?: string | undefined;
  /** Where an embedded one keeps its data; null: it is somebody else's. */
  dataDir: string | null;
  /** For the banner. */
  description: {
    kind: "embedded" | "server";
    /** Where the data is. */
    place: string;
    /** What it survives, in one sentence. */
    survives: string;
    recovered: string | null;
    warnings: string[];
  };
  close(): Promise<void>;
}

export interface DatabaseOptions {
  databaseUrl?: string | undefined;
  databaseDirectUrl?: string | undefined;
  dataDir?: string | undefined;
  postgresBin?: string | undefined;
}

export async function openDatabase(
  { databaseUrl, databaseDirectUrl, dataDir = "./.carillon", postgresBin }: DatabaseOptions,
  { log, onLost }: { log: Logger; onLost: (reason: Error) => void },
): Promise<NodeDatabase> {
  if (databaseUrl !== undefined) {
    return {
      url: databaseUrl,
      directUrl: databaseDirectUrl,
      dataDir: null,
      description: {
        kind: "server",
        place: `PostgreSQL at ${withoutPassword(databaseUrl)}`,
        survives: "what that server survives: the loss of nodes always, of its machine if it has a synchronous standby",
        recovered: null,
        warnings: [],
      },
      close: async () => {},
    };
  }
  const embedded = await startEmbedded({
    dataDir,
    ...(postgresBin === undefined ? {} : { postgresBin }),
    log: (line) => log.info(line),
    onExit: ({ reason }) => onLost(new Error(`the embedded database ended: ${reason}`)),
  });
  return {
    url: embedded.connectionString,
    dataDir: embedded.dataDir,
    description: {
      kind: "embedded",
      place: `embedded PostgreSQL ${embedded.version} in ${embedded.dataDir}`,
      survives: embedded.survives,
      recovered: embedded.recovered,
      warnings: embedded.warnings,
    },
    close: () => embedded.stop(),
  };
}

function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url);
    if (parsed.password) parsed.password = "***";
    if (parsed.searchParams.has("password")) parsed.searchParams.set("password", "***");
    return parsed.href;
  } catch {
    return "the configured address";
  }
}
