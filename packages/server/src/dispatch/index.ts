export { createDispatcher, type Dispatcher, type WorkerView } from "./dispatcher.ts";
export type { DispatcherOptions, Feed, Lease, Log, NodeClock } from "./options.ts";
