import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { type ActionFailure, useActionFailure } from "../components/action-failure.ts";
import { type Column, DataTable } from "../components/data-table.tsx";
import { EmptyState, LoadingRows } from "../components/empty-state.tsx";
import { Icon } from "../components/icons.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { QueueActions } from "../components/queue-actions.tsx";
import { StateBadge } from "../components/state-badge.tsx";
import { limitWords, type Queue, queuesQuery } from "../services/queues.ts";

const columns = (onFailure: (failure: ActionFailure | null) => void): Column<Queue>[] => [
  {
    id: "name",
    header: "Queue",
    cell: ({ row: { original } }) => (
      <Link
        to="/queues/$name"
        params={{ name: original.name }}
        data-row-link
        className="font-medium wrap-anywhere hover:underline"
      >
        {original.name}
      </Link>
    ),
  },
  {
    id: "state",
    header: "State",
    cell: ({ row: { original } }) => (
      <div className="min-w-0">
        <StateBadge state={original.paused ? "paused" : "active"} />
        {original.pause?.reason && (
          <div className="mt-1 max-w-80 text-xs wrap-anywhere text-muted">{original.pause.reason}</div>
        )}
      </div>
    ),
  },
  {
    id: "limits",
    header: "Limits",
    cell: ({ row: { original } }) => limitWords(original).join(" · ") || <span className="text-muted">none</span>,
  },
  {
    id: "actions",
    header: "Actions",
    cell: ({ row: { original } }) => <QueueActions compact queue={original} onFailure={onFailure} />,
  },
];

export function QueuesPage() {
  const { page } = useSearch({ strict: false }) as { page?: string };
  const queues = useQuery({ ...queuesQuery(page), placeholderData: keepPreviousData });
  const [failure, reportFailure] = useActionFailure();
  const table = useMemo(() => columns(reportFailure), [reportFailure]);
  return (
    <Page
      title="Queues"
      tabTitle="Queues"
      subtitle="The lines that workers pull from. A queue is there once a task was created in it, or a limit set on it."
    >
      {failure && (
        <div className="mb-4">
          <ProblemNotice error={failure.error} onRetry={failure.retry} />
        </div>
      )}
      {queues.error && (
        <div className="mb-4">
          <ProblemNotice error={queues.error} onRetry={() => void queues.refetch()} />
        </div>
      )}
      <div className="card overflow-x-auto">
        {queues.isPending ? (
          <LoadingRows />
        ) : queues.data && queues.data.queues.length > 0 ? (
          <DataTable caption="Queues by name" columns={table} rows={queues.data.queues} rowId={({ name }) => name} />
        ) : (
          !queues.error && (
            <EmptyState title="No queues yet">
              A queue appears here with the first task that is created in it.
            </EmptyState>
          )
        )}
      </div>
      {queues.data && (
        <nav className="mt-3 flex justify-end gap-2" aria-label="Pages">
          {page && (
            <Link to="/queues" className="button button-small">
              First page
            </Link>
          )}
          {queues.data.nextPageToken !== null && (
            <Link to="/queues" search={{ page: queues.data.nextPageToken }} className="button button-small">
              Next page
              <Icon name="arrow" className="size-3.5" />
            </Link>
          )}
        </nav>
      )}
    </Page>
  );
}
