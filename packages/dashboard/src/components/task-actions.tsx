import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { changeTask, type Task, type TaskVerb, taskQuery, verbsFor } from "../services/tasks.ts";
import type { ActionFailure } from "./action-failure.ts";
import { ConfirmDialog } from "./confirm-dialog.tsx";
import { useFocusAfter } from "./focus.ts";
import { Icon, type IconName } from "./icons.tsx";

const looks: Record<TaskVerb, { label: string; icon: IconName; className: string }> = {
  "run-now": { label: "Run now", icon: "bolt", className: "" },
  retry: { label: "Retry", icon: "retrying", className: "" },
  cancel: { label: "Cancel", icon: "cancelled", className: "button-danger" },
};

interface TaskActionsProps {
  task: Task;
  onFailure: (failure: ActionFailure | null) => void;
}

/** The buttons that would do something to the task in its present state. */
export function TaskActions({ task, onFailure }: TaskActionsProps) {
  const queryClient = useQueryClient();
  const [confirming, setConfirming] = useState(false);
  const change = useMutation({
    mutationFn: (verb: TaskVerb) => changeTask(task.id, verb),
    onMutate: () => onFailure(null),
    onSuccess: (answer) =>
      queryClient.setQueryData(taskQuery(task.id).queryKey, (old) => (old ? { ...old, ...answer } : answer)),
    onError: (error, verb) => onFailure({ error, retry: () => change.mutate(verb) }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["task", task.id] }),
  });

  // Not `disabled` while one is pending, which would take the focus from it; when it goes away, the heading gets the focus.
  const focusAfter = useFocusAfter(verbsFor(task).join());

  function press(verb: TaskVerb): void {
    focusAfter();
    if (verb === "cancel" && task.state === "running") setConfirming(true);
    else change.mutate(verb);
  }

  return (
    <>
      {verbsFor(task).map((verb) => (
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
        title="Cancel this task while it runs?"
        action="Cancel the task"
        onConfirm={() => change.mutate("cancel")}
        onClose={() => setConfirming(false)}
      >
        Its handler is asked to stop. What it has done so far stays done; after 30 seconds the attempt is abandoned.
      </ConfirmDialog>
    </>
  );
}
