import fc from "fast-check";
import { expect, test } from "vitest";
import {
  finalStates,
  isFinal,
  liveStates,
  publicState,
  publicStates,
  type StoredState,
  type TaskEvent,
  transition,
  transitions,
} from "./states.ts";

const states = Object.keys(transitions) as StoredState[];

/** What each event makes of each state, written out; a dot: cannot happen. */
const table = `
            blocked    pending    waiting    claimed    running    succeeded  failed     cancelled  skipped
unblock     pending    .          .          .          .          .          .          .          .
claim       .          claimed    .          .          .          .          .          .          .
park        .          waiting    .          .          .          .          .          .          .
release     .          .          pending    .          .          .          .          .          .
start       .          .          .          running    .          .          .          .          .
giveBack    .          .          .          pending    pending    .          .          .          .
takeBack    .          .          .          pending    pending    .          .          .          .
retry       .          .          .          pending    pending    .          .          .          .
lose        .          .          .          pending    pending    .          .          .          .
succeed     .          .          .          succeeded  succeeded  .          .          .          .
fail        .          .          .          failed     failed     .          .          .          .
quarantine  .          .          .          failed     failed     .          .          .          .
expire      failed     failed     failed     .          .          .          .          .          .
cancel      cancelled  cancelled  cancelled  cancelled  cancelled  .          .          .          .
skip        skipped    skipped    skipped    skipped    skipped    .          .          .          .
redrive     .          .          .          .          .          .          pending    pending    pending
block       .          .          .          .          .          .          blocked    blocked    blocked`;

const [columns, ...rows] = table
  .trim()
  .split("\n")
  .map((line) => line.trim().split(/\s+/)) as [string[], ...string[][]];
const events = rows.map(([event]) => event as TaskEvent);

test("every event does to every state what the table says", () => {
  expect([...columns].sort()).toEqual([...states].sort());
  expect([...events].sort()).toEqual(
    [...new Set(Object.values(transitions).flatMap((row) => Object.keys(row)))].sort(),
  );
  for (const [event, ...after] of rows) {
    for (const [index, state] of columns.entries()) {
      const next = transition(state as StoredState, event as TaskEvent);
      expect(`${state} ${event}: ${next ?? "."}`).toBe(`${state} ${event}: ${after[index]}`);
    }
  }
});

test("states are either live or final, and only a redrive leaves a final one", () => {
  expect([...liveStates, ...finalStates].sort()).toEqual([...states].sort());
  for (const state of states) {
    expect(isFinal(state)).toBe(!(liveStates as readonly string[]).includes(state));
    const leaving = events.filter((event) => transition(state, event) !== null);
    if (isFinal(state)) expect(leaving).toEqual(state === "succeeded" ? [] : ["redrive", "block"]);
    else expect(leaving).toContain("cancel");
  }
});

test("whatever happens, an attempt begins with a claim and ends in pending or for good", () => {
  const anyEvents = fc.array(fc.constantFrom(...events), { maxLength: 40 });
  fc.assert(
    fc.property(fc.constantFrom<StoredState>("pending", "blocked"), anyEvents, (born, happened) => {
      let state = born;
      for (const event of happened) {
        const next = transition(state, event);
        if (next === null) continue;
        const held = (some: StoredState) => some === "claimed" || some === "running";
        if (held(next) && !held(state)) expect([event, state]).toEqual(["claim", "pending"]);
        if (held(state) && !held(next)) expect(["pending", ...finalStates]).toContain(next);
        state = next;
      }
    }),
  );
});

test("people read what a task waits for, not how it is stored", () => {
  const now = 1_000;
  const cases: [StoredState, { dueAt: number; failures: number }, string][] = [
    ["pending", { dueAt: now + 1, failures: 0 }, "scheduled"],
    ["pending", { dueAt: now, failures: 0 }, "queued"],
    ["pending", { dueAt: now + 1, failures: 1 }, "retrying"],
    ["pending", { dueAt: now, failures: 1 }, "retrying"],
    ["waiting", { dueAt: now, failures: 0 }, "queued"],
    ["claimed", { dueAt: now + 1, failures: 0 }, "scheduled"],
    ["claimed", { dueAt: now, failures: 0 }, "queued"],
    ["claimed", { dueAt: now, failures: 2 }, "retrying"],
    ["running", { dueAt: now, failures: 2 }, "running"],
    ["blocked", { dueAt: now + 1, failures: 0 }, "blocked"],
    ["failed", { dueAt: now, failures: 5 }, "failed"],
    ["succeeded", { dueAt: now + 1, failures: 1 }, "succeeded"],
  ];
  for (const [state, task, read] of cases) expect(publicState({ state, ...task }, now)).toBe(read);
  for (const state of states) expect(publicStates).toContain(publicState({ state, dueAt: now, failures: 0 }, now));
});
