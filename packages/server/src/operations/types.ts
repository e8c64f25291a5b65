/** What workers last declared for the types they run. Each create looks here, so the answer is kept for a second. */
import type { Clock } from "@carillon/core";
import type { Store, TypeDeclaration } from "@carillon/store";

export type DeclaredType = TypeDeclaration & { declaredAt: number };

/** What another node's worker declares counts here after at most so long. */
const KEPT_MS = 1_000;

export interface DeclaredTypes {
  /** By type name. */
  of(namespace: string): Promise<ReadonlyMap<string, DeclaredType>>;
  /** A worker said what it runs: counts at once on this node. */
  declare(namespace: string, types: TypeDeclaration[]): Promise<void>;
}

export function createDeclaredTypes({ store, clock }: { store: Store; clock: Clock }): DeclaredTypes {
  const kept = new Map<string, { readAt: number; types: Promise<ReadonlyMap<string, DeclaredType>> }>();
  store.hints.subscribe((hint) => {
    if (hint.types) kept.clear();
  });
  return {
    of(namespace) {
      const known = kept.get(namespace);
      const now = clock.monotonic();
      if (known && now - known.readAt < KEPT_MS) return known.types;
      const types = store
        .types(namespace)
        .then((declared): ReadonlyMap<string, DeclaredType> => new Map(declared.map((type) => [type.type, type])));
      const entry = { readAt: now, types };
      kept.set(namespace, entry);
      // A failed reading is not kept.
      types.catch(() => {
        if (kept.get(namespace) === entry) kept.delete(namespace);
      });
      return types;
    },
    async declare(namespace, types) {
      await store.declareTypes(namespace, types, clock.now());
      kept.delete(namespace);
      store.hints.publish({ types: true });
    },
  };
}
