import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { createRoute, Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { useActionFailure } from "../components/action-failure.ts";
import { BulkActions } from "../components/bulk-actions.tsx";
import { type Column, DataTable } from "../components/data-table.tsx";
import { EmptyState, LoadingRows } from "../components/empty-state.tsx";
import { Icon } from "../components/icons.tsx";
import { rememberTasksSearch, type TasksSearch } from "../components/last-tasks-search.ts";
import { Lateness } from "../components/lateness.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { StateBadge } from "../components/state-badge.tsx";
import { useSteadyRows } from "../components/steady-rows.ts";
import { TaskFilters } from "../components/task-filters.tsx";
import { TaskWords } from "../components/task-words.tsx";
import { Time } from "../components/time.tsx";
import { cliCommand, curlCommand } from "../format/shell.ts";
import { useScheduleZones } from "../services/schedule-zones.ts";
import { type TaskFilter, type TaskState, type TaskSummary, taskStates, tasksQuery } from "../services/tasks.ts";
import { rootRoute } from "./root.tsx";

export const tasksRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/tasks",
  validateSearch: readSearch,
  component: TasksPage,
});

function readSearch(search: Record<string, unknown>): TasksSearch {
  const text = (key: string) => (typeof search[key] === "string" && search[key] !== "" ? { [key]: search[key] } : {});
  // A text in the address, a list when a link of this page sets it.
  const states: unknown[] = typeof search.state === "string" ? search.state.split(",") : [search.state].flat();
  const state = taskStates.filter((known) => states.includes(known));
  return {
    ...(state.length > 0 ? { state } : {}),
    ...text("type"),
    ...text("queue"),
    ...text("schedule"),
    ...text("workflow"),
    ...text("tag"),
    ...text("q"),
    ...text("page"),
    ...(String(search.later) === "true" ? { later: true } : {}),
  };
}

function filterOf({ state, later, q, page, ...rest }: TasksSearch): TaskFilter {
  const present = taskStates.filter((known): known is TaskState => known !== "scheduled");
  return { ...rest, states: state ?? (later ? [] : present), text: q, pageToken: page };
}

const columns: Column<TaskSummary>[] = [
  {
    id: "task",
    header: "Task",
    cell: ({ row: { original: task } }) => (
      <div className="min-w-0">
        <Link
          to="/tasks/$id"
          params={{ id: task.id }}
          data-row-link
          className="font-medium wrap-anywhere hover:underline"
        >
          {task.type}
        </Link>
        <div className="code text-xs whitespace-nowrap text-muted">{task.id}</div>
      </div>
    ),
  },
  { id: "state", header: "State", cell: ({ row: { original: task } }) => <StateBadge state={task.state} /> },
  {
    id: "words",
    header: "What happens",
    cell: ({ row: { original: task } }) => (
      <span className="line-clamp-2 max-w-80 min-w-0 wrap-anywhere">
        <TaskWords task={task} />
      </span>
    ),
  },
  { id: "due", header: "Due", cell: ({ row: { original: task } }) => <DueTime task={task} /> },
  { id: "lateness", header: "Lateness", cell: ({ row: { original: task } }) => <Lateness task={task} /> },
  {
    id: "starts",
    header: "Starts",
    cell: ({ row: { original: task } }) => <span className="tabular-nums">{task.attempt}</span>,
  },
  {
    id: "queue",
    header: "Queue",
    cell: ({ row: { original: task } }) => (
      <div className="min-w-0">
        <div className="wrap-anywhere">{task.queue}</div>
        {task.schedule !== null && (
          <Link to="/schedules/$name" params={{ name: task.schedule }} className="link text-xs wrap-anywhere">
            {task.schedule}
          </Link>
        )}
      </div>
    ),
  },
];

function DueTime({ task }: { task: TaskSummary }) {
  const zones = useScheduleZones();
  return <Time at={task.dueAt} scheduleZone={task.schedule === null ? null : zones.get(task.schedule)} />;
}

