import type { TypeDeclaration } from "../store.ts";
import type { Db, Statement } from "./db.ts";
import { instant, ms } from "./records.ts";

/** The latest declaration of a type counts, whoever made it. */
export async function declareTypes(db: Db, namespace: string, types: TypeDeclaration[], now: number): Promise<void> {
  const latest = new Map(types.map(({ type, queue, policy }) => [type, JSON.stringify({ queue, policy })]));
  if (latest.size === 0) return;
  await db.query(declare, [namespace, [...latest.keys()], [...latest.values()], now]);
}

export async function types(db: Db, namespace: string): Promise<(TypeDeclaration & { declaredAt: number })[]> {
  const rows = await db.query<[type: string, declaration: string, declaredAt: number]>(selectTypes, [namespace]);
  return rows.map(([type, declaration, declaredAt]) => ({ type, ...JSON.parse(declaration), declaredAt }));
}

/** In one order for all, so that workers that say hello together never wait for each other in a circle. */
const declare: Statement = {
  name: "declare_types",
  text: `
insert into task_type (namespace, type, declaration, declared_at)
select $1, type, declaration::jsonb, ${instant("$4")}
  from unnest($2::text[], $3::text[]) as declared (type, declaration)
 order by type
on conflict (namespace, type) do update set declaration = excluded.declaration, declared_at = excluded.declared_at`,
};

const selectTypes: Statement = {
  name: "select_types",
  text: `select type, declaration, ${ms("declared_at")} from task_type where namespace = $1 order by type`,
};
