import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type Column, DataTable } from "../components/data-table.tsx";
import { EmptyState, LoadingRows } from "../components/empty-state.tsx";
import { Choice } from "../components/field.tsx";
import { LatenessChart, PhaseSplit, phaseWords, SpreadValues } from "../components/lateness-figures.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { latenessQuery, phases, type QueueLateness, type Window, windows } from "../services/lateness.ts";

const columns: Column<QueueLateness>[] = [
  {
    id: "queue",
    header: "Queue",
    cell: ({ row: { original } }) => (
      <div className="min-w-0">
        <Link
          to="/tasks"
          search={{ queue: original.queue }}
          data-row-link
          className="font-medium wrap-anywhere hover:underline"
        >
          {original.queue}
        </Link>
        <div className="text-xs text-muted tabular-nums">{original.started.toLocaleString("en")} started</div>
      </div>
    ),
  },
  { id: "spread", header: "Lateness", cell: ({ row: { original } }) => <SpreadValues spread={original} late /> },
  { id: "chart", header: "How late", cell: ({ row: { original } }) => <LatenessChart lateness={original} /> },
  {
    id: "split",
    header: "Where it arose, on the average",
    cell: ({ row: { original } }) => <PhaseSplit meanMs={original.meanMs} />,
  },
];

export function LatenessPage() {
  const { window = "1h" } = useSearch({ strict: false }) as { window?: Window };
  const navigate = useNavigate();
  const lateness = useQuery({ ...latenessQuery(window), placeholderData: keepPreviousData });
  const queues = lateness.data?.queues ?? [];
  return (
    <Page
      title="Lateness"
      tabTitle="Lateness"
      subtitle="How much later than its instant a task starts, over all nodes, by queue. Nothing starts early."
      actions={
        <Choice
          legend="Time shown"
          legendHidden
          name="window"
          options={windows.map((value) => ({ value, label: value }))}
          value={window}
          onChange={(chosen) => void navigate({ to: "/lateness", search: { window: chosen }, replace: true })}
        />
      }
    >
      {lateness.error && <ProblemNotice error={lateness.error} onRetry={() => void lateness.refetch()} />}
      <div className="card overflow-x-auto">
        {lateness.isPending ? (
          <LoadingRows />
        ) : queues.length > 0 ? (
          <DataTable caption="Queues by name" columns={columns} rows={queues} rowId={({ queue }) => queue} />
        ) : (
          !lateness.error && (
            <EmptyState title="Nothing started">
              In this time no attempt has started on any node; what starts shows here after a few seconds.
            </EmptyState>
          )
        )}
      </div>
      <dl className="mt-4 grid gap-x-6 gap-y-1 text-xs text-muted sm:grid-cols-[auto_1fr]">
        {phases.map((phase) => (
          <div key={phase} className="contents">
            <dt className="font-medium">{phase}</dt>
            <dd>{phaseWords[phase]}</dd>
          </div>
        ))}
      </dl>
    </Page>
  );
}
