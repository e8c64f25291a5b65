/** A fixed delay has no fires to be computed: what can be said of an instant that the ledger does not hold. */
import { formatDuration, parseDuration } from "./duration.ts";
import { type Explanation, reason, sentence } from "./explanation.ts";
import { formatLocal } from "./instant.ts";
import type { ScheduleRule } from "./schedule.ts";

export function explainDelayed(
  { rule, nextFireAt, paused }: { rule: ScheduleRule; nextFireAt: number | null; paused: boolean },
  at: number | null,
): Explanation {
  const delay = formatDuration(parseDuration(rule.delay!)!);
  const how = `it fires ${delay} after the task of its last fire has become final`;
  const next = nextFireAt === null ? null : formatLocal(nextFireAt, rule.timeZone);
  if (at !== null && at === nextFireAt) {
    if (paused)
      return sentence([reason("paused", `The fire of ${next} will be skipped unless the schedule is resumed.`)]);
    const message = `The fire of ${next} is expected: its task is made shortly before.`;
    return sentence([reason("expected", message, { until: at })]);
  }
  const first =
    at === null
      ? reason("after_end", `When it fires next is not known yet: ${how}.`)
      : reason("after_end", `It does not fire at ${formatLocal(at, rule.timeZone)}: ${how}.`);
  if (nextFireAt === null) return sentence([first]);
  return sentence([first, reason("next_fire", `The next one is that of ${next}.`, { until: nextFireAt })]);
}
