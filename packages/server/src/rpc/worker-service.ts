/**
 * `carillon.v1.WorkerService`: one stream is one worker's link to the dispatcher, which hears of it with the hello. Streams are bounded,
 * those without a hello more tightly: anybody who reaches the port can open them, and each costs memory.
 */
import {
  type Link,
  type LinkListener,
  type NodeMessage,
  processClock,
  type WorkerGate,
  type WorkerMessage,
} from "@carillon/client";
import { cutNodeMessage, fromWorkRequest, outbox, toWorkResponse } from "@carillon/client/wire";
import { CarillonError, type Clock } from "@carillon/core";
import { WorkerService, type WorkRequest, type WorkResponse } from "@carillon/proto";
import { Code, ConnectError, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";

/** Who has not said hello by then is cut off. */
const HELLO_MS = 10_000;
const MAX_WITHOUT_HELLO = 256;
const MAX_WORK_STREAMS = 5_000;
const EXHAUSTED = Code.ResourceExhausted;

export interface WorkerServiceDeps {
  gate: WorkerGate;
  /** Default the process' own. */
  clock?: Clock;
  /** Workers that are connected at once; others are refused. Default 5,000. */
  maxWorkStreams?: number;
  /** The caller's namespace, from its credential; throws a ConnectError when there is none. */
  authenticate: (headers: Headers) => string;
}

export function workerService(
  router: ConnectRouter,
  { gate, clock = processClock(), maxWorkStreams = MAX_WORK_STREAMS, authenticate }: WorkerServiceDeps,
): void {
  let streams = 0;
  let withoutHello = 0;
  router.service(WorkerService, {
    work(requests: AsyncIterable<WorkRequest>, context: HandlerContext): AsyncIterable<WorkResponse> {
      const namespace = authenticate(context.requestHeader);
      if (streams >= maxWorkStreams) throw new ConnectError("this node has no room for more workers", EXHAUSTED);
      if (withoutHello >= MAX_WITHOUT_HELLO) throw new ConnectError("too many streams without a hello", EXHAUSTED);
      streams++;
      withoutHello++;
      const outgoing = outbox<WorkResponse>();
      let state: "new" | "open" | "over" = "new";
      let listener: LinkListener<WorkerMessage> | null = null;

      const become = (next: "open" | "over") => {
        if (state === "new") {
          cancelDeadline();
          withoutHello--;
        }
        state = next;
      };
      /** The worker's side is over, or is made to be. */
      const end = (cause: ConnectError | null) => {
        become("over");
        outgoing.end(cause ?? undefined);
        listener?.closed(cause);
        listener = null;
      };
      const cancelDeadline = clock.after(HELLO_MS, () => end(new ConnectError("no hello", Code.DeadlineExceeded)));

      const link: Link<NodeMessage> = {
        send(message) {
          for (const part of cutNodeMessage(message)) {
            if (!outgoing.push(toWorkResponse(part))) {
              end(new ConnectError("the worker does not read", EXHAUSTED));
              return;
            }
          }
        },
        close() {
          listener = null;
          end(null);
        },
      };

      /** The stream is gone, with what it cost. */
      const gone = () => {
        streams--;
        end(null);
      };
      if (context.signal.aborted) gone();
      else context.signal.addEventListener("abort", gone, { once: true });

      /** Reads no faster than it understands: what comes meanwhile waits at the worker, by HTTP/2's flow control. */
      const receive = async () => {
        for await (const request of requests) {
          const message = fromWorkRequest(request);
          if (message?.kind === "hello" && state === "new") {
            become("open");
            listener = gate.accept(link, namespace);
          }
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
