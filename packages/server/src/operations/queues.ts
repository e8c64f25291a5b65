/** What people do with queues. They exist by being used: one that nobody has set anything on reads as one without limits. */
import { CarillonError, defaultBreaker, formatDuration, formatInstant, invalid, isName, limits } from "@carillon/core";
import type { QueueBreaker, QueueRecord, QueueSettings, RateLimit } from "@carillon/store";
import { parseRequest } from "../http/field-errors.ts";
import {
  type BreakerInput,
  type ListQueues,
  type PutQueue,
  patchQueueBody,
  putQueueBody,
  type Queue,
  type RateLimitInput,
} from "../http/schemas/queues.ts";
import type { Deps } from "./deps.ts";
import { readPageToken, writePageToken } from "./page-token.ts";
import { mergePatch } from "./schedule-definition.ts";

/** Replaces what it allows; an equal one changes nothing. `expect`: only if this is its version. */
export async function putQueue(
  deps: Deps,
  namespace: string,
  name: string,
  input: PutQueue,
  expect?: number,
): Promise<Queue> {
  if (!isName(name))
    throw invalid("name", "invalid_name", "A name has 1 to 128 letters, digits, dots, dashes or underscores.");
  const { paused } = input;
  const answer = await deps.store.putQueue({
    namespace,
    name,
    settings: toSettings(input),
    now: deps.clock.now(),
    ...(paused === undefined ? {} : { paused }),
    ...(expect === undefined ? {} : { expect }),
  });
  if (answer.kind === "version_mismatch") throw versionMismatch(name);
  if (answer.kind !== "unchanged") await changed(deps, answer.queue);
  return toQueue(answer.queue);
}

function versionMismatch(name: string): CarillonError {
  return new CarillonError("version_mismatch", { detail: `Queue ${name} has another version by now.` });
}

/** How often a change without `If-Match` is tried when others change the queue at the same time. */
const PATCH_ATTEMPTS = 5;

/** A merge patch of what it allows; `version`: only if this is its version. */
export async function patchQueue(
  deps: Deps,
  namespace: string,
  name: string,
  patch: unknown,
  version?: number,
): Promise<Queue> {
  const fields = parseRequest(patchQueueBody, patch);
  for (let attempt = 1; ; attempt++) {
    const current = await findQueue(deps, namespace, name);
    if (version !== undefined && version !== current.version) throw versionMismatch(name);
    const merged = mergePatch(toPutBody(current.settings), fields) as Record<string, unknown>;
    if (fields.paused === null) merged.paused = false;
    try {
      return await putQueue(deps, namespace, name, parseRequest(putQueueBody, merged), current.version);
    } catch (error) {
      const again = CarillonError.is(error) && error.code === "version_mismatch" && version === undefined;
      if (!again || attempt === PATCH_ATTEMPTS) throw error;
    }
  }
}

export async function getQueue(deps: Deps, namespace: string, name: string): Promise<Queue> {
  return toQueue(await findQueue(deps, namespace, name));
}

/** By name: those that something was set on, and those that tasks were created in. */
export async function listQueues(
  { store }: Deps,
  namespace: string,
  { pageSize = limits.defaultPageSize, pageToken }: ListQueues,
): Promise<{ queues: Queue[]; nextPageToken: string | null }> {
  const list = ["queues", namespace];
  const after = readPageToken(list, pageToken);
  const [page, lanes] = await Promise.all([store.listQueues(namespace, { pageSize, after }), store.lanes()]);
  const found = new Map(page.items.map((record) => [record.name, record]));
  for (const lane of lanes) {
    const { queue: name } = lane;
    // What lies behind a page that is not the last has records of its own, which are not here.
    const isHere = (after === null || name > after) && (page.next === null || name <= page.items.at(-1)!.name);
    if (lane.namespace === namespace && isHere && !found.has(name)) found.set(name, unset(namespace, name));
  }
  const queues = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const shown = queues.slice(0, pageSize);
  const more = queues.length > pageSize || page.next !== null;
  return { queues: shown.map(toQueue), nextPageToken: writePageToken(list, more ? shown.at(-1)!.name : null) };
}

/** Nothing starts in it until it is resumed; what runs goes on. */
export function pauseQueue(
  deps: Deps,
  namespace: string,
  name: string,
  { reason = null }: { reason?: string | null | undefined } = {},
): Promise<Queue> {
  return setPaused(deps, namespace, name, { paused: true, reason });
}

export function resumeQueue(deps: Deps, namespace: string, name: string): Promise<Queue> {
  return setPaused(deps, namespace, name, { paused: false, reason: null });
}

async function setPaused(
  deps: Deps,
  namespace: string,
  name: string,
  request: { paused: boolean; reason: string | null },
): Promise<Queue> {
  if (!isName(name)) throw queueNotFound(name);
  const { store, clock } = deps;
  const record = await store.setQueuePaused(namespace, name, { ...request, by: null, now: clock.now() });
  await changed(deps, record);
  return toQueue(record);
}

