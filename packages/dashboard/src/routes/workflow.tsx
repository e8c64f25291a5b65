import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { type ActionFailure, useActionFailure } from "../components/action-failure.ts";
import { ConfirmDialog } from "../components/confirm-dialog.tsx";
import { CopyButton } from "../components/copy-button.tsx";
import { type Column, DataTable } from "../components/data-table.tsx";
import { EmptyState, LoadingRows } from "../components/empty-state.tsx";
import { Fact, Facts } from "../components/facts.tsx";
import { useFocusAfter } from "../components/focus.ts";
import { Icon } from "../components/icons.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { StateBadge } from "../components/state-badge.tsx";
import { Time } from "../components/time.tsx";
import { WorkflowGraph } from "../components/workflow-graph.tsx";
import { isNotFound } from "../services/problem.ts";
import {
  changeWorkflow,
  type Workflow,
  type WorkflowTask,
  type WorkflowVerb,
  workflowQuery,
  workflowVerbs,
} from "../services/workflows.ts";

/** More than that no picture shows. */
const MOST_DRAWN = 150;
const MOST_LISTED = 500;

export function WorkflowPage() {
  const { id } = useParams({ from: "/workflows/$id" });
  const workflow = useQuery(workflowQuery(id));
  const gone = isNotFound(workflow.error);
  const stale = workflow.error && <ProblemNotice error={workflow.error} onRetry={() => void workflow.refetch()} />;
  if (workflow.data && !gone) return <WorkflowDetail key={id} workflow={workflow.data} stale={stale} />;
  return (
    <Page title="Workflow" tabTitle="Workflow" above={<Above />}>
      <div className="card">
        {workflow.isPending ? (
          <LoadingRows />
        ) : gone ? (
          <EmptyState title="There is no such workflow">
            It may have been forgotten: workflows are kept for the time that the server's retention says.
          </EmptyState>
        ) : (
          stale
        )}
      </div>
    </Page>
  );
}

function Above() {
  return (
    <Link to="/workflows" className="link mb-2 inline-flex min-h-6 items-center gap-1 text-xs">
      <Icon name="back" className="size-3.5" />
      Workflows
    </Link>
  );
}

function WorkflowDetail({ workflow, stale }: { workflow: Workflow; stale: React.ReactNode }) {
  const [failure, reportFailure] = useActionFailure();
  const { counts, tasks } = workflow;
  return (
    <Page
      above={<Above />}
      tabTitle={`${workflow.name} ${workflow.state}`}
      title={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          {workflow.name}
          <StateBadge state={workflow.state} />
        </span>
      }
      subtitle={words(workflow)}
      actions={<Actions workflow={workflow} onFailure={reportFailure} />}
    >
      <div className="space-y-4">
        {stale}
        {failure && <ProblemNotice error={failure.error} onRetry={failure.retry} />}
        <Facts>
          <Fact name="Id">
            <span className="inline-flex max-w-full items-center gap-1">
              <code className="code min-w-0 break-all">{workflow.id}</code>
              <CopyButton text={workflow.id} label="Copy id" />
            </span>
          </Fact>
          <Fact name="Tasks">
            <Link to="/tasks" search={{ workflow: workflow.id, later: true }} className="link tabular-nums">
              {counts.total.toLocaleString("en")}
            </Link>
          </Fact>
          <Fact name="On failure">{workflow.onFailure}</Fact>
          <Fact name="Created">
            <Time at={workflow.createdAt} />
          </Fact>
          {workflow.finishedAt !== null && (
            <Fact name="Finished">
              <Time at={workflow.finishedAt} />
            </Fact>
          )}
        </Facts>
        {tasks.length <= MOST_DRAWN && <WorkflowGraph tasks={tasks} />}
        <div className="card overflow-x-auto">
          <DataTable
            caption="Tasks in the order in which they were submitted"
            columns={columns}
            rows={tasks.slice(0, MOST_LISTED)}
            rowId={({ id }) => id}
          />
        </div>
        {tasks.length > MOST_LISTED && (
          <p className="text-xs text-muted">
            The first {MOST_LISTED} tasks are shown; the list of tasks has all of them.
          </p>
        )}
      </div>
    </Page>
  );
}

function words({ state, counts, reason, cancelRequestedAt }: Workflow): string {
  const parts = [`${counts.total - counts.open} of ${counts.total} tasks have ended`];
  for (const each of ["succeeded", "failed", "cancelled", "skipped"] as const)
    if (counts[each] > 0) parts.push(`${counts[each]} ${each}`);
  if (state === "running" && cancelRequestedAt !== null) parts.push("is being cancelled");
  if (reason !== null) parts.push(reason);
  return parts.join(" · ");
}

const columns: Column<WorkflowTask>[] = [
  {
    id: "task",
    header: "Task",
    cell: ({ row: { original } }) => (
      <div className="min-w-0">
        <Link
          to="/tasks/$id"
          params={{ id: original.id }}
          data-row-link
          className="font-medium wrap-anywhere hover:underline"
        >
          {original.key}
        </Link>
        <div className="text-xs wrap-anywhere text-muted">{original.type ?? "forgotten"}</div>
      </div>
    ),
  },
  {
    id: "state",
    header: "State",
    cell: ({ row: { original } }) => (original.state === null ? "forgotten" : <StateBadge state={original.state} />),
  },
  {
    id: "after",
    header: "After",
    cell: ({ row: { original } }) => (
      <span className="line-clamp-2 max-w-80 wrap-anywhere">
        {original.after.length === 0 ? "–" : original.after.join(", ")}
        {original.when !== null && original.when !== "all" && <span className="text-muted"> · {original.when}</span>}
      </span>
    ),
  },
  {
    id: "why",
    header: "What happened",
    cell: ({ row: { original } }) => (
      <span className="line-clamp-2 max-w-80 wrap-anywhere">{original.error?.message ?? original.reason ?? "–"}</span>
    ),
  },
];

const looks = {
  retry: { label: "Retry", icon: "retrying", className: "" },
  cancel: { label: "Cancel", icon: "cancelled", className: "button-danger" },
} as const;

function Actions({ workflow, onFailure }: { workflow: Workflow; onFailure: (failure: ActionFailure | null) => void }) {
  const queryClient = useQueryClient();
  const [confirming, setConfirming] = useState(false);
  const { id } = workflow;
  const change = useMutation({
    mutationFn: (verb: WorkflowVerb) => changeWorkflow(id, verb),
    onMutate: () => onFailure(null),
    onError: (error, verb) => onFailure({ error, retry: () => change.mutate(verb) }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["workflow", id] }),
  });
  const verbs = workflowVerbs(workflow);
  const focusAfter = useFocusAfter(verbs.join());

  function press(verb: WorkflowVerb): void {
    focusAfter();
    if (verb === "cancel") setConfirming(true);
    else change.mutate(verb);
  }

  return (
    <>
      {verbs.map((verb) => (
        <button
          key={verb}
          type="button"
          className={`button ${looks[verb].className}`}
          aria-disabled={change.isPending}
          onClick={() => change.isPending || press(verb)}
        >
          <Icon name={looks[verb].icon} />
          {looks[verb].label}
        </button>
      ))}
      <ConfirmDialog
        open={confirming}
        title="Cancel this workflow?"
        action="Cancel the workflow"
        onConfirm={() => change.mutate("cancel")}
        onClose={() => setConfirming(false)}
      >
        All of its tasks that are not final are cancelled, compensation too. Handlers of those that run are asked to
        stop.
      </ConfirmDialog>
    </>
  );
}
