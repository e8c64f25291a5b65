import type { Hint, Hints } from "../store.ts";
import type { MemoryDatabase } from "./database.ts";

/** One store's end of the line between the stores of a database. Hints arrive a moment later, and never at their sender. */
export function createMemoryHints(database: MemoryDatabase): Hints & { close(): void } {
  const owner = {};
  return {
    publish(hint) {
      queueMicrotask(() => {
        for (const subscription of [...database.listeners]) {
          if (subscription.owner !== owner) subscription.listener(hint);
        }
      });
    },
    subscribe(listener) {
      const subscription = { owner, listener: (hint: Hint) => listener(hint) };
      database.listeners.add(subscription);
      return () => database.listeners.delete(subscription);
    },
    close() {
      for (const subscription of database.listeners) {
        if (subscription.owner === owner) database.listeners.delete(subscription);
      }
    },
  };
}
