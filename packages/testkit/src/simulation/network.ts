/** Connections between simulated processes: ordered, delayed, and cut in the two ways that networks know: with a word and without. */
import type { Link, LinkListener, NodeMessage, WorkerMessage, WorkerTransport } from "@carillon/client";
import type { SimulatedProcess } from "./process.ts";
import type { Address, World } from "./world.ts";

const LATENCY_MS = 0.2;
const JITTER_MS = 1;

/** How one worker process reaches nodes. */
export function simulatedTransport(worker: SimulatedProcess, world: World): WorkerTransport {
  const { clock, random, cuts } = world;
  let last = Math.floor(random() * 100);
  return {
    connect(listener, nodes) {
      const all = world.addresses();
      const known = all.filter(({ url }) => nodes.length === 0 || nodes.includes(url));
      const choice = known.length > 0 ? known : all;
      const address = choice[++last % Math.max(1, choice.length)];
      return address ? open(address, listener) : refused(listener);
    },
  };

  function refused(listener: LinkListener<NodeMessage>): Link<WorkerMessage> {
    clock.after(LATENCY_MS, () => worker.run(() => listener.closed(new Error("connection refused"))));
    return { send() {}, close() {} };
  }

  function open({ process: node, gate }: Address, listener: LinkListener<NodeMessage>): Link<WorkerMessage> {
    /** Which ends still listen; a cut closes both without a word. */
    const listening = { toNode: true, toWorker: true };
    const arrivals = { toNode: 0, toWorker: 0 };
    let nodeSide: LinkListener<WorkerMessage> | null = null;

    /** Delivers in order. */
    function deliver(direction: "toNode" | "toWorker", event: () => void): void {
      const at = Math.max(arrivals[direction], clock.monotonic() + LATENCY_MS + random() * JITTER_MS);
      arrivals[direction] = at;
      clock.after(at - clock.monotonic(), () => {
        if (cuts.has(`${worker.name} ${node.name}`)) listening.toNode = listening.toWorker = false;
        (direction === "toNode" ? node : worker).run(() => listening[direction] && event());
      });
    }

    /** One side closed, or its process is gone; what it sent before still arrives. */
    function end(by: "node" | "worker"): void {
      const [own, other] = by === "node" ? (["toNode", "toWorker"] as const) : (["toWorker", "toNode"] as const);
      if (!listening[own]) return;
      listening[own] = false;
      deliver(other, () => {
        listening[other] = false;
        if (by === "worker") nodeSide?.closed(null);
        else listener.closed(null);
      });
    }

    worker.onExit(() => end("worker"));
    node.onExit(() => end("node"));
    deliver("toNode", () => {
      nodeSide = gate.accept(
        { send: (message) => deliver("toWorker", () => listener.message(message)), close: () => end("node") },
        "default",
      );
    });
    return {
      send: (message) => deliver("toNode", () => nodeSide?.message(message)),
      close: () => end("worker"),
    };
  }
}
