import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import {
  type BulkFilter,
  beginBulk,
  bulkVerbs,
  countBulk,
  type Operation,
  operationQuery,
  stopOperation,
} from "../services/bulk.ts";
import { newIdempotencyKey } from "../services/http.ts";
import type { TaskVerb } from "../services/tasks.ts";
import type { ActionFailure } from "./action-failure.ts";
import { ConfirmDialog } from "./confirm-dialog.tsx";

const words: Record<TaskVerb, { button: string; asked: string; effect: string }> = {
  retry: { button: "Retry all", asked: "Retry", effect: "They are due at once, each with a fresh budget of attempts." },
  "run-now": { button: "Run all now", asked: "Run", effect: "They are due at once." },
  cancel: { button: "Cancel all", asked: "Cancel", effect: "Those that run are asked to stop." },
};

/** As they were when the button was pressed: the filter may change while they are counted. */
interface Wanted {
  verb: TaskVerb;
  filter: BulkFilter;
}
interface Asked extends Wanted {
  count: string;
  key: string;
}

interface BulkActionsProps {
  /** What the tasks have in common, for those who hear the page. */
  of: string;
  filter: BulkFilter;
  onFailure: (failure: ActionFailure | null) => void;
}

/** Buttons for all tasks that the filter matches, on every page; counted before, and carried out in the background. */
export function BulkActions({ of, filter, onFailure }: BulkActionsProps) {
  const queryClient = useQueryClient();
  const [asking, setAsking] = useState<Asked | null>(null);
  const [operation, setOperation] = useState<Operation | null>(null);
  const count = useMutation({
    mutationFn: async (wanted: Wanted) => ({ ...wanted, ...(await countBulk(wanted.filter, wanted.verb)) }),
    onMutate: () => onFailure(null),
    onSuccess: ({ matched, capped, ...wanted }) =>
      setAsking({
        ...wanted,
        count: `${capped ? "more than " : ""}${matched.toLocaleString("en")}`,
        // The same when it is sent again, since nobody may know whether it was done.
        key: newIdempotencyKey(),
      }),
    onError: (error, wanted) => onFailure({ error, retry: () => count.mutate(wanted) }),
  });
  const begin = useMutation({
    mutationFn: (asked: Asked) => beginBulk(asked.filter, asked.verb, asked.key),
    onSuccess: (begun) => {
      queryClient.setQueryData(operationQuery(begun.id).queryKey, begun);
      setOperation(begun);
    },
    onError: (error, asked) => onFailure({ error, retry: () => begin.mutate(asked) }),
  });
  return (
    <section className="flex flex-wrap items-center gap-2" aria-label={`All tasks: ${of}`}>
      {operation && <Progress key={operation.id} id={operation.id} onFailure={onFailure} />}
      {bulkVerbs(filter.states).map((verb) => (
        <button
          key={verb}
          type="button"
          className={`button button-small ${verb === "cancel" ? "button-danger" : ""}`}
          aria-disabled={count.isPending || begin.isPending}
          onClick={() => count.isPending || begin.isPending || count.mutate({ verb, filter })}
        >
          {words[verb].button}
        </button>
      ))}
      <ConfirmDialog
        open={asking !== null}
        title={asking ? `${words[asking.verb].asked} ${asking.count} ${asking.count === "1" ? "task" : "tasks"}?` : ""}
        action={asking ? words[asking.verb].button : ""}
        onConfirm={() => asking && begin.mutate(asking)}
        onClose={() => setAsking(null)}
      >
        {asking && words[asking.verb].effect} Tasks that are made from now on are not meant.
      </ConfirmDialog>
    </section>
  );
}

function Progress({ id, onFailure }: { id: string; onFailure: BulkActionsProps["onFailure"] }) {
  const queryClient = useQueryClient();
  const { data: operation } = useQuery(operationQuery(id));
  const stop = useMutation({
    mutationFn: () => stopOperation(id),
    onSuccess: (answer) => queryClient.setQueryData(operationQuery(id).queryKey, answer),
    onError: (error) => onFailure({ error, retry: () => stop.mutate() }),
  });
  if (!operation) return null;
  const { state, matched, done, skipped, failed } = operation;
  const left = [skipped > 0 ? `${skipped} had changed` : [], failed > 0 ? `${failed} could not be` : []].flat();
  const end = state === "cancelled" ? "stopped after" : "done:";
  return (
    <>
      <span className="text-xs tabular-nums" role="status">
        {state === "running" ? "" : `${end} `}
        {done} of {matched}
        {left.length > 0 && ` (${left.join(", ")})`}
      </span>
      {state === "running" && (
        <button type="button" className="button button-small" onClick={() => stop.isPending || stop.mutate()}>
          Stop
        </button>
      )}
    </>
  );
}