function TasksPage() {
  const search = tasksRoute.useSearch();
  const navigate = tasksRoute.useNavigate();
  useEffect(() => rememberTasksSearch(search), [search]);
  const tasks = useQuery({ ...tasksQuery(filterOf(search)), placeholderData: keepPreviousData });
  const filtered = Object.keys(search).some((key) => key !== "later" && key !== "page" && key !== "zone");
  const { page, ...firstPage } = search;
  const [failure, reportFailure] = useActionFailure();

  return (
    <Page
      title="Tasks"
      tabTitle="Tasks"
      actions={
        <Link to="/tasks/-/new" className="button button-primary">
          <Icon name="plus" />
          New task
        </Link>
      }
    >
      <TaskFilters
        search={search}
        onChange={(change) =>
          void navigate({ search: (before) => clean({ ...before, ...change, page: undefined }), replace: true })
        }
      />
      {filtered && (
        <div className="mb-3 flex flex-wrap items-center gap-2">
          <span className="text-xs text-muted">All that match:</span>
          <BulkActions of="as filtered" filter={filterOf(search)} onFailure={reportFailure} />
        </div>
      )}
      {failure && (
        <div className="mb-4">
          <ProblemNotice error={failure.error} onRetry={failure.retry} />
        </div>
      )}
      {tasks.error && (
        <div className="mb-4">
          <ProblemNotice error={tasks.error} onRetry={() => void tasks.refetch()} />
        </div>
      )}
      {tasks.isPending ? (
        <div className="card">
          <LoadingRows />
        </div>
      ) : (
        tasks.data && (
          <>
            {tasks.data.tasks.length === 0 ? (
              <div className="card">{filtered || page ? <NoMatch /> : <NoTasks later={search.later === true} />}</div>
            ) : (
              <TaskTable tasks={tasks.data.tasks} />
            )}
            <nav className="mt-3 flex items-center gap-2" aria-label="Pages">
              <span className="mr-auto text-xs text-muted" aria-live="polite">
                {tasks.data.tasks.length === 0
                  ? ""
                  : countWords(tasks.data.tasks.length, tasks.data.nextPageToken !== null, page)}
              </span>
              {page && (
                <Link to="/tasks" search={firstPage} className="button button-small">
                  Newest
                </Link>
              )}
              {tasks.data.nextPageToken !== null && (
                <Link
                  to="/tasks"
                  search={{ ...search, page: tasks.data.nextPageToken }}
                  className="button button-small"
                >
                  Older
                  <Icon name="arrow" className="size-3.5" />
                </Link>
              )}
            </nav>
          </>
        )
      )}
    </Page>
  );
}

function TaskTable({ tasks }: { tasks: TaskSummary[] }) {
  const { rows, waiting, release, hover } = useSteadyRows(tasks, (task) => task.id);
  return (
    <div className="card relative overflow-x-auto" {...hover}>
      {waiting > 0 && (
        <button
          type="button"
          className="button button-primary button-small absolute top-1 left-1/2 -translate-x-1/2 rounded-full"
          onClick={release}
        >
          {waiting} new
        </button>
      )}
      <DataTable caption="Tasks, newest created first" columns={columns} rows={rows} rowId={(task) => task.id} />
    </div>
  );
}

function countWords(count: number, more: boolean, page: string | undefined): string {
  const tasks = `${count} ${count === 1 ? "task" : "tasks"}`;
  return page ? `${tasks} on this page` : more ? `The newest ${tasks}` : tasks;
}

function NoTasks({ later }: { later: boolean }) {
  return (
    <EmptyState
      title={later ? "No tasks yet" : "Nothing is due"}
      commands={[
        cliCommand(location.origin, `tasks create sleep '{"for":"3s"}' --delay 5s`),
        curlCommand("POST", `${location.origin}/api/v1/tasks`, { type: "sleep", payload: { for: "3s" }, delay: "5s" }),
      ]}
      action={
        <Link to="/tasks/-/new" className="button">
          <Icon name="plus" />
          New task
        </Link>
      }
    >
      A task is one unit of work that a worker carries out once, now or at a time.{" "}
      {later ? "" : "What is due later is hidden here."}
    </EmptyState>
  );
}

function NoMatch() {
  return (
    <EmptyState
      title="No task matches"
      action={
        <Link to="/tasks" className="button">
          Clear the filters
        </Link>
      }
    >
      There may be tasks, but none with what is filtered for.
    </EmptyState>
  );
}

function clean<Fields extends object>(fields: Fields): { [Key in keyof Fields]: Exclude<Fields[Key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
