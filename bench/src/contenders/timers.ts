/** No store, no queue: what timers of one process can do at best. */
import type { Contender } from "./contender.ts";

let onStart: (dueAt: number | null) => unknown = () => {};

export const timers: Contender = {
  settings: "setTimeout, one process",
  prepare: async () => {},
  async openProducer() {
    return {
      async bulk(dueAts) {
        for (const dueAt of dueAts) {
          const wait = (): void => {
            const left = (dueAt ?? 0) - (performance.timeOrigin + performance.now());
            if (left > 0) setTimeout(wait, Math.ceil(left));
            else onStart(dueAt);
          };
          wait();
        }
      },
      single: async () => void onStart(null),
      close: async () => {},
    };
  },
  async openWorker(options) {
    onStart = options.onStart;
    return { close: async () => {} };
  },
};
