/** What becomes of a fire whose schedule still has tasks that are not final: decided at the instant at which its task is due. */

export const overlapPolicies = ["allow", "skip", "queue-one", "queue-all", "cancel-previous"] as const;
export type OverlapPolicy = (typeof overlapPolicies)[number];

/** What waits at a schedule's gate, and what it waits for. */
export interface OverlapSituation<Task> {
  /** The schedule has a task that is not final and does not wait here. */
  occupied: boolean;
  /** Tasks that are due, in the order of their fires. */
  due: readonly Task[];
  /** There are more, with later fires; the gate is looked at again at once. */
  more: boolean;
}

export interface OverlapDecision<Task> {
  /** May be claimed now. */
  run: Task[];
  /** Their fires end as skipped, and they never run. */
  skip: Task[];
  /** Wait until the schedule's other tasks are final. */
  wait: Task[];
}

/**
 * At most one of them runs, unless all may. Of those that meet a running one, `queue-one` keeps the first and `cancel-previous` the last;
 * whoever carries that out asks what runs to cancel first.
 */
export function decideOverlap<Task>(
  policy: OverlapPolicy,
  { occupied, due, more }: OverlapSituation<Task>,
): OverlapDecision<Task> {
  const [first, ...others] = due;
  if (first === undefined) return { run: [], skip: [], wait: [] };
  switch (policy) {
    case "allow":
      return { run: [...due], skip: [], wait: [] };
    case "skip":
      return occupied ? { run: [], skip: [...due], wait: [] } : { run: [first], skip: others, wait: [] };
    case "queue-one":
      return occupied
        ? { run: [], skip: others, wait: [first] }
        : { run: [first], skip: others.slice(1), wait: others.slice(0, 1) };
    case "queue-all":
      return occupied ? { run: [], skip: [], wait: [...due] } : { run: [first], skip: [], wait: others };
    case "cancel-previous": {
      const last = due.slice(-1);
      const skip = due.slice(0, -1);
      return occupied || more ? { run: [], skip, wait: last } : { run: last, skip, wait: [] };
    }
  }
}

/** Of a fire that this policy skipped, and of a task that it cancelled. */
export const overlapReason = (policy: OverlapPolicy): string => `overlap:${policy}`;
