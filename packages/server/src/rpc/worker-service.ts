/** `carillon.v1.WorkerService`: one stream is one worker's link to the dispatcher. */
import { type LinkListener, processClock, type WorkerGate, type WorkerMessage } from "@carillon/client";
import { cutNodeMessage, fromWorkRequest, outbox, toWorkResponse } from "@carillon/client/wire";
import { CarillonError, type Clock } from "@carillon/core";
import { WorkerService, type WorkRequest, type WorkResponse } from "@carillon/proto";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";

/** Who has not said hello by then is cut off. */
const HELLO_MS = 10_000;

export interface WorkerServiceDeps {
  gate: WorkerGate;
  /** Default the process' own. */
  clock?: Clock;
  /** The caller's namespace, from its credential; throws a ConnectError when there is none. */
  authenticate: (headers: Headers) => string;
}

export function workerService(
  router: ConnectRouter,
  { gate, clock = processClock(), authenticate }: WorkerServiceDeps,
): void {
  router.service(WorkerService, {
    work(requests: AsyncIterable<WorkRequest>, context: HandlerContext): AsyncIterable<WorkResponse> {
      const namespace = authenticate(context.requestHeader);
      const outgoing = outbox<WorkResponse>();
      let listener: LinkListener<WorkerMessage> | null = null;

      /** The worker's side is over, or is made to be. */
      const end = (cause: ConnectError | null) => {
        cancelDeadline();
        outgoing.end(cause ?? undefined);
        listener?.closed(cause);
        listener = null;
      };
      const cancelDeadline = clock.after(HELLO_MS, () => end(new ConnectError("no hello", Code.DeadlineExceeded)));

      listener = gate.accept(
        {
          send(message) {
            for (const part of cutNodeMessage(message)) {
              if (!outgoing.push(toWorkResponse(part))) {
                end(new ConnectError("the worker does not read", Code.ResourceExhausted));
                return;
              }
            }
          },
          close() {
            listener = null;
            cancelDeadline();
            outgoing.end();
          },
        },
        namespace,
      );
      context.signal.addEventListener("abort", () => end(null), { once: true });

      /** Reads no faster than it understands: what comes meanwhile waits at the worker, by HTTP/2's flow control. */
      const receive = async () => {
        for await (const request of requests) {
          const message = fromWorkRequest(request);
          if (message?.kind === "hello") cancelDeadline();
          if (message) listener?.message(message);
        }
      };
      receive().then(
        () => end(null),
        (error: unknown) => end(refusal(error)),
      );
      return outgoing;
    },
  });
}

function refusal(error: unknown): ConnectError {
  if (CarillonError.is(error)) return new ConnectError(error.message, Code.InvalidArgument);
  return ConnectError.from(error);
}
