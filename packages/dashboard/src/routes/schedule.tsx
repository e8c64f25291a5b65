import { useQuery } from "@tanstack/react-query";
import { createRoute, Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useActionFailure } from "../components/action-failure.ts";
import { CopyButton } from "../components/copy-button.tsx";
import { EmptyState, LoadingRows } from "../components/empty-state.tsx";
import { Fact, Facts } from "../components/facts.tsx";
import { NextFires, PastFires } from "../components/fires.tsx";
import { Icon } from "../components/icons.tsx";
import { JsonView } from "../components/json-view.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { ScheduleActions } from "../components/schedule-actions.tsx";
import { ScheduleFigures } from "../components/schedule-figures.tsx";
import { StateBadge } from "../components/state-badge.tsx";
import { Time } from "../components/time.tsx";
import { curlCommand } from "../format/shell.ts";
import { isNotFound } from "../services/problem.ts";
import { definitionOf, type RuleSource, type Schedule, schedulePath, scheduleQuery } from "../services/schedules.ts";
import { rootRoute } from "./root.tsx";

export const scheduleRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/schedules/$name",
  component: SchedulePage,
});

function SchedulePage() {
  const { name } = scheduleRoute.useParams();
  const schedule = useQuery(scheduleQuery(name));
  const above = (
    <Link to="/schedules" className="link mb-2 inline-flex min-h-6 items-center gap-1 text-xs">
      <Icon name="back" className="size-3.5" />
      Schedules
    </Link>
  );
  // Deleted while it was looked at: what was read before is no longer so.
  const gone = isNotFound(schedule.error);
  const stale = schedule.error && <ProblemNotice error={schedule.error} onRetry={() => void schedule.refetch()} />;
  if (schedule.data && !gone) return <ScheduleDetail key={name} schedule={schedule.data} above={above} stale={stale} />;
  return (
    <Page title="Schedule" tabTitle="Schedule" above={above}>
      <div className="card">
        {schedule.isPending ? (
          <LoadingRows />
        ) : gone ? (
          <EmptyState
            title="There is no such schedule"
            action={
              <Link to="/schedules" className="button">
                Go to schedules
              </Link>
            }
          >
            It may have been deleted.
          </EmptyState>
        ) : (
          stale
        )}
      </div>
    </Page>
  );
}

interface ScheduleDetailProps {
  schedule: Schedule;
  above: ReactNode;
  /** Why what is shown could not be read again. */
  stale: ReactNode;
}

function ScheduleDetail({ schedule, above, stale }: ScheduleDetailProps) {
  const navigate = scheduleRoute.useNavigate();
  const [failure, reportFailure] = useActionFailure();
  const [triggered, setTriggered] = useState<string | null>(null);
  const definition = definitionOf(schedule);

  return (
    <Page
      above={above}
      tabTitle={schedule.name}
      title={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          {schedule.name}
          <StateBadge state={schedule.paused ? "paused" : "active"} />
        </span>
      }
      subtitle={schedule.words}
      actions={
        <>
          <ScheduleActions
            schedule={schedule}
            onFailure={reportFailure}
            onTriggered={setTriggered}
            onDeleted={() => void navigate({ to: "/schedules", search: {} })}
          />
          <CopyButton
            visible
            label="Copy as curl"
            text={curlCommand("PUT", `${location.origin}/api/v1${schedulePath(schedule.name)}`, definition)}
          />
        </>
      }
    >
      <div className="space-y-4">
        {stale}
        {failure && <ProblemNotice error={failure.error} onRetry={failure.retry} />}
        <div aria-live="polite" className="empty:hidden">
          {triggered !== null && (
            <p className="rounded-lg bg-good-soft px-4 py-2.5">
              Triggered:{" "}
              <Link to="/tasks/$id" params={{ id: triggered }} className="link">
                see the task
              </Link>
            </p>
          )}
        </div>
        <ScheduleFacts schedule={schedule} />
        <ScheduleFigures schedule={schedule} />
        <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
          <NextFires schedule={schedule} />
          <PastFires schedule={schedule} />
        </div>
        <section className="card" aria-label="Definition">
          <h2 className="border-b border-line px-4 py-2.5">Definition</h2>
          <JsonView value={definition} label="definition" />
        </section>
      </div>
    </Page>
  );
}

function ScheduleFacts({ schedule }: { schedule: Schedule }) {
  return (
    <Facts>
      <Fact name="Next fire">
        {schedule.nextFireAt === null ? (
          schedule.paused ? (
            "none while paused"
          ) : (
            "never again"
          )
        ) : (
          <Time at={schedule.nextFireAt} scheduleZone={schedule.timeZone} />
        )}
      </Fact>
      {schedule.pause && (
        <Fact name="Paused">
          since <Time at={schedule.pause.at} scheduleZone={schedule.timeZone} />
          {schedule.pause.until !== null && (
            <>
              {" "}
              until <Time at={schedule.pause.until} scheduleZone={schedule.timeZone} />
            </>
          )}
          {schedule.pause.by !== null && <span className="wrap-anywhere"> by {schedule.pause.by}</span>}
          {schedule.pause.reason !== null && <span className="wrap-anywhere">: {schedule.pause.reason}</span>}
        </Fact>
      )}
      <Fact name="Last fire">
        {schedule.lastFireAt === null ? "none yet" : <Time at={schedule.lastFireAt} scheduleZone={schedule.timeZone} />}
      </Fact>
      <Fact name="Rule">
        {(schedule.rules ?? [schedule]).map(ruleText).map((text) => (
          <div key={text}>
            <code className="code">{text}</code>
          </div>
        ))}
        <div className="text-xs text-muted">{schedule.timeZone}</div>
      </Fact>
      <Fact name="Last result">
        {schedule.lastTask === null ? (
          "none yet"
        ) : (
          <Link to="/tasks/$id" params={{ id: schedule.lastTask.id }} className="hover:underline">
            <StateBadge state={schedule.lastTask.state} />
          </Link>
        )}
      </Fact>
      <Fact name="Tasks">
        <Link to="/tasks" search={{ schedule: schedule.name }} className="link">
          {schedule.task.type}
        </Link>
      </Fact>
    </Facts>
  );
}

function ruleText({ cron, every, rrule, at }: RuleSource): string {
  if (every) return typeof every === "object" ? `${every.interval} after the end` : `every ${every}`;
  return cron ?? rrule ?? `once at ${at}`;
}
