/** The database as a process sees it: every call takes time both ways, and its answer finds the process alive, stopped, or not at all. */
import type { Clock } from "@carillon/core";
import type { ClaimedTask, Faults, MemoryDatabase, Store } from "@carillon/store";
import { createMemoryStore, withFaults } from "@carillon/store";
import type { JournalLine } from "../history.ts";
import type { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

const LATENCY_MS = 0.1;
const JITTER_MS = 1.5;

/** A bug, planted between the node and its database. */
export type Mutation = (store: Store, database: MemoryDatabase) => Store;

export function simulatedStore(
  process: SimulatedProcess,
  { clock, random, database, journal }: World,
  { faults, mutate }: { faults: Faults; mutate: Mutation | null },
): Store {
  const own = createMemoryStore(database);
  const mutated = mutate ? mutate(own, database) : own;
  const unreliable = withFaults(
    journaled(mutated, database, clock, (line) => journal.push(line)),
    faults,
  );
  const travel = () => new Promise<void>((resolve) => void clock.after(LATENCY_MS + random() * JITTER_MS, resolve));
  process.onExit(() => void own.close());
  return new Proxy(unreliable, {
    get(target, name) {
      const verb: unknown = Reflect.get(target, name);
      if (name === "hints") return hintsOf(process, target);
      if (typeof verb !== "function" || name === "close") return verb;
      return async (...given: unknown[]) => {
        await travel();
        const outcome = await settled(verb.apply(target, given) as Promise<unknown>);
        await travel();
        await new Promise<void>((resolve) => process.run(resolve));
        return outcome();
      };
    },
  });
}

/** What the database did, whether or not anybody learns it. */
function journaled(
  store: Store,
  { leases, tasks }: MemoryDatabase,
  clock: Clock,
  write: (line: JournalLine) => void,
): Store {
  const claimed = (tasks: ClaimedTask[]) => {
    for (const { id, token } of tasks)
      write({ kind: "claimed", task: String(id), token: String(token), at: clock.now() });
    return tasks;
  };
  const freed = ({ id, token }: { id: bigint; token: bigint }) =>
    write({ kind: "freed", task: String(id), token: String(token), at: clock.now() });
  return {
    ...store,
    claim: async (request) => claimed(await store.claim(request)),
    async claimLimited(request) {
      const answer = await store.claimLimited(request);
      claimed(answer.claimed);
      return answer;
    },
    async giveBack(session, refs) {
      const given = new Set(await store.giveBack(session, refs));
      for (const ref of refs) if (given.has(ref.id)) freed(ref);
      return given.size === 0 ? [] : [...given];
    },
    async takeBack(session, request) {
      const held = [...(leases.get(session) ?? [])].map((id) => ({ id, token: tasks.get(id)!.token }));
      const count = await store.takeBack(session, request);
      for (const ref of held) if (!leases.get(session)?.has(ref.id)) freed(ref);
      return count;
    },
    async createTasks(tasks, options) {
      const answer = await store.createTasks(tasks, options);
      if (answer.kind === "created") claimed(answer.claimed);
      return answer;
    },
    async recordOutcomes(outcomes) {
      const accepted = await store.recordOutcomes(outcomes);
      for (const [index, { id, token, decision }] of outcomes.entries()) {
        if (!accepted[index]) continue;
        freed({ id, token });
        if (decision.kind !== "final") continue;
        const { state } = decision;
        write({ kind: "recorded", task: String(id), token: String(token), state, at: clock.now() });
      }
      return accepted;
    },
  };
}

function hintsOf(process: SimulatedProcess, store: Store): Store["hints"] {
  return {
    publish: (hint) => store.hints.publish(hint),
    subscribe: (listener) => store.hints.subscribe((hint) => process.run(() => listener(hint))),
  };
}

async function settled(answer: Promise<unknown>): Promise<() => unknown> {
  return answer.then(
    (value) => () => value,
    (error: unknown) => () => {
      throw error;
    },
  );
}
