import type { Readable } from "node:stream";
import type { FinalState } from "@carillon/core";
import { createMemoryDatabase, createMemoryStore } from "@carillon/store";
import { afterEach, beforeEach, expect, test } from "vitest";
import { manualClock, startApp, type TestApp } from "../../test/http/setup.ts";

let t: TestApp;
beforeEach(async () => {
  t = await startApp();
});
afterEach(() => t.close());

const TASKS = "/api/v1/tasks";

interface SentEvent {
  event: string;
  id: string | null;
  // biome-ignore lint/suspicious/noExplicitAny: events of every shape
  data: any;
}

interface Stream {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  events: SentEvent[];
  ended: boolean;
  /** Lets everything under way happen, without moving the clock. */
  settle(): Promise<void>;
  source: Readable;
}

async function open(app: TestApp, url: string, headers = {}): Promise<Stream> {
  const response = await app.app.inject({ method: "GET", url, headers, payloadAsStream: true });
  const source = response.stream();
  const stream: Stream = {
    status: response.statusCode,
    headers: response.headers,
    text: "",
    ended: false,
    source,
    get events() {
      return stream.text
        .split("\n\n")
        .filter((block) => /^data:/m.test(block))
        .map((block) => ({
          event: /^event: (.*)$/m.exec(block)?.[1] ?? "message",
          id: /^id: (.*)$/m.exec(block)?.[1] ?? null,
          data: JSON.parse(/^data: (.*)$/m.exec(block)![1]!),
        }));
    },
    async settle() {
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    },
  };
  source.setEncoding("utf8").on("data", (chunk: string) => {
    stream.text += chunk;
  });
  source.on("end", () => {
    stream.ended = true;
  });
  source.on("error", () => {
    stream.ended = true;
  });
  await stream.settle();
  return stream;
}

test("many streams are no leak that Node.js has to warn of", async () => {
  const warnings: Error[] = [];
  const notice = (warning: Error) => void warnings.push(warning);
  process.on("warning", notice);
  const streams = await Promise.all(Array.from({ length: 15 }, () => open(t, "/api/v1/events")));
  for (const { source } of streams) source.destroy();
  await new Promise(setImmediate);
  process.off("warning", notice);
  expect(warnings).toEqual([]);
});

async function finish(app: TestApp, state: FinalState): Promise<void> {
  const { session, refs } = await app.claim();
  await app.store.recordOutcomes(
    refs.map((ref) => ({
      ...ref,
      session,
      decision: { kind: "final", state, result: '"done"', error: null, reason: null },
      startedAt: app.clock.now(),
      finishedAt: app.clock.now(),
      worker: "w",
      lost: false,
    })),
  );
  for (const { id } of refs) app.deps.feed.taskChanged(id, "default", state);
}

