import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { schedulesQuery } from "../services/schedules.ts";
import { type TaskState, taskStates, typesQuery } from "../services/tasks.ts";
import { Icon } from "./icons.tsx";
import { lookOf } from "./state-badge.tsx";

/** What the address says about which tasks to show. */
export interface TaskSearch {
  state?: TaskState[];
  type?: string;
  queue?: string;
  schedule?: string;
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
      <div className="grid grid-cols-2 gap-2 sm:grid-cols-[minmax(0,2fr)_repeat(3,minmax(0,1fr))]">
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
          className={`ml-auto inline-flex items-center gap-2 text-xs font-medium ${states.length > 0 ? "text-muted" : ""}`}
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

interface FilterInputProps {
  label: string;
  placeholder?: string;
  icon?: ReactNode;
  /** Takes a whole row on narrow screens. */
  wide?: boolean;
  /** A key that focuses it from anywhere on the page. */
  shortcut?: string;
  value: string | undefined;
  options?: string[];
  onCommit: (value: string | undefined) => void;
}

function FilterInput({
  label,
  placeholder,
  icon,
  wide = false,
  shortcut,
  value = "",
  options,
  onCommit,
}: FilterInputProps) {
  const list = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);

  // While typing the list follows a moment later.
  const commit = useRef(onCommit);
  commit.current = onCommit;
  useEffect(() => {
    if (text.trim() === value) return;
    const timer = setTimeout(() => commit.current(text.trim() || undefined), 250);
    return () => clearTimeout(timer);
  }, [text, value]);

  useEffect(() => {
    if (shortcut === undefined) return;
    function onKeyDown(event: KeyboardEvent): void {
      const typing =
        event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable]");
      if (event.key !== shortcut || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    }
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, [shortcut]);

  return (
    <div className={`relative ${wide ? "max-sm:col-span-2" : ""}`}>
      {icon}
      <input
        ref={input}
        type="search"
        className={`input input-compact ${icon ? "pl-8" : ""}`}
        aria-label={label}
        placeholder={placeholder ?? label}
        value={text}
        list={options && options.length > 0 ? list : undefined}
        onChange={(event) => setText(event.target.value)}
        spellCheck={false}
        autoComplete="off"
      />
      {options && options.length > 0 && (
        <datalist id={list}>
          {[...new Set(options)].map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      )}
    </div>
  );
}
