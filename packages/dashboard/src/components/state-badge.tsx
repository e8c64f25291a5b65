import type { IconName } from "./icons.tsx";
import { Icon } from "./icons.tsx";

interface Look {
  icon: IconName;
  label: string;
  className: string;
}

const looks: Record<string, Look> = {
  blocked: { icon: "blocked", label: "Blocked", className: "bg-idle-soft text-idle" },
  scheduled: { icon: "scheduled", label: "Scheduled", className: "bg-idle-soft text-idle" },
  queued: { icon: "queued", label: "Queued", className: "bg-info-soft text-info" },
  running: { icon: "running", label: "Running", className: "bg-accent-soft text-accent" },
  retrying: { icon: "retrying", label: "Retrying", className: "bg-warn-soft text-warn" },
  succeeded: { icon: "succeeded", label: "Succeeded", className: "bg-good-soft text-good" },
  failed: { icon: "failed", label: "Failed", className: "bg-bad-soft text-bad" },
  cancelled: { icon: "cancelled", label: "Cancelled", className: "bg-idle-soft text-idle" },
  skipped: { icon: "skipped", label: "Skipped", className: "bg-idle-soft text-idle" },
  // What became of an attempt or a fire, beyond the states of tasks.
  expected: { icon: "scheduled", label: "Expected", className: "bg-idle-soft text-idle" },
  missed: { icon: "failed", label: "Missed", className: "bg-bad-soft text-bad" },
  withdrawn: { icon: "cancelled", label: "Withdrawn", className: "bg-idle-soft text-idle" },
  lost: { icon: "warning", label: "Lost", className: "bg-warn-soft text-warn" },
  snoozed: { icon: "scheduled", label: "Snoozed", className: "bg-idle-soft text-idle" },
  paused: { icon: "paused", label: "Paused", className: "bg-warn-soft text-warn" },
  active: { icon: "succeeded", label: "Active", className: "bg-good-soft text-good" },
};

export function lookOf(state: string): Look {
  return Object.hasOwn(looks, state)
    ? looks[state]!
    : { icon: "unknown", label: state, className: "bg-idle-soft text-idle" };
}

/** A state as icon, word and colour. A state that this dashboard does not know keeps its own word. */
export function StateBadge({ state }: { state: string }) {
  const { icon, label, className } = lookOf(state);
  return (
    <span
      className={`inline-flex items-baseline justify-self-start gap-1.5 rounded-full py-1 pr-2.5 pl-2 text-xs leading-4 font-medium whitespace-nowrap ${className}`}
      data-state={state}
    >
      <Icon name={icon} className={`size-3.5 self-center ${state === "running" ? "spin" : ""}`} />
      {label}
    </span>
  );
}
