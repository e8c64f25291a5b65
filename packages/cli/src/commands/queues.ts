import type { Queue, RateLimit } from "@carillon/client";
import { parseDuration } from "@carillon/core/duration";
import { type Command, InvalidArgumentError } from "commander";
import { connect } from "../connect.ts";
import { usageError } from "../input.ts";
import { wholeNumber } from "../options.ts";
import { type Column, printRecord, printRows } from "../output.ts";

const MOST = 1_000_000;

export function queuesCommand(program: Command): void {
  const queues = program.command("queues").description("See, limit, pause and resume queues");

  queues
    .command("ls")
    .description("List queues by name, with what they allow")
    .action(async (_flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      const rows: Queue[] = [];
      for await (const queue of carillon.queues.listAll({ pageSize: 200 })) rows.push(queue);
      printRows(rows, queueColumns, json);
    });

  queues
    .command("set <name>")
    .description("Change what a queue allows; what is not given stays, `none` takes a limit away")
    .option("--concurrency <n>", "tasks that run at once, over all workers", orNone(wholeNumber(1, MOST)))
    .option(
      "--concurrency-per-key <n>",
      "tasks of one concurrency key that run at once; 1 makes the key a mutex",
      orNone(wholeNumber(1, MOST)),
    )
    .option("--concurrency-per-type <type=n,...>", "tasks of each of these types that run at once", orNone(slotsByType))
    .option("--rate-limit <rate>", "how fast tasks start: 100/1m, with a burst of 20 100/1m:20", orNone(rate))
    .option("--rate-limit-per-key <rate>", "how fast tasks of one concurrency key start", orNone(rate))
    .option("--max-backlog <n>", "tasks that are not final; creates over it are refused", orNone(wholeNumber(1, MOST)))
    .option(
      "--breaker <failures/duration>",
      "after so many failures of a key in a row its tasks wait: 5/5s, and 5/5s:adaptive to follow how fast they end",
      orNone(breaker),
    )
    .option(
      "--fair-weight <key=n>",
      "so many of this fair key start for one of another, several by repeating it; key=none takes it away",
      fairWeight,
    )
    .action(async (name: string, flags: Record<string, unknown>, command: Command) => {
      if (Object.keys(flags).length === 0) throw usageError("nothing to set; see `carillon queues set --help`");
      const { carillon, json } = connect(command);
      const { fairWeight: fairWeights, ...limits } = flags;
      const given = Object.entries(fairWeights === undefined ? limits : { ...limits, fairWeights });
      const patch = given.map(([field, value]) => [field, value === NONE ? null : value]);
      printRecord(await carillon.queues.patch(name, Object.fromEntries(patch)), json);
    });

  queues
    .command("pause <name>")
    .description("Start nothing in a queue until it is resumed; what runs goes on")
    .option("--reason <text>", "kept with the queue")
    .action(async (name: string, flags: { reason?: string }, command: Command) => {
      const { carillon, json } = connect(command);
      const queue = await carillon.queues.pause(name, flags);
      printRecord(json ? queue : { name, paused: queue.paused, reason: queue.pause?.reason ?? null }, json);
    });

  queues
    .command("resume <name>")
    .description("Let a paused queue go on")
    .action(async (name: string, _flags: object, command: Command) => {
      const { carillon, json } = connect(command);
      const queue = await carillon.queues.resume(name);
      printRecord(json ? queue : { name, paused: queue.paused }, json);
    });
}

/** Takes a limit away. A parser of options cannot say null. */
const NONE = "none";

function orNone<Value>(read: (text: string) => Value): (text: string) => Value | typeof NONE {
  return (text) => (text === NONE ? NONE : read(text));
}

/** `render=2,mail=5` */
function slotsByType(text: string): Record<string, number> {
  const slots = wholeNumber(1, MOST);
  return Object.fromEntries(
    text.split(",").map((item) => {
      const [, type, most] = /^([^=]+)=(\d+)$/.exec(item.trim()) ?? [];
      if (type === undefined || most === undefined)
        throw new InvalidArgumentError("Types and how many of each run at once, such as render=2,mail=5.");
      return [type, slots(most)];
    }),
  );
}

/** `100/1m`, or `100/1m:20` with a burst. */
function rate(text: string): object {
  const [, limit, per, burst] = /^(\d{1,7})\/([^:]+)(?::(\d{1,7}))?$/.exec(text) ?? [];
  if (limit === undefined || per === undefined || parseDuration(per) === null)
    throw new InvalidArgumentError("So many in a time, such as 100/1m, or 100/1m:20 with a burst of 20.");
  return { limit: Number(limit), per, ...(burst === undefined ? {} : { burst: Number(burst) }) };
}

/** `5/30s`, or `5/30s:adaptive`. */
function breaker(text: string): object {
  const [, failures, openFor, adaptive] = /^(\d{1,2})\/([^:]+)(:adaptive)?$/.exec(text) ?? [];
  if (failures === undefined || openFor === undefined || parseDuration(openFor) === null)
    throw new InvalidArgumentError("So many failures, and how long nothing is tried: 5/5s, or 5/5s:adaptive.");
  return { failures: Number(failures), openFor, adaptive: adaptive !== undefined };
}

const typesText = (types: Record<string, number>): string =>
  Object.entries(types)
    .map(([type, most]) => `${type}=${most}`)
    .join(",");

const breakerText = (breaker: Queue["breaker"]): string | null =>
  breaker && `${breaker.failures}/${breaker.openFor}${breaker.adaptive ? ":adaptive" : ""}`;

type Weights = Record<string, number | null>;

/** `customer-42=3`. A key may hold more of `=`. Null takes its weight from a key; alone, `none` does it from all. */
function fairWeight(text: string, earlier: Weights | typeof NONE = {}): Weights | typeof NONE {
  if (text === NONE) return NONE;
  const at = text.lastIndexOf("=");
  const [key, weight] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || !(weight === NONE || /^\d{1,3}$/.test(weight)))
    throw new InvalidArgumentError("A key and what it weighs, such as customer-42=3, or customer-42=none.");
  return { ...(earlier === NONE ? {} : earlier), [key]: weight === NONE ? null : Number(weight) };
}

const rateText = (rate: RateLimit | null): string | null =>
  rate && `${rate.limit}/${rate.per}${rate.burst === rate.limit ? "" : `:${rate.burst}`}`;

const queueColumns: Column<Queue>[] = [
  { title: "NAME", value: ({ name }) => name },
  { title: "STATE", value: ({ paused }) => (paused ? "paused" : "active") },
  { title: "CONCURRENCY", value: ({ concurrency }) => concurrency },
  { title: "PER KEY", value: ({ concurrencyPerKey }) => concurrencyPerKey },
  { title: "PER TYPE", value: ({ concurrencyPerType: types }) => types && typesText(types) },
  { title: "RATE", value: ({ rateLimit }) => rateText(rateLimit) },
  { title: "RATE PER KEY", value: ({ rateLimitPerKey }) => rateText(rateLimitPerKey) },
  { title: "MAX BACKLOG", value: ({ maxBacklog }) => maxBacklog },
  { title: "BREAKER", value: ({ breaker }) => breakerText(breaker) },
];