test("events begin with a reset, and changes arrive within a second", async () => {
  const stream = await open(t, "/api/v1/events?topics=tasks,schedules");
  expect(stream.status).toBe(200);
  expect(stream.headers).toMatchObject({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  expect(stream.events).toEqual([{ event: "reset", id: null, data: {} }]);
  const { id } = (await t.call("POST", TASKS, { type: "a", delay: "1h" })).body;
  await t.call("POST", `${TASKS}/${id}:cancel`);
  await t.call("PUT", "/api/v1/schedules/s", { cron: "@daily", task: { type: "a" } });
  t.clock.advance(1_000);
  await stream.settle();
  expect(stream.events.slice(1)).toEqual([
    { event: "change", id: null, data: { topic: "tasks", id, state: "cancelled", at: "2026-11-20T10:00:00.000Z" } },
    {
      event: "change",
      id: null,
      data: { topic: "schedules", id: "s", state: "active", at: "2026-11-20T10:00:00.000Z" },
    },
  ]);
  stream.source.destroy();
});

test("a stream has only the topics it asked for", async () => {
  const stream = await open(t, "/api/v1/events?topics=schedules");
  await t.call("POST", TASKS, { type: "a" });
  await t.call("PUT", "/api/v1/schedules/s", { cron: "@daily", task: { type: "a" } });
  await t.call("POST", "/api/v1/schedules/s:pause");
  t.clock.advance(1_000);
  await stream.settle();
  expect(stream.events.map(({ data }) => data.state)).toEqual([undefined, "paused"]);
  stream.source.destroy();
});

test("changes on another node arrive too, and too many of them are a reset", async () => {
  const database = createMemoryDatabase({ now: () => 0 });
  const clock = manualClock();
  const here = await startApp({ clock, store: createMemoryStore(database), slot: 17 });
  const there = await startApp({ clock, store: createMemoryStore(database), slot: 18 });
  const stream = await open(here, "/api/v1/events");
  const { id } = (await there.call("POST", TASKS, { type: "a", delay: "1h" })).body;
  await there.call("PUT", "/api/v1/schedules/s", { cron: "@daily", task: { type: "a" } });
  clock.advance(250);
  await stream.settle();
  clock.advance(250);
  await stream.settle();
  expect(stream.events.slice(1).map(({ data }) => [data.topic, data.id, data.state])).toEqual([
    ["tasks", id, "scheduled"],
    ["schedules", "s", "active"],
  ]);
  await there.call("POST", `${TASKS}:batch`, { tasks: Array(200).fill({ type: "a" }) });
  clock.advance(250);
  await stream.settle();
  clock.advance(250);
  await stream.settle();
  expect(stream.events.at(-1)).toEqual({ event: "reset", id: null, data: {} });
  expect(stream.events).toHaveLength(4);
  stream.source.destroy();
  await here.close();
  await there.close();
});

test("under load the stream says reset instead of growing without end", async () => {
  const stream = await open(t, "/api/v1/events");
  await t.call("POST", `${TASKS}:batch`, { tasks: Array(2_000).fill({ type: "a" }) });
  t.clock.advance(250);
  await stream.settle();
  expect(stream.events.map(({ event }) => event)).toEqual(["reset", "reset"]);
  stream.source.destroy();
});

test("a quiet stream is kept open by comments, and a draining node ends it with a hint to come back", async () => {
  const stream = await open(t, "/api/v1/events");
  t.clock.advance(31_000);
  await stream.settle();
  expect(stream.text.match(/^:$/gm)).toHaveLength(2);
  t.drain();
  await stream.settle();
  expect(stream.ended).toBe(true);
  expect(stream.text).toMatch(/retry: 1000\n\n$/);
  const late = await t.call("GET", "/api/v1/events");
  expect(late.status).toBe(503);
  expect(late.headers["retry-after"]).toBe("1");
});

test("the log of a task is followed line by line until it is final", async () => {
  const { id } = (await t.call("POST", TASKS, { type: "a" })).body;
  const { refs } = await t.claim();
  const line = (message: string) =>
    t.store.appendLogs([{ ...refs[0]!, at: t.clock.now(), level: "info", message, attempt: 1 }]);
  await line("one");
  await line("two\nwith a second row");
  const stream = await open(t, `${TASKS}/${id}/logs?follow=1`);
  expect(stream.events.map(({ id, data }) => [id, data.message])).toEqual([
    ["1", "one"],
    ["2", "two\nwith a second row"],
  ]);
  for (let number = 3; number <= 405; number++) await line(`line ${number}`);
  t.clock.advance(500);
  await stream.settle();
  expect(stream.events).toHaveLength(405);
  expect(stream.events.at(-1)).toEqual({
    event: "message",
    id: "405",
    data: { at: "2026-11-20T10:00:00.000Z", level: "info", message: "line 405", attempt: 1 },
  });
  await t.store.recordOutcomes(
    refs.map((ref) => ({
      ...ref,
      decision: { kind: "final", state: "succeeded", result: null, error: null, reason: null },
      startedAt: t.clock.now(),
      finishedAt: t.clock.now(),
      worker: "w",
      lost: false,
    })),
  );
  t.clock.advance(500);
  await stream.settle();
  await line("the last word");
  t.clock.advance(500);
  await stream.settle();
  expect(stream.events.slice(405).map(({ event, data }) => [event, data.message ?? data.state])).toEqual([
    ["message", "the last word"],
    ["end", "succeeded"],
  ]);
  expect(stream.ended).toBe(true);
  const resumed = await open(t, `${TASKS}/${id}/logs?follow=1`, { "last-event-id": "404" });
  t.clock.advance(500);
  await resumed.settle();
  expect(resumed.events.map(({ data }) => data.message ?? data.state)).toEqual([
    "line 405",
    "the last word",
    "succeeded",
  ]);
  // Narrowed, each line keeps its number, so that a stream that is opened again goes on behind it.
  const narrowed = await open(t, `${TASKS}/${id}/logs?follow=1&level=info&q=line%2040`, { "last-event-id": "402" });
  t.clock.advance(500);
  await narrowed.settle();
  expect(narrowed.events.map(({ id, data }) => [id, data.message ?? data.state])).toEqual([
    ["403", "line 403"],
    ["404", "line 404"],
    ["405", "line 405"],
    [null, "succeeded"],
  ]);
  const pages = await t.call("GET", `${TASKS}/${id}/logs?pageSize=200`);
  expect(pages.body.logs).toHaveLength(200);
  const second = await t.call("GET", `${TASKS}/${id}/logs?pageSize=200&pageToken=${pages.body.nextPageToken}`);
  expect(second.body.logs[0].message).toBe("line 201");
});

test("a log of no task is a 404, not a stream", async () => {
  const answer = await t.call("GET", `${TASKS}/task_0000000000001/logs?follow=1`);
  expect([answer.status, answer.body.code]).toEqual([404, "task_not_found"]);
});

test("waiting for a task answers when it is final, or with what it is when time is up", async () => {
  const { id } = (await t.call("POST", TASKS, { type: "a" })).body;
  const waiting = t.call("GET", `${TASKS}/${id}?wait=30s`);
  await new Promise(setImmediate);
  await finish(t, "succeeded");
  expect((await waiting).body).toMatchObject({ state: "succeeded", result: "done", latenessMs: 0 });
  const other = (await t.call("POST", TASKS, { type: "a" })).body.id;
  let answered = false;
  const patient = t.call("GET", `${TASKS}/${other}?wait=2s`).finally(() => {
    answered = true;
  });
  for (let step = 0; step < 3; step++) {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    expect(answered).toBe(false);
    t.clock.advance(step < 2 ? 999 : 2);
  }
  expect((await patient).body.state).toBe("queued");
});

test("a waiting request is answered when the node begins to leave", async () => {
  const { id } = (await t.call("POST", TASKS, { type: "a", delay: "1h" })).body;
  const waiting = t.call("GET", `${TASKS}/${id}?wait=60s`);
  await new Promise(setImmediate);
  t.drain();
  expect((await waiting).body.state).toBe("scheduled");
});
