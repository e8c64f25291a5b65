/** Why a schedule fired as it did at an instant, or what will happen then. */
import { explainFire, nextFireAt } from "@carillon/core";
import type { Fire } from "@carillon/store";
import type { ExplainScheduleQuery, ExplanationAnswer } from "../http/schemas/outlook.ts";
import type { Deps } from "./deps.ts";
import { toExplain } from "./explain-task.ts";
import { toExplanationAnswer } from "./explanation-answer.ts";
import { findSchedule } from "./schedules.ts";

export async function explainSchedule(
  deps: Deps,
  namespace: string,
  name: string,
  query: ExplainScheduleQuery,
): Promise<ExplanationAnswer> {
  const { definition, ...schedule } = await findSchedule(deps, namespace, name);
  const { rule, catchUp, overlap } = definition;
  const now = deps.clock.now();
  const at = query.at ?? (rule.delay === undefined ? nextFireAt(rule, now, schedule.calendars) : schedule.nextFireAt);
  const fire = at === null ? null : await readFire(deps, schedule.id, at);
  const task = fire?.task ? await deps.store.getTask(namespace, fire.task.id) : null;
  const explanation = explainFire({
    now,
    at,
    schedule: { ...schedule, rule, catchUp, overlap },
    fire,
    task: task && toExplain(task, now),
    downtime: fire && (fire.outcome === "missed" || fire.caughtUp) ? await downtimeAt(deps, fire.fireAt) : null,
  });
  return toExplanationAnswer(explanation);
}

async function readFire({ store }: Deps, schedule: bigint, at: number): Promise<Fire | null> {
  const { items } = await store.listFires(schedule, { from: at, to: at + 1, pageSize: 1, after: null });
  return items[0] ?? null;
}

async function downtimeAt({ store }: Deps, at: number): Promise<{ from: number; until: number } | null> {
  return (await store.downtimes(at)).find(({ from, until }) => from < at && at < until) ?? null;
}
