import { useQuery } from "@tanstack/react-query";
import { type Column, DataTable } from "../components/data-table.tsx";
import { EmptyState, LoadingRows } from "../components/empty-state.tsx";
import { Labels } from "../components/labels.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { Time } from "../components/time.tsx";
import { type WorkerInfo, workersQuery } from "../services/workers.ts";

const columns: Column<WorkerInfo>[] = [
  {
    id: "name",
    header: "Worker",
    cell: ({ row: { original } }) => (
      <div className="min-w-0">
        <div className="font-medium wrap-anywhere">{original.name}</div>
        <div className="text-xs wrap-anywhere text-muted">{original.node}</div>
      </div>
    ),
  },
  {
    id: "busy",
    header: "Busy",
    cell: ({ row: { original } }) => (
      <span className="tabular-nums">
        {original.busy} of {original.slots}
      </span>
    ),
  },
  {
    id: "labels",
    header: "Labels",
    cell: ({ row: { original } }) =>
      Object.keys(original.labels).length > 0 ? (
        <Labels labels={original.labels} />
      ) : (
        <span className="text-muted">None</span>
      ),
  },
  { id: "types", header: "Runs", cell: ({ row: { original } }) => <Names names={original.types} /> },
  { id: "queues", header: "Queues", cell: ({ row: { original } }) => <Names names={original.queues} /> },
  { id: "since", header: "Connected", cell: ({ row: { original } }) => <Time at={original.connectedAt} /> },
];

/** A worker may have thousands. */
const SHOWN = 8;

function Names({ names }: { names: string[] }) {
  const more = names.length - SHOWN;
  return (
    <span className="wrap-anywhere">
      {names.slice(0, SHOWN).join(", ")}
      {more > 0 && <span className="text-muted"> and {more.toLocaleString("en")} more</span>}
    </span>
  );
}

export function WorkersPage() {
  const list = useQuery(workersQuery());
  return (
    <Page title="Workers" tabTitle="Workers" subtitle="The processes that are connected now, and what they run.">
      {list.error && <ProblemNotice error={list.error} onRetry={() => void list.refetch()} />}
      <div className="card overflow-x-auto">
        {list.isPending ? (
          <LoadingRows />
        ) : list.data && list.data.workers.length > 0 ? (
          <DataTable
            caption="Connected workers, by name"
            columns={columns}
            rows={list.data.workers}
            rowId={({ name, node, connectedAt }) => `${name} ${node} ${connectedAt}`}
          />
        ) : (
          !list.error && (
            <EmptyState title="No worker is connected">
              Tasks wait until one that runs their type connects: <code className="code">carillon worker FILE</code>
            </EmptyState>
          )
        )}
      </div>
      {list.data?.nextPageToken && <p className="mt-3 text-xs text-muted">The first 200 by name are shown.</p>}
    </Page>
  );
}
