import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { type FormEvent, useRef, useState } from "react";
import { LoadingRows } from "../components/empty-state.tsx";
import { useFailureFocus } from "../components/focus.ts";
import { JsonField, jsonError, readJson } from "../components/json-field.tsx";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import { newIdempotencyKey } from "../services/http.ts";
import { problemOf, sortByField } from "../services/problem.ts";
import { replayTask, type Task, taskQuery } from "../services/tasks.ts";

export function ReplayTaskPage() {
  const { id } = useParams({ from: "/tasks/$id/replay" });
  const task = useQuery(taskQuery(id));
  if (task.data) return <ReplayForm key={id} task={task.data} />;
  return (
    <Page title="Replay a task" tabTitle="Replay a task">
      <div className="card">
        {task.error ? <ProblemNotice error={task.error} onRetry={() => void task.refetch()} /> : <LoadingRows />}
      </div>
    </Page>
  );
}

function ReplayForm({ task }: { task: Task }) {
  const navigate = useNavigate();
  const [payload, setPayload] = useState(() => (task.payload === null ? "" : JSON.stringify(task.payload, null, 2)));
  const ready = payload.trim() === "" || jsonError(payload) === null;
  // Pressed twice, or sent again after a lost answer: still one task. Another payload is another intention.
  const intention = useRef({ payload: "", key: "" });
  const replay = useMutation({
    mutationFn: () => {
      if (intention.current.key === "" || intention.current.payload !== payload)
        intention.current = { payload, key: newIdempotencyKey() };
      return replayTask(task.id, readJson(payload) ?? null, intention.current.key);
    },
    onSuccess: ({ id }) => navigate({ to: "/tasks/$id", params: { id } }),
  });
  const { byField, others } = sortByField(replay.error ? problemOf(replay.error) : null, ["/payload"]);
  const form = useRef<HTMLFormElement>(null);
  useFailureFocus(form, replay.error);

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (ready && !replay.isPending) replay.mutate();
  }

  return (
    <Page
      title={`Replay ${task.type}`}
      tabTitle={`Replay ${task.type}`}
      subtitle="A new task like this one, due now. This one stays as it is."
    >
      <form ref={form} className="max-w-2xl space-y-5" onSubmit={submit}>
        {replay.error && <ProblemNotice error={replay.error} errors={others} />}
        <JsonField label="Payload" value={payload} onChange={setPayload} errors={byField["/payload"]} />
        <div className="flex flex-wrap gap-2 border-t border-line pt-5">
          <button type="submit" className="button button-primary" disabled={!ready} aria-disabled={replay.isPending}>
            Replay task
          </button>
          <Link to="/tasks/$id" params={{ id: task.id }} className="button button-quiet">
            Cancel
          </Link>
        </div>
      </form>
    </Page>
  );
}
