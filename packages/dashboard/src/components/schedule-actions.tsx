import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import {
  deleteSchedule,
  pauseSchedule,
  resumeSchedule,
  type Schedule,
  triggerSchedule,
} from "../services/schedules.ts";
import type { ActionFailure } from "./action-failure.ts";
import { ConfirmDialog } from "./confirm-dialog.tsx";
import { focusHeading } from "./focus.ts";
import { Icon } from "./icons.tsx";

interface ScheduleActionsProps {
  schedule: Schedule;
  /** Small and without Edit, for a row of a list. */
  compact?: boolean;
  onFailure: (failure: ActionFailure | null) => void;
  onTriggered?: (taskId: string) => void;
  onDeleted?: () => void;
}

export function ScheduleActions({
  schedule,
  compact = false,
  onFailure,
  onTriggered,
  onDeleted,
}: ScheduleActionsProps) {
  const queryClient = useQueryClient();
  const [confirming, setConfirming] = useState(false);
  const { name, paused } = schedule;
  const started = () => onFailure(null);
  const failed = (retry: () => void) => (error: unknown) => onFailure({ error, retry });
  const readAgain = () =>
    Promise.all([
      queryClient.invalidateQueries({ queryKey: ["schedules"] }),
      queryClient.invalidateQueries({ queryKey: ["schedule", name] }),
    ]);
  const trigger = useMutation({
    mutationFn: () => triggerSchedule(name),
    onMutate: started,
    onError: failed(() => trigger.mutate()),
    onSuccess: (task) => onTriggered?.(task.id),
    onSettled: readAgain,
  });
  const toggle = useMutation({
    mutationFn: (pause: boolean) => (pause ? pauseSchedule(name) : resumeSchedule(name)),
    onMutate: started,
    onError: (error, pause) => failed(() => toggle.mutate(pause))(error),
    onSettled: readAgain,
  });
  const remove = useMutation({
    mutationFn: () => deleteSchedule(name),
    onMutate: started,
    onError: failed(() => remove.mutate()),
    onSuccess: () => {
      focusHeading();
      onDeleted?.();
      return queryClient.invalidateQueries({ queryKey: ["schedules"] });
    },
  });
  const button = `button ${compact ? "button-small" : ""}`;
  const iconSize = compact ? "size-3.5" : "";

  // While one is pending it is not `disabled`, which would take the focus from it.
  return (
    <div className={`flex flex-wrap gap-1.5 ${compact ? "md:flex-nowrap" : ""}`}>
      <button
        type="button"
        className={button}
        aria-disabled={trigger.isPending}
        onClick={() => trigger.isPending || trigger.mutate()}
        aria-label={`Trigger ${name}`}
      >
        <Icon name="bolt" className={iconSize} />
        Trigger
      </button>
      <button
        type="button"
        className={button}
        aria-disabled={toggle.isPending}
        onClick={() => toggle.isPending || toggle.mutate(!paused)}
        aria-label={`${paused ? "Resume" : "Pause"} ${name}`}
      >
        <Icon name={paused ? "play" : "paused"} className={iconSize} />
        {paused ? "Resume" : "Pause"}
      </button>
      {!compact && (
        <Link to="/schedules/$name/edit" params={{ name }} className={button}>
          <Icon name="edit" />
          Edit
        </Link>
      )}
      <button
        type="button"
        className={`${button} button-danger`}
        aria-disabled={remove.isPending}
        onClick={() => remove.isPending || setConfirming(true)}
        aria-label={`Delete ${name}`}
        title={compact ? "Delete" : undefined}
      >
        <Icon name="trash" className={iconSize} />
        {compact ? "" : "Delete"}
      </button>
      <ConfirmDialog
        open={confirming}
        title={`Delete the schedule ${name}?`}
        action="Delete the schedule"
        onConfirm={() => remove.mutate()}
        onClose={() => setConfirming(false)}
      >
        It creates no more tasks. Those that it created stay and finish. To stop it for a while, pause it instead.
      </ConfirmDialog>
    </div>
  );
}