/** A queue is there for every name that is one. */
export async function findQueue({ store }: Pick<Deps, "store">, namespace: string, name: string): Promise<QueueRecord> {
  if (!isName(name)) throw queueNotFound(name);
  return (await store.getQueue(namespace, name)) ?? unset(namespace, name);
}

function queueNotFound(name: string): CarillonError {
  return new CarillonError("not_found", { detail: `There is no queue ${name.slice(0, 128)}.` });
}

/** Nodes and screens look again; what this node admits follows before the answer. */
async function changed(
  { store, feed, backlog, dispatcher }: Deps,
  { namespace, name, paused }: QueueRecord,
): Promise<void> {
  store.hints.publish({ queues: true });
  dispatcher?.queuesChanged();
  feed.queueChanged(name, namespace, paused ? "paused" : "active");
  // The change is made; who cannot look now looks within a second.
  await backlog.look().catch(() => undefined);
}

function unset(namespace: string, name: string): QueueRecord {
  return { namespace, name, version: 0, settings: {}, paused: false, pause: null, createdAt: 0, updatedAt: 0 };
}

function toSettings({
  concurrency,
  concurrencyPerKey,
  concurrencyPerType = {},
  rateLimit,
  rateLimitPerKey,
  maxBacklog,
  breaker,
  fairWeights = {},
}: PutQueue): QueueSettings {
  return {
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(concurrencyPerKey === undefined ? {} : { concurrencyPerKey }),
    ...(Object.keys(concurrencyPerType).length === 0 ? {} : { concurrencyPerType }),
    ...(rateLimit === undefined ? {} : { rateLimit: toRateLimit(rateLimit) }),
    ...(rateLimitPerKey === undefined ? {} : { rateLimitPerKey: toRateLimit(rateLimitPerKey) }),
    ...(maxBacklog === undefined ? {} : { maxBacklog }),
    ...(breaker === undefined ? {} : { breaker: toBreaker(breaker) }),
    ...(Object.keys(fairWeights).length === 0 ? {} : { fairWeights }),
  };
}

function toBreaker({ failures, openFor, adaptive = false }: BreakerInput): QueueBreaker {
  return { failures: failures ?? defaultBreaker.failures, openMs: openFor ?? defaultBreaker.openMs, adaptive };
}

function toRateLimit({ limit, per, burst = limit }: RateLimitInput): RateLimit {
  return { limit, perMs: per, burst };
}

/** What a merge patch is applied to. A burst that is the default follows the limit. */
function toPutBody({ rateLimit, rateLimitPerKey, breaker, ...settings }: QueueSettings): Record<string, unknown> {
  const rate = ({ limit, perMs, burst }: RateLimit) => {
    return { limit, per: formatDuration(perMs), ...(burst === limit ? {} : { burst }) };
  };
  return {
    ...settings,
    ...(rateLimit && { rateLimit: rate(rateLimit) }),
    ...(rateLimitPerKey && { rateLimitPerKey: rate(rateLimitPerKey) }),
    ...(breaker && { breaker: showBreaker(breaker) }),
  };
}

function toQueue({ namespace, name, version, settings, paused, pause, createdAt, updatedAt }: QueueRecord): Queue {
  const { concurrency = null, concurrencyPerKey = null, rateLimit, rateLimitPerKey, maxBacklog = null } = settings;
  const { concurrencyPerType = null, breaker } = settings;
  const { fairWeights = {} } = settings;
  const instant = (at: number) => (version === 0 ? null : formatInstant(at));
  return {
    name,
    namespace,
    version,
    concurrency,
    concurrencyPerKey,
    concurrencyPerType,
    rateLimit: rateLimit ? toRate(rateLimit) : null,
    rateLimitPerKey: rateLimitPerKey ? toRate(rateLimitPerKey) : null,
    maxBacklog,
    breaker: breaker ? showBreaker(breaker) : null,
    fairWeights: Object.fromEntries(Object.entries(fairWeights).sort(([a], [b]) => (a < b ? -1 : 1))),
    paused,
    pause: toPause(pause),
    createdAt: instant(createdAt),
    updatedAt: instant(updatedAt),
  };
}

export function toPause(pause: QueueRecord["pause"]): Queue["pause"] {
  return pause && { reason: pause.reason, at: formatInstant(pause.at), by: pause.by };
}

function showBreaker({ failures, openMs, adaptive }: QueueBreaker): NonNullable<Queue["breaker"]> {
  return { failures, openFor: formatDuration(openMs), adaptive };
}

function toRate({ limit, perMs, burst }: RateLimit): NonNullable<Queue["rateLimit"]> {
  return { limit, per: formatDuration(perMs), burst };
}
