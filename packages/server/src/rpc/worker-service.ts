/** `carillon.v1.WorkerService`: one stream is one worker's link to the dispatcher. */
import { cutNodeMessage, fromWorkRequest, outbox, toWorkResponse, type WorkerGate } from "@carillon/client";
import { WorkerService, type WorkRequest, type WorkResponse } from "@carillon/proto";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";

export interface RpcDeps {
  gate: WorkerGate;
  /** The caller's namespace, from its credential; throws a ConnectError when there is none. */
  authenticate: (headers: Headers) => string;
}

export function workerService(router: ConnectRouter, { gate, authenticate }: RpcDeps): void {
  router.service(WorkerService, {
    work(requests: AsyncIterable<WorkRequest>, context: HandlerContext): AsyncIterable<WorkResponse> {
      const namespace = authenticate(context.requestHeader);
      const outgoing = outbox<WorkResponse>();
      const listener = gate.accept(
        {
          send(message) {
            for (const part of cutNodeMessage(message)) outgoing.push(toWorkResponse(part));
          },
          close: () => outgoing.end(),
        },
        namespace,
      );
      void receive(requests, context.signal, listener).then(() => outgoing.end());
      return outgoing;
    },
  });
}

async function receive(
  requests: AsyncIterable<WorkRequest>,
  signal: AbortSignal,
  listener: ReturnType<WorkerGate["accept"]>,
): Promise<void> {
  let over = false;
  const closed = (cause: unknown) => {
    if (over) return;
    over = true;
    listener.closed(cause);
  };
  signal.addEventListener("abort", () => closed(signal.reason), { once: true });
  try {
    for await (const request of requests) {
      const message = fromWorkRequest(request);
      if (message && !over) listener.message(message);
    }
    closed(null);
  } catch (error) {
    closed(error);
  }
}
