/** Who tells ends on, within one process. */
import type { Endings } from "./store.ts";

interface Notices extends Endings {
  noted(): void;
  /** When that is done, if it may have ended something. */
  after<T>(verb: Promise<T>, ended?: (answer: T) => boolean): Promise<T>;
}

export function createEndings(): Notices {
  const listeners = new Set<() => void>();
  const noted = () => {
    for (const listener of listeners) listener();
  };
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    noted,
    async after(verb, ended = () => true) {
      const answer = await verb;
      if (ended(answer)) noted();
      return answer;
    },
  };
}
