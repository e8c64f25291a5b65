export { createDispatcher, type Dispatcher, type Reservation, type WorkerView } from "./dispatcher.ts";
export type { DispatcherOptions, Feed, Lease, Log, NodeClock } from "./options.ts";
