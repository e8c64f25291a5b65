/** For tests: a network between a store and its database that can go wrong. */
import { once } from "node:events";
import { type AddressInfo, createServer, connect as dial, type Socket } from "node:net";
import pg from "pg";

export interface Proxy {
  /** Like the database's own, through here. */
  connectionString: string;
  /** The statement of this name arrives and takes effect; its answer, and all later ones of its connection, are lost. */
  loseAnswerTo(statement: string): void;
  /** What was sent on each connection until now. */
  sent(): string[];
  /** Breaks every connection; new ones work. */
  cut(): void;
  close(): Promise<void>;
}

/** `refuseOptions`: like a pooler that accepts no start-up options. */
export async function openProxy(connectionString: string, { refuseOptions = false } = {}): Promise<Proxy> {
  const { host, port, user, password, database } = new pg.Client({ connectionString });
  const sockets = new Set<Socket>();
  const lost = new Set<string>();
  const sent: Buffer[][] = [];

  const server = createServer((near) => {
    let silent = false;
    const far = host.startsWith("/") ? dial(`${host}/.s.PGSQL.${port}`) : dial(port, host);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    let first = true;
    const chunks: Buffer[] = [];
    sent.push(chunks);
    near.on("data", (data) => {
      if (first && refuseOptions && data.includes("options\0")) return void near.end(refusal);
      first = false;
      chunks.push(data);
      for (const statement of lost) silent ||= data.includes(`${statement}\0`);
      far.write(data);
    });
    far.on("data", (data) => {
      if (!silent) near.write(data);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  function cut(): void {
    lost.clear();
    for (const socket of sockets) socket.destroy();
  }

  const account = [user, password].filter(Boolean).map((part) => encodeURIComponent(String(part)));
  return {
    connectionString: `postgres://${account.join(":")}@127.0.0.1:${(server.address() as AddressInfo).port}/${database}`,
    sent: () => sent.map((chunks) => Buffer.concat(chunks).toString("latin1")),
    loseAnswerTo: (statement) => lost.add(statement),
    cut,
    async close() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}

const fields = ["SFATAL", "C08P01", "Munsupported startup parameter: options", ""]
  .map((field) => `${field}\0`)
  .join("");
const refusal = Buffer.concat([Buffer.from("E\0\0\0\0"), Buffer.from(fields)]);
refusal.writeInt32BE(refusal.length - 1, 1);
