export interface Outbox<T> extends AsyncIterable<T> {
  /** False when so much waits already that the reader is not reading; the item is dropped. */
  push(item: T): boolean;
  /** What was pushed before is still delivered; then the iteration ends, or throws the error. */
  end(error?: Error): void;
}

/** More than a busy peer leaves unread: a worker holds so many tasks at once, and a ping is sent twice a second. */
const MAX_WAITING = 10_000;

/** An async iterable that is pushed into, for one reader. */
export function outbox<T>(maxWaiting = MAX_WAITING): Outbox<T> {
  const items: T[] = [];
  let ended: { error: Error | undefined } | null = null;
  let wake: (() => void) | null = null;
  const notify = () => {
    wake?.();
    wake = null;
  };
  return {
    push(item) {
      if (ended) return true;
      if (items.length >= maxWaiting) return false;
      items.push(item);
      notify();
      return true;
    },
    end(error) {
      ended ??= { error };
      notify();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        while (items.length > 0) yield items.shift() as T;
        if (ended?.error) throw ended.error;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
