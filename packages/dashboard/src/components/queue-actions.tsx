import { useMutation, useQueryClient } from "@tanstack/react-query";
import { pauseQueue, type Queue, resumeQueue } from "../services/queues.ts";
import type { ActionFailure } from "./action-failure.ts";
import { Icon } from "./icons.tsx";

interface QueueActionsProps {
  queue: Pick<Queue, "name" | "paused">;
  /** Small, for a row of a list. */
  compact?: boolean;
  onFailure: (failure: ActionFailure | null) => void;
}

export function QueueActions({ queue: { name, paused }, compact = false, onFailure }: QueueActionsProps) {
  const queryClient = useQueryClient();
  const toggle = useMutation({
    mutationFn: (pause: boolean) => (pause ? pauseQueue(name) : resumeQueue(name)),
    onMutate: () => onFailure(null),
    onError: (error, pause) => onFailure({ error, retry: () => toggle.mutate(pause) }),
    onSettled: () =>
      Promise.all([
        queryClient.invalidateQueries({ queryKey: ["queues"] }),
        queryClient.invalidateQueries({ queryKey: ["queue", name] }),
      ]),
  });
  // While one is pending it is not `disabled`, which would take the focus from it.
  return (
    <button
      type="button"
      className={`button ${compact ? "button-small" : ""}`}
      aria-disabled={toggle.isPending}
      onClick={() => toggle.isPending || toggle.mutate(!paused)}
      aria-label={`${paused ? "Resume" : "Pause"} ${name}`}
    >
      <Icon name={paused ? "play" : "paused"} className={compact ? "size-3.5" : ""} />
      {paused ? "Resume" : "Pause"}
    </button>
  );
}
