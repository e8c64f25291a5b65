import { useQuery } from "@tanstack/react-query";
import { schedulesQuery } from "../services/schedules.ts";
import { type TaskState, taskStates, typesQuery } from "../services/tasks.ts";
import { FilterInput } from "./filter-input.tsx";
import { Icon } from "./icons.tsx";
import { lookOf } from "./state-badge.tsx";

/** What the address says about which tasks to show. */
export interface TaskSearch {
  state?: TaskState[];
  type?: string;
  queue?: string;
  schedule?: string;
  workflow?: string;
  tag?: string;
  q?: string;
  /** Also what is due later. */
  later?: true;
}

interface TaskFiltersProps {
  search: TaskSearch;
  onChange: (change: { [Key in keyof TaskSearch]?: TaskSearch[Key] | undefined }) => void;
}

/** Without a choice of states everything is shown but what is due later: the future must not drown the present. */
export function TaskFilters({ search, onChange }: TaskFiltersProps) {
  const types = useQuery(typesQuery()).data?.types ?? [];
  const schedules = useQuery(schedulesQuery({ pageSize: 200 })).data?.schedules ?? [];
  const queues = ["default", ...types.flatMap(({ queue }) => queue ?? [])];
  const states = search.state ?? [];

  function toggle(state: TaskState): void {
    const next = states.includes(state) ? states.filter((other) => other !== state) : [...states, state];
    onChange({ state: next.length === 0 ? undefined : next });
  }

  return (
    <search className="mb-4 block space-y-3" aria-label="Filter tasks">
      <div className="grid grid-cols-2 gap-2 sm:grid-cols-[minmax(0,2fr)_repeat(4,minmax(0,1fr))]">
        <FilterInput
          label="Search"
          placeholder="Search payload, error, type or id"
          icon={<Icon name="search" className="pointer-events-none absolute top-2 left-2.5 text-muted" />}
          wide
          shortcut="/"
          value={search.q}
          onCommit={(q) => onChange({ q })}
        />
        <FilterInput
          label="Type"
          value={search.type}
          options={types.map(({ type }) => type)}
          onCommit={(type) => onChange({ type })}
        />
        <FilterInput label="Queue" value={search.queue} options={queues} onCommit={(queue) => onChange({ queue })} />
        <FilterInput
          label="Schedule"
          value={search.schedule}
          options={schedules.map(({ name }) => name)}
          onCommit={(schedule) => onChange({ schedule })}
        />
        {search.workflow !== undefined && (
          <FilterInput label="Workflow" value={search.workflow} onCommit={(workflow) => onChange({ workflow })} />
        )}
        <FilterInput label="Tag" value={search.tag} onCommit={(tag) => onChange({ tag })} />
      </div>
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <fieldset className="flex flex-wrap gap-1">
          <legend className="sr-only">States</legend>
          {taskStates.map((state) => (
            <button
              key={state}
              type="button"
              className="chip"
              aria-pressed={states.includes(state)}
              onClick={() => toggle(state)}
            >
              <Icon name={lookOf(state).icon} className="size-3.5" />
              {lookOf(state).label}
            </button>
          ))}
        </fieldset>
        <label
          className={`ml-auto inline-flex min-h-6 items-center gap-2 text-xs font-medium ${states.length > 0 ? "text-muted" : ""}`}
        >
          <input
            type="checkbox"
            className="switch"
            checked={states.length > 0 ? states.includes("scheduled") : search.later === true}
            disabled={states.length > 0}
            onChange={(event) => onChange({ later: event.target.checked || undefined })}
          />
          Show due later
        </label>
      </div>
    </search>
  );
}
