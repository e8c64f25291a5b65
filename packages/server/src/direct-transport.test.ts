import type { Link, LinkListener, NodeMessage, WorkerMessage } from "@carillon/client";
import { expect, test } from "vitest";
import { directTransport } from "./direct-transport.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function connect() {
  const heard: unknown[] = [];
  const note =
    (who: string): LinkListener<never>["message"] =>
    (message) =>
      heard.push([who, message]);
  let node: Link<NodeMessage> | null = null;
  let namespace = "";
  const transport = directTransport(
    {
      accept(link, given) {
        node = link;
        namespace = given;
        return { message: note("node") as (message: WorkerMessage) => void, closed: () => heard.push("node closed") };
      },
    },
    "tenant",
  );
  const worker = await transport.connect(
    { message: note("worker") as (message: NodeMessage) => void, closed: () => heard.push("worker closed") },
    [],
  );
  return { heard, worker, node: node as unknown as Link<NodeMessage>, namespace };
}

const ping: WorkerMessage = { kind: "ping" };
const pong: NodeMessage = { kind: "pong" };

test("messages pass in both directions, in order, each in a turn of its own", async () => {
  const { heard, worker, node, namespace } = await connect();
  expect(namespace).toBe("tenant");
  worker.send(ping);
  worker.send({ kind: "leaving" });
  node.send(pong);
  expect(heard).toEqual([]);
  await turn();
  expect(heard).toEqual([
    ["node", ping],
    ["node", { kind: "leaving" }],
    ["worker", pong],
  ]);
});

test("what was said before the end arrives, and nothing afterwards; the other side hears of the end once", async () => {
  for (const side of ["worker", "node"] as const) {
    const t = await connect();
    const other = side === "worker" ? "node" : "worker";
    t.worker.send(ping);
    t.node.send(pong);
    t[side].close();
    t.worker.send(ping);
    t.node.send(pong);
    t[other].close();
    t[side].close();
    await turn();
    expect(t.heard).toEqual([["node", ping], ["worker", pong], `${other} closed`]);
  }
});
