import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { type Column, DataTable } from "../components/data-table.tsx";
import { EmptyState, LoadingRows } from "../components/empty-state.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { StateBadge } from "../components/state-badge.tsx";
import { Time } from "../components/time.tsx";
import { type WorkflowSummary, workflowsQuery } from "../services/workflows.ts";

const columns: Column<WorkflowSummary>[] = [
  {
    id: "workflow",
    header: "Workflow",
    cell: ({ row: { original } }) => (
      <div className="min-w-0">
        <Link
          to="/workflows/$id"
          params={{ id: original.id }}
          data-row-link
          className="font-medium wrap-anywhere hover:underline"
        >
          {original.name}
        </Link>
        <div className="code text-xs whitespace-nowrap text-muted">{original.id}</div>
      </div>
    ),
  },
  { id: "state", header: "State", cell: ({ row: { original } }) => <StateBadge state={original.state} /> },
  {
    id: "ended",
    header: "Ended",
    cell: ({ row: { original } }) => (
      <span className="tabular-nums">
        {(original.counts.total - original.counts.open).toLocaleString("en")} of{" "}
        {original.counts.total.toLocaleString("en")}
        {original.counts.failed > 0 && (
          <span className="text-bad"> · {original.counts.failed.toLocaleString("en")} failed</span>
        )}
      </span>
    ),
  },
  { id: "created", header: "Created", cell: ({ row: { original } }) => <Time at={original.createdAt} /> },
  {
    id: "finished",
    header: "Finished",
    cell: ({ row: { original } }) => (original.finishedAt === null ? "–" : <Time at={original.finishedAt} />),
  },
];

export function WorkflowsPage() {
  /** Where this page and those before it begin. */
  const [pages, setPages] = useState<string[]>([]);
  const list = useQuery({ ...workflowsQuery(pages.at(-1)), placeholderData: keepPreviousData });
  const next = list.data?.nextPageToken ?? null;
  return (
    <Page
      title="Workflows"
      tabTitle="Workflows"
      subtitle="Tasks that come after one another, submitted together; the newest first."
    >
      {list.error && <ProblemNotice error={list.error} onRetry={() => void list.refetch()} />}
      <div className="card overflow-x-auto">
        {list.isPending ? (
          <LoadingRows />
        ) : list.data && list.data.workflows.length > 0 ? (
          <DataTable
            caption="Workflows, the newest first"
            columns={columns}
            rows={list.data.workflows}
            rowId={({ id }) => id}
          />
        ) : (
          !list.error && (
            <EmptyState title="No workflow yet">
              Submit one with <code className="code">carillon workflows create @FILE</code>.
            </EmptyState>
          )
        )}
      </div>
      {(pages.length > 0 || next !== null) && (
        <div className="mt-3 flex justify-end gap-2">
          {pages.length > 0 && (
            <button type="button" className="button" onClick={() => setPages(pages.slice(0, -1))}>
              Newer
            </button>
          )}
          {next !== null && (
            <button type="button" className="button" onClick={() => setPages([...pages, next])}>
              Older
            </button>
          )}
        </div>
      )}
    </Page>
  );
}
