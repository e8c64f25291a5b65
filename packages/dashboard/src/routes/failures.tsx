import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ActionFailure, useActionFailure } from "../components/action-failure.ts";
import { BulkActions } from "../components/bulk-actions.tsx";
import { type Column, DataTable } from "../components/data-table.tsx";
import { EmptyState, LoadingRows } from "../components/empty-state.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { Time } from "../components/time.tsx";
import { type FailureGroup, failuresQuery } from "../services/failures.ts";

const columns = (reportFailure: (failure: ActionFailure | null) => void): Column<FailureGroup>[] => [
  {
    id: "cause",
    header: "Cause",
    cell: ({ row: { original } }) => (
      <div className="min-w-0">
        <Link
          to="/tasks/$id"
          params={{ id: original.tasks[0]! }}
          data-row-link
          className="line-clamp-2 max-w-120 font-medium wrap-anywhere hover:underline"
        >
          {original.error.message || original.error.code}
        </Link>
        <div className="text-xs wrap-anywhere text-muted">
          {original.type} · {original.error.code}
        </div>
      </div>
    ),
  },
  {
    id: "count",
    header: "Tasks",
    cell: ({ row: { original } }) => <span className="tabular-nums">{original.count.toLocaleString("en")}</span>,
  },
  { id: "first", header: "First", cell: ({ row: { original } }) => <Time at={original.firstAt} /> },
  { id: "last", header: "Last", cell: ({ row: { original } }) => <Time at={original.lastAt} /> },
  {
    id: "actions",
    header: "All of them",
    cell: ({ row: { original } }) => (
      <BulkActions
        of={original.error.message || original.error.code}
        filter={{ states: ["failed"], fingerprint: original.fingerprint }}
        onFailure={reportFailure}
      />
    ),
  },
];

export function FailuresPage() {
  const list = useQuery(failuresQuery());
  const [failure, reportFailure] = useActionFailure();
  return (
    <Page
      title="Failures"
      tabTitle="Failures"
      subtitle="What failed for good, by cause: tasks of the same type, error and place, the most frequent first."
    >
      {failure && <ProblemNotice error={failure.error} onRetry={failure.retry} />}
      {list.error && <ProblemNotice error={list.error} onRetry={() => void list.refetch()} />}
      <div className="card overflow-x-auto">
        {list.isPending ? (
          <LoadingRows />
        ) : list.data && list.data.failures.length > 0 ? (
          <DataTable
            caption="Causes, the most frequent first"
            columns={columns(reportFailure)}
            rows={list.data.failures}
            rowId={({ fingerprint }) => fingerprint}
          />
        ) : (
          !list.error && <EmptyState title="Nothing has failed">Of the tasks that are kept none failed.</EmptyState>
        )}
      </div>
      {list.data?.complete === false && (
        <p className="mt-3 text-xs text-muted">
          The newest {list.data.read.toLocaleString("en")} failed tasks were looked at; there are more.
        </p>
      )}
    </Page>
  );
}
