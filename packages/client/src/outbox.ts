export interface Outbox<T> extends AsyncIterable<T> {
  push(item: T): void;
  /** What was pushed before is still delivered. */
  end(): void;
}

/** An async iterable that is pushed into, for one reader. Its users bound what they push: a worker holds so many tasks at once. */
export function outbox<T>(): Outbox<T> {
  const items: T[] = [];
  let ended = false;
  let wake: (() => void) | null = null;
  const notify = () => {
    wake?.();
    wake = null;
  };
  return {
    push(item) {
      if (ended) return;
      items.push(item);
      notify();
    },
    end() {
      ended = true;
      notify();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (items.length > 0) yield items.shift() as T;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
