/** Most of the time nothing is due. To look takes one statement, where a transaction takes three. */
import type { Db, Statement } from "./db.ts";

/** Does `work` in a transaction if the statement finds a row, which may be gone by then; else null. */
export async function whenAny<T>(
  db: Db,
  any: Statement,
  values: unknown[],
  work: (tx: Db) => Promise<T>,
): Promise<T | null> {
  const found = await db.query(any, values);
  return found.length === 0 ? null : db.transaction(work);
}
