import { useQuery } from "@tanstack/react-query";
import { createRoute, Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useActionFailure } from "../components/action-failure.ts";
import { AttemptsTable } from "../components/attempts-table.tsx";
import { CopyButton } from "../components/copy-button.tsx";
import { EmptyState, LoadingRows } from "../components/empty-state.tsx";
import { ErrorView } from "../components/error-view.tsx";
import { Fact, Facts } from "../components/facts.tsx";
import { Icon } from "../components/icons.tsx";
import { JsonView } from "../components/json-view.tsx";
import { Labels } from "../components/labels.tsx";
import { useLastTasksSearch } from "../components/last-tasks-search.ts";
import { LogViewer } from "../components/log-viewer.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { StateBadge } from "../components/state-badge.tsx";
import { TaskActions } from "../components/task-actions.tsx";
import { TaskWords } from "../components/task-words.tsx";
import { Timing } from "../components/timing.tsx";
import { curlCommand } from "../format/shell.ts";
import { startWords } from "../format/starts.ts";
import { isNotFound } from "../services/problem.ts";
import { scheduleQuery } from "../services/schedules.ts";
import { explanationQuery, isFinal, likeTask, type Task, taskQuery } from "../services/tasks.ts";
import { rootRoute } from "./root.tsx";

export const taskRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/tasks/$id",
  component: TaskPage,
});

function TaskPage() {
  const { id } = taskRoute.useParams();
  const task = useQuery(taskQuery(id));
  const search = useLastTasksSearch();
  const above = (
    <Link to="/tasks" search={search} className="link mb-2 inline-flex min-h-6 items-center gap-1 text-xs">
      <Icon name="back" className="size-3.5" />
      Tasks
    </Link>
  );
  // Deleted while it was looked at: what was read before is no longer so.
  const gone = isNotFound(task.error);
  const stale = task.error && <ProblemNotice error={task.error} onRetry={() => void task.refetch()} />;
  if (task.data && !gone) return <TaskDetail key={id} task={task.data} above={above} stale={stale} />;
  return (
    <Page title="Task" tabTitle="Task" above={above}>
      <div className="card">
        {task.isPending ? (
          <LoadingRows />
        ) : gone ? (
          <EmptyState
            title="There is no such task"
            action={
              <Link to="/tasks" className="button">
                Go to tasks
              </Link>
            }
          >
            It may have been forgotten: final tasks are kept for the time that the server's retention says.
          </EmptyState>
        ) : (
          stale
        )}
      </div>
    </Page>
  );
}

interface TaskDetailProps {
  task: Task;
  above: ReactNode;
  /** Why what is shown could not be read again. */
  stale: ReactNode;
}

function TaskDetail({ task, above, stale }: TaskDetailProps) {
  const [failure, reportFailure] = useActionFailure();
  const schedule = useQuery({ ...scheduleQuery(task.schedule ?? ""), enabled: task.schedule !== null });
  const scheduleZone = schedule.data?.timeZone ?? null;

  return (
    <Page
      above={above}
      tabTitle={`${task.type} ${task.state}`}
      title={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          {task.type}
          <StateBadge state={task.state} />
        </span>
      }
      subtitle={<TaskWords task={task} />}
      actions={
        <>
          <TaskActions task={task} onFailure={reportFailure} />
          <Link to="/tasks/$id/replay" params={{ id: task.id }} className="button">
            <Icon name="retrying" />
            Replay
          </Link>
          <CopyButton
            visible
            label="Copy as curl"
            text={curlCommand("POST", `${location.origin}/api/v1/tasks`, likeTask(task))}
          />
        </>
      }
    >
      <div className="space-y-4">
        {stale}
        {failure && <ProblemNotice error={failure.error} onRetry={failure.retry} />}
        {isWaiting(task.state) && <WhyItWaits id={task.id} />}
        <TaskFacts task={task} />
        <Timing task={task} scheduleZone={scheduleZone} />
        {task.error && (
          <section className="card" aria-label="Error">
            <h2 className="border-b border-line px-4 py-2.5">{task.state === "failed" ? "Error" : "Latest error"}</h2>
            <ErrorView error={task.error} />
          </section>
        )}
        <div className={`grid gap-4 ${task.state === "succeeded" ? "md:grid-cols-2" : ""}`}>
          <Json title="Payload" value={task.payload} />
          {task.state === "succeeded" && <Json title="Result" value={task.result} />}
        </div>
        <AttemptsTable taskId={task.id} scheduleZone={scheduleZone} />
        <LogViewer
          taskId={task.id}
          started={task.startedAt !== null || task.attempt > 0}
          final={isFinal(task.state)}
          scheduleZone={scheduleZone}
        />
      </div>
    </Page>
  );
}

