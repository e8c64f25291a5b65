import { formatDuration } from "../format/duration.ts";
import { useNow } from "../services/clock.ts";
import type { Task } from "../services/tasks.ts";
import { LATE_MS, LatenessValue } from "./lateness.tsx";
import { PreciseTime } from "./time.tsx";

/** From due to done: the waiting and the running part to scale, and underneath the instants themselves. */
export function Timing({ task, scheduleZone }: { task: Task; scheduleZone: string | null }) {
  return (
    <section className="card" aria-label="Timing">
      <Bar task={task} />
      <dl className="grid gap-x-8 gap-y-3 p-4 sm:grid-cols-2">
        <Moment name="Created" at={task.createdAt} scheduleZone={scheduleZone} none="–" />
        <Moment name="Due" at={task.dueAt} scheduleZone={scheduleZone} none="–" />
        <Moment name="Started" at={task.startedAt} scheduleZone={scheduleZone} none="not yet" />
        <Moment name="Finished" at={task.finishedAt} scheduleZone={scheduleZone} none="not yet" />
      </dl>
    </section>
  );
}

function Moment({
  name,
  at,
  scheduleZone,
  none,
}: {
  name: string;
  at: string | null;
  scheduleZone: string | null;
  none: string;
}) {
  return (
    <div>
      <dt className="text-xs text-muted">{name}</dt>
      <dd>
        {at === null ? <span className="text-muted">{none}</span> : <PreciseTime at={at} scheduleZone={scheduleZone} />}
      </dd>
    </div>
  );
}

function Bar({ task }: { task: Task }) {
  const now = useNow();
  if (task.startedAt === null) return null;
  const startedAt = Date.parse(task.startedAt);
  const endedAt = task.finishedAt === null ? now : Date.parse(task.finishedAt);
  const waitedMs = task.latenessMs ?? 0;
  const ranMs = Math.max(0, endedAt - startedAt);
  const lateColour = waitedMs >= LATE_MS ? "bg-warn" : "bg-field";
  const colour = task.state === "succeeded" ? "bg-good" : task.state === "failed" ? "bg-bad" : "bg-accent-solid";
  return (
    <div className="border-b border-line p-4">
      <div className="flex h-2.5 gap-0.5 overflow-hidden rounded-full" aria-hidden="true">
        <div className={`min-w-1 ${lateColour}`} style={{ flexGrow: waitedMs }} />
        <div className={`min-w-1 ${colour}`} style={{ flexGrow: ranMs }} />
      </div>
      <p className="mt-2 flex flex-wrap justify-between gap-x-4 text-xs text-muted">
        <span>
          <span className={`mr-1.5 inline-block size-2 rounded-full ${lateColour}`} aria-hidden="true" />
          Lateness <LatenessValue ms={waitedMs} />
        </span>
        <span>
          <span className={`mr-1.5 inline-block size-2 rounded-full ${colour}`} aria-hidden="true" />
          {task.finishedAt === null && task.state === "running" ? "Running for " : "Ran for "}
          <span className="tabular-nums">{formatDuration(ranMs)}</span>
        </span>
      </p>
    </div>
  );
}
