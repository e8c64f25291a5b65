/** `@carillon/client/wire`: what a node needs to speak with workers over gRPC. No part of the public interface. */
export { type Outbox, outbox } from "./outbox.ts";
export { cutNodeMessage, cutWorkerMessage, MAX_MESSAGE_BYTES } from "./wire-batches.ts";
export { fromWorkResponse, toWorkResponse } from "./wire-from-node.ts";
export { fromWorkRequest, toWorkRequest } from "./wire-from-worker.ts";
