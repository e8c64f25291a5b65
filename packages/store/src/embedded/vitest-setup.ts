import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { makeRunFolder, type TestVersion, testServers } from "./test-database.ts";

/**
 * vitest's global set-up: one server per PostgreSQL version for all workers of a test run, started when a test first asks
 * for a database, so that runs without one pay nothing. Workers ask through a unix socket named in the environment.
 */
export default async function setUp(): Promise<() => Promise<void>> {
  const servers = testServers();
  const folder = makeRunFolder();
  const path = join(folder, "test-servers");
  const desk = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", async (version) => {
      const answer = await servers.connectionString(Number(version) as TestVersion).then(
        (connectionString) => ({ connectionString }),
        (error: Error) => ({ error: error.message }),
      );
      socket.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => desk.listen(path, resolve));
  process.env.CARILLON_TEST_SERVERS = path;
  return async () => {
    desk.close();
    await servers.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
