/** A whole HTTP side over a store, called in process, with a clock that the test moves. */
import { type Clock, createIdSource, type Id } from "@carillon/core";
import { createMemoryDatabase, createMemoryStore, type Store } from "@carillon/store";
import type { FastifyInstance, InjectOptions } from "fastify";
import pino from "pino";
import { afterAll, beforeAll, expect } from "vitest";
import { z } from "zod";
import { type OpenPostgres, openPostgres } from "../../../store/test/open-postgres.ts";
import { createBacklog } from "../../src/backlog.ts";
import { createAddressGuard } from "../../src/egress/address-guard.ts";
import { createChangeFeed } from "../../src/feed.ts";
import { createHttpApp } from "../../src/http/app.ts";
import type { HttpDeps } from "../../src/http/deps.ts";
import { problemAnswer } from "../../src/http/openapi.ts";
import { createDeclaredTypes } from "../../src/operations/index.ts";

export const START = Date.parse("2026-11-20T10:00:00.000Z");

export interface ManualClock extends Clock {
  /** Moves on by so much; what waits for an instant in between is called at that instant. */
  advance(ms: number): void;
  /** How many callbacks wait for their instant. */
  waiting(): number;
}

export function manualClock(start = START): ManualClock {
  let now = start;
  const waiting = new Set<{ at: number; callback: () => void }>();
  return {
    now: () => now,
    monotonic: () => now - start,
    after(delayMs, callback) {
      const entry = { at: now + delayMs, callback };
      waiting.add(entry);
      return () => waiting.delete(entry);
    },
    waiting: () => waiting.size,
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = [...waiting].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        waiting.delete(due);
        now = Math.max(now, due.at);
        due.callback();
      }
      now = end;
    },
  };
}

export const storeKinds = ["memory", "PostgreSQL"] as const;

/** Gives each test of a block an empty store of this kind. */
export function useStore(kind: (typeof storeKinds)[number]): (clock: Clock) => Promise<Store> {
  let postgres: OpenPostgres | null = null;
  beforeAll(async () => {
    if (kind === "PostgreSQL") postgres = await openPostgres(18);
  });
  afterAll(() => postgres?.close());
  return async (clock) => {
    if (!postgres) return createMemoryStore(createMemoryDatabase({ now: clock.now }));
    await postgres.clear();
    return postgres.store;
  };
}

/** Until everything under way has come as far as it can without time passing; a database answers in its own time. */
export async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await new Promise(setImmediate);
}

export interface TestApp {
  app: FastifyInstance;
  store: Store;
  clock: ManualClock;
  deps: HttpDeps;
  /** What was logged as an error. */
  errors: unknown[];
  /** One call; the body is JSON unless `raw` gives it as it is. */
  call(method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  raw(options: InjectOptions): Promise<Answer>;
  /** A session that holds this task, as a node would after a claim. */
  claim(): Promise<{ session: Id; refs: { id: Id; token: bigint }[] }>;
  drain(): void;
  close(): Promise<void>;
}

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any;
  headers: Record<string, string | undefined>;
  text: string;
}

export async function startApp(options: Partial<HttpDeps> & { slot?: number } = {}): Promise<TestApp> {
  const clock = (options.clock as ManualClock | undefined) ?? manualClock();
  const store = options.store ?? createMemoryStore(createMemoryDatabase({ now: clock.now }));
  const errors: unknown[] = [];
  const draining = new AbortController();
  const log = pino({ level: "error" }, { write: (line: string) => void errors.push(JSON.parse(line)) });
  let seed = 1;
  const deps: HttpDeps = {
    store,
    clock,
    ids: createIdSource({ cell: 0, slot: options.slot ?? 16 }),
    random: () => (seed = (seed * 16807) % 2147483647) / 2147483647,
    dispatcher: null,
    planner: null,
    feed: createChangeFeed({ store, clock }),
    backlog: createBacklog({ store, clock }),
    types: createDeclaredTypes({ store, clock }),
    targets: createAddressGuard(["10.0.0.0/8"]),
    log,
    version: "0.0.0-test",
    metrics: { render: async () => ({ contentType: "text/plain; version=0.0.4", body: "carillon_build_info 1\n" }) },
    readiness: async () => [{ name: "database", ok: true, detail: null }],
    draining: draining.signal,
    dashboard: null,
    ...options,
  };
  const app = createHttpApp(deps);
  const mismatches = checkAnswers(app);
  await app.ready();
  const raw = async (request: InjectOptions): Promise<Answer> => {
    const response = await app.inject(request);
    const isJson = /json/.test(String(response.headers["content-type"] ?? ""));
    return {
      status: response.statusCode,
      body: isJson && response.body !== "" ? JSON.parse(response.body) : null,
      headers: response.headers as Record<string, string | undefined>,
      text: response.body,
    };
  };
  return {
    app,
    store,
    clock,
    deps,
    errors,
    raw,
    call: (method, url, body, headers = {}) =>
      raw({
        method: method as "GET",
        url,
        headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
      }),
    async claim() {
      const { id: session } = await store.openSession({ node: "test", url: null, now: clock.now() });
      const lanes = await store.lanes();
      const targets = lanes.flatMap(({ id }) => ([1, 2, 3] as const).map((band) => ({ laneId: id, band, limit: 100 })));
      const refs = await store.claim({ session, targets, until: clock.now(), limit: 100, now: clock.now() });
      return { session, refs: refs.map(({ id, token }) => ({ id, token })) };
    },
    drain: () => draining.abort(),
    async close() {
      deps.feed.close();
      await app.close();
      expect(mismatches).toEqual([]);
    },
  };
}

/** Holds every JSON answer against the schema that its route promises. */
function checkAnswers(app: FastifyInstance): unknown[] {
  const mismatches: unknown[] = [];
  app.addHook("onSend", async (request, reply, payload) => {
    const promised = (request.routeOptions.schema?.response ?? {}) as Record<string, unknown>;
    const status = reply.statusCode;
    const found = promised[status] ?? promised[`${Math.floor(status / 100)}xx`];
    const schema = found instanceof z.ZodType ? found : status >= 400 ? problemAnswer : null;
    if (!schema || typeof payload !== "string" || request.method === "HEAD") return;
    const result = schema.safeParse(JSON.parse(payload));
    if (!result.success) mismatches.push({ url: request.url, status, issues: result.error.issues });
  });
  return mismatches;
}
