import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { createRoute, Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { type ActionFailure, useActionFailure } from "../components/action-failure.ts";
import { ComingFires } from "../components/coming-fires.tsx";
import { type Column, DataTable } from "../components/data-table.tsx";
import { EmptyState, LoadingRows } from "../components/empty-state.tsx";
import { FilterInput } from "../components/filter-input.tsx";
import { Icon } from "../components/icons.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { ScheduleActions } from "../components/schedule-actions.tsx";
import { StateBadge } from "../components/state-badge.tsx";
import { Time } from "../components/time.tsx";
import { cliCommand, curlCommand } from "../format/shell.ts";
import { type LoadSpan, readLoadSpan } from "../services/schedule-load.ts";
import { type Schedule, schedulesQuery } from "../services/schedules.ts";
import { rootRoute } from "./root.tsx";

interface Search {
  /** Part of the name or of the task type. */
  q?: string;
  page?: string;
  /** How far ahead the coming fires are shown; an hour by default. */
  ahead?: LoadSpan;
}

export const schedulesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/schedules",
  validateSearch: (search: Record<string, unknown>): Search => ({
    ...(typeof search.q === "string" && search.q !== "" ? { q: search.q } : {}),
    ...(typeof search.page === "string" ? { page: search.page } : {}),
    ...readLoadSpan(search.ahead),
  }),
  component: SchedulesPage,
});

interface Triggered {
  name: string;
  taskId: string;
}

interface Told {
  failed: (failure: ActionFailure | null) => void;
  triggered: (triggered: Triggered | null) => void;
}

function columnsWith({ failed, triggered }: Told): Column<Schedule>[] {
  return [
    {
      id: "name",
      header: "Schedule",
      cell: ({ row: { original: schedule } }) => (
        <div className="min-w-0">
          <Link
            to="/schedules/$name"
            params={{ name: schedule.name }}
            data-row-link
            className="font-medium wrap-anywhere hover:underline"
          >
            {schedule.name}
          </Link>
          <div className="max-w-80 text-xs wrap-anywhere text-muted">
            {schedule.words} · {schedule.timeZone}
          </div>
        </div>
      ),
    },
    {
      id: "next",
      header: "Next fire",
      cell: ({ row: { original: schedule } }) =>
        schedule.paused ? (
          <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
            <StateBadge state="paused" />
            {schedule.pause && schedule.pause.until !== null && (
              <span className="text-xs text-muted">
                until <Time at={schedule.pause.until} scheduleZone={schedule.timeZone} />
              </span>
            )}
          </span>
        ) : schedule.nextFireAt === null ? (
          <span className="text-muted">never again</span>
        ) : (
          <Time at={schedule.nextFireAt} scheduleZone={schedule.timeZone} />
        ),
    },
    {
      id: "type",
      header: "Task type",
      cell: ({ row: { original: schedule } }) => <span className="wrap-anywhere">{schedule.task.type}</span>,
    },
    {
      id: "last",
      header: "Last result",
      cell: ({ row: { original: schedule } }) =>
        schedule.lastTask === null ? (
          <span className="text-muted">none yet</span>
        ) : (
          <Link to="/tasks/$id" params={{ id: schedule.lastTask.id }} className="hover:underline">
            <StateBadge state={schedule.lastTask.state} />
          </Link>
        ),
    },
    {
      id: "actions",
      header: "Actions",
      cell: ({ row: { original: schedule } }) => (
        <ScheduleActions
          compact
          schedule={schedule}
          onFailure={(failure) => {
            failed(failure);
            triggered(null);
          }}
          onTriggered={(taskId) => triggered({ name: schedule.name, taskId })}
        />
      ),
    },
  ];
}

function SchedulesPage() {
  const { page, q, ahead = "1h" } = schedulesRoute.useSearch();
  const navigate = schedulesRoute.useNavigate();
  const schedules = useQuery({ ...schedulesQuery({ text: q, pageToken: page }), placeholderData: keepPreviousData });
  const [failure, failed] = useActionFailure();
  const [triggered, setTriggered] = useState<Triggered | null>(null);
  const columns = useMemo(() => columnsWith({ failed, triggered: setTriggered }), [failed]);

  return (
    <Page
      title="Schedules"
      tabTitle="Schedules"
      actions={
        <Link to="/schedules/-/new" className="button button-primary">
          <Icon name="plus" />
          New schedule
        </Link>
      }
    >
      <search className="mb-4 block max-w-md" aria-label="Filter schedules">
        <FilterInput
          label="Search"
          placeholder="Search name or task type"
          icon={<Icon name="search" className="pointer-events-none absolute top-2 left-2.5 text-muted" />}
          shortcut="/"
          value={q}
          onCommit={(q) => void navigate({ search: q === undefined ? {} : { q }, replace: true })}
        />
      </search>
      <div aria-live="polite" className="empty:hidden">
        {triggered && (
          <p className="mb-4 rounded-lg bg-good-soft px-4 py-2.5">
            {triggered.name} was triggered:{" "}
            <Link to="/tasks/$id" params={{ id: triggered.taskId }} className="link">
              see the task
            </Link>
          </p>
        )}
      </div>
      {failure && (
        <div className="mb-4">
          <ProblemNotice error={failure.error} onRetry={failure.retry} />
        </div>
      )}
      {schedules.error && (
        <div className="mb-4">
          <ProblemNotice error={schedules.error} onRetry={() => void schedules.refetch()} />
        </div>
      )}
      {schedules.isPending ? (
        <div className="card">
          <LoadingRows />
        </div>
      ) : (
        schedules.data && (
          <>
            <div className="card overflow-x-auto">
              {schedules.data.schedules.length === 0 ? (
                q === undefined ? (
                  <NoSchedules />
                ) : (
                  <NoMatch />
                )
              ) : (
                <DataTable
                  caption="Schedules by name"
                  columns={columns}
                  rows={schedules.data.schedules}
                  rowId={({ name }) => name}
                />
              )}
            </div>
            <nav className="mt-3 flex justify-end gap-2" aria-label="Pages">
              {page && (
                <Link to="/schedules" search={q === undefined ? {} : { q }} className="button button-small">
                  First page
                </Link>
              )}
              {schedules.data.nextPageToken !== null && (
                <Link
                  to="/schedules"
                  search={(before) => ({ ...before, page: schedules.data.nextPageToken! })}
                  className="button button-small"
                >
                  Next page
                  <Icon name="arrow" className="size-3.5" />
                </Link>
              )}
            </nav>
          </>
        )
      )}
      <ComingFires
        span={ahead}
        onSpan={(ahead) => void navigate({ search: (before) => ({ ...before, ahead }), replace: true })}
      />
    </Page>
  );
}

function NoMatch() {
  return (
    <EmptyState
      title="No schedule matches"
      action={
        <Link to="/schedules" className="button">
          Clear the search
        </Link>
      }
    >
      There may be schedules, but none with this in its name or task type.
    </EmptyState>
  );
}

function NoSchedules() {
  return (
    <EmptyState
      title="No schedules yet"
      commands={[
        cliCommand(location.origin, "schedules put nightly --cron '0 2 * * *' --tz Europe/Paris --type noop"),
        curlCommand("PUT", `${location.origin}/api/v1/schedules/nightly`, {
          cron: "0 2 * * *",
          timeZone: "Europe/Paris",
          task: { type: "noop" },
        }),
      ]}
      action={
        <Link to="/schedules/-/new" className="button">
          <Icon name="plus" />
          New schedule
        </Link>
      }
    >
      A schedule is a recurring rule, a cron expression or an interval in a time zone, that creates one task each time
      it fires.
    </EmptyState>
  );
}
