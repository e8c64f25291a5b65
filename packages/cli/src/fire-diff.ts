/** Which fires an edit of a schedule adds, removes and moves: the previews of the old and the new rule side by side. */

export interface ShownFire {
  /** An instant of one form, so that texts sort as instants do. */
  at: string;
  local: string;
}

export interface FireDiff {
  added: ShownFire[];
  removed: ShownFire[];
  moved: { from: ShownFire; to: ShownFire }[];
  kept: number;
}

/**
 * Both in order. Between two fires that stay, as many that go as come are moved, each to the one at its place; otherwise they are removed
 * and added.
 */
export function diffFires(before: readonly ShownFire[], after: readonly ShownFire[]): FireDiff {
  const diff: FireDiff = { added: [], removed: [], moved: [], kept: 0 };
  const old = new Set(before.map(({ at }) => at));
  const stays = after.filter(({ at }) => old.has(at)).map(({ at }) => at);
  const [gone, come] = [before, after].map((fires) => fires.filter(({ at }) => !stays.includes(at)));
  let start = "";
  for (const end of [...stays, "~"]) {
    const removed = gone!.filter(({ at }) => at > start && at < end);
    const added = come!.filter(({ at }) => at > start && at < end);
    if (removed.length === added.length) {
      diff.moved.push(...removed.map((from, index) => ({ from, to: added[index]! })));
    } else {
      diff.removed.push(...removed);
      diff.added.push(...added);
    }
    start = end;
  }
  return { ...diff, kept: stays.length };
}

/** Up to the same instant: where a list was cut at `count` fires, nothing is known of what follows. */
export function comparable(
  before: readonly ShownFire[],
  after: readonly ShownFire[],
  { count, until }: { count: number; until: string },
): { before: ShownFire[]; after: ShownFire[]; until: string } {
  const ends = [before, after].filter(({ length }) => length >= count).map((fires) => fires.at(-1)!.at);
  const end = [until, ...ends].sort()[0]!;
  const within = (fires: readonly ShownFire[]) => fires.filter(({ at }) => at <= end);
  return { before: within(before), after: within(after), until: end };
}
