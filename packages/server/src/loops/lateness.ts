/** Writes what this node counted of its tasks' lateness, so that any node can answer for all. Nothing waits for it. */
import type { Id } from "@carillon/core";
import type { Store } from "@carillon/store";
import type { LatenessBook } from "../lateness-book.ts";

const WRITE_MS = 5_000;

/** @param session of this node; the first one names what its process counts, so that later ones do not count it again */
export function latenessRound({
  store,
  clock,
  book,
  session,
}: {
  store: Store;
  clock: { now(): number };
  book: LatenessBook;
  session: { readonly id: Id | null };
}): () => Promise<number> {
  let writer: Id | null = null;
  return async () => {
    writer ??= session.id;
    if (writer !== null) {
      const first = writer;
      await book.write(clock.now(), (windows) => store.recordLateness(first, windows));
    }
    return WRITE_MS;
  };
}
