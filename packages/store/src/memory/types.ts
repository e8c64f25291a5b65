import type { TypeDeclaration } from "../store.ts";
import type { MemoryDatabase } from "./database.ts";

export function declareTypes(database: MemoryDatabase, namespace: string, types: TypeDeclaration[], now: number): void {
  let declared = database.types.get(namespace);
  if (!declared) database.types.set(namespace, (declared = new Map()));
  for (const type of types) declared.set(type.type, { ...type, declaredAt: now });
}

export function types(database: MemoryDatabase, namespace: string): (TypeDeclaration & { declaredAt: number })[] {
  return [...(database.types.get(namespace)?.values() ?? [])].sort((a, b) => (a.type < b.type ? -1 : 1));
}
