/** Where tasks stand in the picture of their workflow: each to the right of all that it comes after. */
export interface Placed {
  key: string;
  column: number;
  row: number;
}

export function placeTasks(tasks: readonly { key: string; after: readonly string[] }[]): Placed[] {
  const byKey = new Map(tasks.map((task) => [task.key, task]));
  const columns = new Map<string, number>();
  const waiting = new Map<string, number>();
  const children = new Map<string, string[]>();
  const ready: string[] = [];
  for (const { key, after } of tasks) {
    const parents = after.filter((parent) => byKey.has(parent));
    waiting.set(key, parents.length);
    if (parents.length === 0) ready.push(key);
    for (const parent of parents) children.set(parent, [...(children.get(parent) ?? []), key]);
  }
  for (let next = 0; next < ready.length; next++) {
    const key = ready[next]!;
    const column = columns.get(key) ?? 0;
    columns.set(key, column);
    for (const child of children.get(key) ?? []) {
      columns.set(child, Math.max(columns.get(child) ?? 0, column + 1));
      waiting.set(child, waiting.get(child)! - 1);
      if (waiting.get(child) === 0) ready.push(child);
    }
  }
  const heights: number[] = [];
  return tasks.map(({ key }) => {
    const column = columns.get(key) ?? 0;
    const row = heights[column] ?? 0;
    heights[column] = row + 1;
    return { key, column, row };
  });
}
