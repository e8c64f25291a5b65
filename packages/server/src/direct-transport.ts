/** A worker in the node's own process: the same messages, passed as objects, each delivered in a turn of its own. */
import type { Link, LinkListener, WorkerGate, WorkerTransport } from "@carillon/client";

export function directTransport(gate: WorkerGate, namespace: string): WorkerTransport {
  return {
    connect(workerSide) {
      const state = { open: true };
      const nodeSide = gate.accept(
        linkTo(workerSide, state, () => workerSide.closed(null)),
        namespace,
      );
      return linkTo(nodeSide, state, () => nodeSide.closed(null));
    },
  };
}

function linkTo<Message>(listener: LinkListener<Message>, state: { open: boolean }, closed: () => void): Link<Message> {
  return {
    send(message) {
      queueMicrotask(() => state.open && listener.message(message));
    },
    close() {
      queueMicrotask(() => {
        if (!state.open) return;
        state.open = false;
        closed();
      });
    },
  };
}
