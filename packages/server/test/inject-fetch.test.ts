/** The client inside a node: the same calls as over the network. */
import { Carillon } from "@carillon/client";
import { expect, onTestFinished, test } from "vitest";
import { injectFetch } from "../src/inject-fetch.ts";
import { startApp } from "./http/setup.ts";

async function setup() {
  const t = await startApp();
  onTestFinished(() => t.close());
  return { ...t, carillon: new Carillon({ url: "http://localhost", fetch: injectFetch(t.app) }) };
}

test("calls are answered as over the network, refusals included", async () => {
  const { carillon } = await setup();
  const handle = await carillon.tasks.create("t", { n: 1 }, { delay: "1h", uniqueKey: "k" });
  expect(handle.created).toBe(true);
  expect((await carillon.tasks.create("t", {}, { uniqueKey: "k" })).created).toBe(false);
  expect(await handle.get()).toMatchObject({ type: "t", payload: { n: 1 }, state: "scheduled" });
  await expect(carillon.tasks.create("not a name")).rejects.toMatchObject({
    code: "invalid_request",
    errors: [expect.objectContaining({ pointer: "/type" })],
  });
  await expect(carillon.tasks.get("task_none")).rejects.toMatchObject({ code: "task_not_found" });
  expect(await handle.cancel({ reason: "no" })).toMatchObject({ state: "cancelled", reason: "no" });
  await carillon.tasks.delete(handle.id);
  await expect(handle.get()).rejects.toMatchObject({ code: "task_not_found" });
  expect(await carillon.ready()).toBe(true);
});

test("every item of a list is found over its pages", async () => {
  const { carillon, clock } = await setup();
  const created: string[] = [];
  for (let i = 0; i < 7; i++) {
    created.push((await carillon.tasks.create("t", i)).id);
    clock.advance(10);
  }
  const listed: string[] = [];
  for await (const task of carillon.tasks.listAll({ pageSize: 3 })) listed.push(task.id);
  expect(listed).toEqual(created.reverse());
});

test("a signal ends a waiting call", async () => {
  const { carillon } = await setup();
  const handle = await carillon.tasks.create("t", {}, { delay: "1h" });
  const stop = new AbortController();
  const reason = new Error("enough");
  const waiting = handle.result({ signal: stop.signal });
  setImmediate(() => stop.abort(reason));
  await expect(waiting).rejects.toBe(reason);
});

test("changes are followed, and leaving ends the stream at the node", async () => {
  const { carillon, clock, deps } = await setup();
  let subscribers = 0;
  const { subscribe } = deps.feed;
  deps.feed.subscribe = (...args) => {
    subscribers++;
    const stop = subscribe(...args);
    return () => {
      subscribers--;
      stop();
    };
  };
  const events = carillon.events({ topics: ["tasks"] });
  expect(await events.next()).toMatchObject({ value: { kind: "reset" } });
  expect(subscribers).toBe(1);
  const next = events.next();
  const { id } = await carillon.tasks.create("t");
  clock.advance(1_000);
  expect(await next).toMatchObject({ value: { kind: "change", topic: "tasks", id } });
  await events.return(undefined);
  await new Promise((resolve) => setImmediate(resolve));
  expect(subscribers).toBe(0);

  const stop = new AbortController();
  const others = carillon.events({ signal: stop.signal });
  await others.next();
  expect(subscribers).toBe(1);
  const last = others.next();
  stop.abort();
  expect(await last).toMatchObject({ done: true });
  await new Promise((resolve) => setImmediate(resolve));
  expect(subscribers).toBe(0);
});
