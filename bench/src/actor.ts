/** A process of a contender: does what the measurement says over IPC, and counts. */
import autocannon from "autocannon";
import type { Caller, Closable, Contender, Producer, WorkerOptions } from "./contenders/contender.ts";
import { type ContenderName, contenders } from "./contenders/index.ts";

export interface RestAnswer {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  refused: number;
}

const now = () => performance.timeOrigin + performance.now();
const REPORT_MS = 10;
/** A producer that feeds a worker keeps at most so many tasks waiting. */
const MAX_BACKLOG = 20_000;

const contender: Contender = await contenders[process.argv[2] as ContenderName].load();
let producer: Producer | null = null;
let caller: Caller | null = null;
const opened: Closable[] = [];
let started = 0;
let lateness: number[] = [];
let firstAt = 0;
let lastAt = 0;
let workersDone = 0;
let sustaining = false;

async function openProducer(): Promise<Producer> {
  producer ??= await contender.openProducer();
  return producer;
}

/** In turns: `callers` calls at once, each the next when it is answered. */
async function inTurns(calls: number, callers: number, call: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < calls) await call(next++);
  };
  await Promise.all(Array.from({ length: callers }, one));
}

const commands = {
  settings: async () => contender.settings,
  prepare: () => contender.prepare(),
  openProducer: async () => void (await openProducer()),
  /** `perCall` 0: single calls. Answers the seconds it took. */
  async enqueue({ count, perCall, callers }: { count: number; perCall: number; callers: number }) {
    const to = await openProducer();
    const begin = performance.now();
    if (perCall === 0) await inTurns(count, callers, () => to.single());
    else await inTurns(Math.ceil(count / perCall), callers, () => to.bulk(Array<null>(perCall).fill(null)));
    return (performance.now() - begin) / 1_000;
  },
  /** Tasks at random instants within a span, or all at `from` when it is 0. */
  async enqueueAt({ count, from, spanMs }: { count: number; from: number; spanMs: number }) {
    const to = await openProducer();
    await inTurns(Math.ceil(count / 1_000), 2, (index) =>
      to.bulk(
        Array.from({ length: Math.min(1_000, count - index * 1_000) }, () => Math.floor(from + Math.random() * spanMs)),
      ),
    );
  },
  /** Answers the seconds it took. */
  async schedules({ count, seconds, edition = 0 }: { count: number; seconds: number; edition?: number }) {
    const begin = performance.now();
    await (await openProducer()).schedules?.(count, seconds, edition);
    return (performance.now() - begin) / 1_000;
  },
  async openCaller(options: { concurrency: number }) {
    if (contender.openCaller) opened.push((caller = await contender.openCaller(options)));
  },
  /** Calls of each of these in turn, at random instants within a span. */
  async call({ urls, count, from, spanMs }: { urls: string[]; count: number; from: number; spanMs: number }) {
    const calls = Array.from({ length: count }, (_, index) => {
      const due = Math.floor(from + Math.random() * spanMs);
      return { url: `${urls[index % urls.length]}?due=${due}`, due };
    });
    for (let sent = 0; sent < count; sent += 1_000) await caller?.call(calls.slice(sent, sent + 1_000));
  },
  async openPlanner() {
    if (contender.openPlanner) opened.push(await contender.openPlanner());
  },
  /** Inserts as fast as the workers work, until told to stop. Answers how many. */
  async sustain({ perCall }: { perCall: number }) {
    const to = await openProducer();
    let sent = 0;
    sustaining = true;
    const one = async () => {
      while (sustaining) {
        if (sent - workersDone > MAX_BACKLOG) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          continue;
        }
        sent += perCall;
        await to.bulk(Array<null>(perCall).fill(null));
      }
    };
    await Promise.all([one(), one()]);
    return sent;
  },
  /** `idle`: nothing is to start, so that nobody is told of it either. */
  async work(options: Omit<WorkerOptions, "onStart"> & { holdMs?: number; idle?: boolean }) {
    opened.push(
      await contender.openWorker({
        ...options,
        onStart(dueAt) {
          lastAt = now();
          if (started++ === 0) firstAt = lastAt;
          if (dueAt !== null) lateness.push(lastAt - dueAt);
          return options.holdMs ? new Promise((resolve) => setTimeout(resolve, options.holdMs)) : undefined;
        },
      }),
    );
    if (options.idle) return;
    const timer = setInterval(() => process.send?.({ kind: "started", count: started }), REPORT_MS);
    opened.push({ close: async () => clearInterval(timer) });
  },
  /** Creates tasks over HTTP for so long. */
  async post({
    url,
    connections,
    seconds,
  }: {
    url: string;
    connections: number;
    seconds: number;
  }): Promise<RestAnswer> {
    const body = JSON.stringify({ type: "bench", payload: { n: 1, due: null } });
    const headers = { "content-type": "application/json" };
    const { requests, latency, non2xx, errors } = await autocannon({
      url,
      connections,
      duration: seconds,
      method: "POST",
      headers,
      body,
      // It does not heed `connection: close`, which comes with the thousandth answer.
      reconnectRate: 999,
    });
    return { perSecond: requests.average, p50Ms: latency.p50, p99Ms: latency.p99, refused: non2xx + errors };
  },
  async measured() {
    const answer = { started, firstAt, lastAt, lateness };
    started = 0;
    lateness = [];
    return answer;
  },
  async close() {
    sustaining = false;
    for (const each of opened.reverse()) await each.close();
    await producer?.close();
  },
};

export type Command = keyof typeof commands;

process.on("message", (message: { kind: string; id: number; command: Command; args: never; done: number }) => {
  if (message.kind === "done") {
    workersDone = message.done;
    return;
  }
  if (message.kind === "stop") {
    sustaining = false;
    return;
  }
  const { id, command, args } = message;
  commands[command](args).then(
    (answer) => process.send?.({ kind: "answer", id, answer }),
    (error: Error) => process.send?.({ kind: "failure", id, message: error.stack ?? String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
process.send?.({ kind: "ready" });