const isWaiting = (state: Task["state"]) => state === "blocked" || state === "queued" || state === "retrying";

function WhyItWaits({ id }: { id: string }) {
  const { data } = useQuery(explanationQuery(id));
  if (!data) return null;
  return (
    <section className="card px-4 py-3 wrap-anywhere" aria-label="Why it does not run">
      {data.summary}
    </section>
  );
}

function Json({ title, value }: { title: string; value: unknown }) {
  return (
    <section className="card min-w-0" aria-label={title}>
      <h2 className="border-b border-line px-4 py-2.5">{title}</h2>
      {value === null || value === undefined ? (
        <p className="px-4 py-3 text-muted">None</p>
      ) : (
        <JsonView value={value} label={title.toLowerCase()} />
      )}
    </section>
  );
}

/** Of very many the first ones are enough. */
const MOST_NAMED = 5;

function After({ ids }: { ids: string[] }) {
  return (
    <Fact name="After">
      <span className="flex flex-wrap gap-x-2">
        {ids.slice(0, MOST_NAMED).map((id) => (
          <Link key={id} to="/tasks/$id" params={{ id }} className="link code break-all">
            {id}
          </Link>
        ))}
        {ids.length > MOST_NAMED && <span className="text-muted">and {ids.length - MOST_NAMED} more</span>}
      </span>
    </Fact>
  );
}

function TaskFacts({ task }: { task: Task }) {
  return (
    <Facts>
      <Fact name="Id">
        <span className="inline-flex max-w-full items-center gap-1">
          <code className="code min-w-0 break-all">{task.id}</code>
          <CopyButton text={task.id} label="Copy id" />
        </span>
      </Fact>
      <Fact name="Starts">
        <span className="tabular-nums">
          {startWords(task)}
          {task.lost > 0 && <span className="text-warn"> · {task.lost} lost</span>}
        </span>
      </Fact>
      <Fact name="Queue">
        <Link to="/tasks" search={{ queue: task.queue }} className="link">
          {task.queue}
        </Link>
      </Fact>
      <Fact name="Priority">{task.priority}</Fact>
      <Fact name="Trigger">{task.trigger}</Fact>
      {task.schedule !== null && (
        <Fact name="Schedule">
          <Link to="/schedules/$name" params={{ name: task.schedule }} className="link">
            {task.schedule}
          </Link>
        </Fact>
      )}
      {Object.keys(task.requires).length > 0 && (
        <Fact name="Requires">
          <Labels labels={task.requires} />
        </Fact>
      )}
      {task.workflow !== null && (
        <Fact name="Workflow">
          <Link to="/workflows/$id" params={{ id: task.workflow }} className="link">
            {task.workflowKey}
          </Link>
        </Fact>
      )}
      {task.replayOf !== null && (
        <Fact name="Replay of">
          <Link to="/tasks/$id" params={{ id: task.replayOf }} className="link code break-all">
            {task.replayOf}
          </Link>
        </Fact>
      )}
      {task.after.length > 0 && <After ids={task.after} />}
      {task.worker !== null && <Fact name="Worker">{task.worker}</Fact>}
      {task.progress !== null && (
        <Fact name="Progress">
          <span className="flex items-center gap-2">
            <progress value={task.progress.fraction} max={1} className="w-24" aria-label="Progress" />
            {Math.round(task.progress.fraction * 100)} %
            {task.progress.message !== null && <span className="break-all">{task.progress.message}</span>}
          </span>
        </Fact>
      )}
      {task.timeout !== null && <Fact name="Timeout">{task.timeout}</Fact>}
      {task.finishWithin !== null && <Fact name="Finish within">{task.finishWithin}</Fact>}
      {task.uniqueKey !== null && <Fact name="Unique key">{task.uniqueKey}</Fact>}
      {task.concurrencyKey !== null && <Fact name="Concurrency key">{task.concurrencyKey}</Fact>}
      {task.fairKey !== null && <Fact name="Fair key">{task.fairKey}</Fact>}
      {task.tags.length > 0 && (
        <Fact name="Tags">
          <span className="flex flex-wrap gap-1.5">
            {task.tags.map((tag) => (
              <Link
                key={tag}
                to="/tasks"
                search={{ tag }}
                className="rounded bg-idle-soft px-1.5 text-xs break-all text-idle hover:underline"
              >
                {tag}
              </Link>
            ))}
          </span>
        </Fact>
      )}
    </Facts>
  );
}
