import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";

export interface DatabaseProxy {
  /** Stays the same while the database behind it comes and goes. */
  connectionString: string;
  /** From now on connections go to the socket in this folder. */
  forwardTo(socketDir: string): void;
  close(): void;
}

/** A TCP address in front of an embedded database, whose own address is new at each start. */
export async function startProxy(socketDir: string): Promise<DatabaseProxy> {
  let target = socketDir;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(join(target, ".s.PGSQL.5432"));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    connectionString: `postgresql://carillon@127.0.0.1:${port}/carillon`,
    forwardTo(next) {
      target = next;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
