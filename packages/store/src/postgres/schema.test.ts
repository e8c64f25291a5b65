import { readFileSync } from "node:fs";
import { finalStates, liveStates, type StoredState, transition, transitions } from "@carillon/core";
import { expect, test } from "vitest";
import { setup } from "./test-setup.ts";

const states = Object.keys(transitions) as StoredState[];

/** `state event nextState` of every transition. */
const inCode = Object.entries(transitions)
  .flatMap(([state, events]) => Object.entries(events).map(([event, next]) => `${state} ${event} ${next}`))
  .sort();

test("the database knows exactly the states of the state table", async () => {
  await using t = await setup();
  const rows = await t.sql<{ state: string }>("select unnest(enum_range(null::task_state))::text as state");
  expect(rows.map((row) => row.state)).toEqual(states);
});

test("live states belong to task, final ones to archive, and exactly held tasks have a session", async () => {
  await using t = await setup();
  await t.insert(t.newTask());
  const [{ lane_id, policy_id }] = (await t.sql("select lane_id, policy_id from task")) as [Record<string, number>];
  /** Whether a row with this state, and a session or none, is accepted. */
  async function accepts(table: "task" | "archive", state: StoredState, session: number | null): Promise<boolean> {
    const also =
      table === "task"
        ? ["band", "2"]
        : ["finished_at, token, attempt, failures, lost, blobs, trigger", "'2026-07-15', 1, 1, 0, 0, 0, 'api'"];
    try {
      await t.sql("begin");
      if (table === "archive")
        await t.sql("create table archive_all partition of archive for values from (minvalue) to (maxvalue)");
      await t.sql(
        `insert into ${table} (id, due_at, lane_id, policy_id, state, priority, namespace, session, ${also[0]})
         values (1, '2026-07-15', $1, $2, $3, 5, 'default', $4, ${also[1]})`,
        [lane_id, policy_id, state, session],
      );
      return true;
    } catch (error) {
      if ((error as { code?: string }).code !== "23514") throw error; // anything but a check
      return false;
    } finally {
      await t.sql("rollback");
    }
  }
  for (const state of states) {
    const live = (liveStates as readonly string[]).includes(state);
    // A task is held from its claim until something returns or ends it.
    const held = transition(state, "giveBack") !== null;
    expect([state, await accepts("task", state, null)]).toEqual([state, live && !held]);
    expect([state, await accepts("task", state, 1)]).toEqual([state, held]);
    expect([state, await accepts("archive", state, null)]).toEqual([
      state,
      (finalStates as readonly string[]).includes(state),
    ]);
  }
});

test("the diagram in the documentation shows the state table, no more and no less", () => {
  const page = readFileSync(new URL("../../../../docs/internals/task-states.md", import.meta.url), "utf8");
  const diagram = page.match(/```mermaid\nstateDiagram-v2\n(.*?)```/s)![1]!;
  const lines = diagram
    .trim()
    .split("\n")
    .map((line) => line.trim());
  const shown = lines
    .filter((line) => !line.includes("[*]"))
    .flatMap((line) => {
      const [, from, to, events] = line.match(/^(\w+) --> (\w+): ([\w, ]+)$/)!;
      return events!.split(", ").map((event) => `${from} ${event} ${to}`);
    });
  expect(shown.sort()).toEqual(inCode);
  const ends = lines.filter((line) => line.endsWith("--> [*]")).map((line) => line.split(" ")[0]);
  expect(ends).toEqual(states.filter((state) => Object.keys(transitions[state]).length === 0));
  for (const state of states) expect(page.split("```")[2]).toContain(`\`${state}\``);
});
