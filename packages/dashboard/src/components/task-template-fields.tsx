import { useQuery } from "@tanstack/react-query";
import { useId } from "react";
import type { ScheduleTask } from "../services/schedules.ts";
import { typesQuery } from "../services/tasks.ts";
import { Field } from "./field.tsx";
import { JsonField, jsonError, readJson } from "./json-field.tsx";

/** What the form to create a task and the one for a schedule's tasks have in common. */
export interface TaskTemplate {
  type: string;
  payload: string;
  queue: string;
  priority: string;
  tags: string;
}

export const emptyTemplate: TaskTemplate = { type: "", payload: "", queue: "", priority: "", tags: "" };

/** The fields as they stand for a schedule's task. */
export function templateOf({ type, payload, queue, priority, tags }: ScheduleTask): TaskTemplate {
  return {
    type,
    payload: payload === null || payload === undefined ? "" : pretty(payload),
    queue: queue ?? "",
    priority: priority === null || priority === undefined ? "" : String(priority),
    tags: (tags ?? []).join(", "),
  };
}

/** What the types that come with Carillon expect. */
const examples: Record<string, unknown> = {
  http: { url: "https://example.com/hook", method: "POST", body: { hello: "world" } },
  sleep: { for: "3s" },
  command: { argv: ["/usr/bin/date"] },
};

interface TaskTemplateFieldsProps {
  fields: TaskTemplate;
  onChange: (fields: TaskTemplate) => void;
  /** Messages by JSON pointer, where `base` is the pointer of the template. */
  errors: Record<string, string[]>;
  base: string;
}

export function TypeAndPayload({ fields, onChange, errors, base }: TaskTemplateFieldsProps) {
  const list = useId();
  const types = useQuery(typesQuery()).data?.types.map(({ type }) => type) ?? [];

  function changeType(type: string): void {
    const untouched =
      fields.payload === "" || Object.values(examples).some((example) => fields.payload === pretty(example));
    const payload = !untouched ? fields.payload : Object.hasOwn(examples, type) ? pretty(examples[type]) : "";
    onChange({ ...fields, type, payload });
  }

  return (
    <>
      <Field
        label="Type"
        hint="The kind of work, as workers declare it: http, sleep, or one of your own."
        errors={errors[`${base}/type`]}
      >
        {(aria) => (
          <>
            <input
              {...aria}
              className="input"
              required
              list={list}
              value={fields.type}
              onChange={(event) => changeType(event.target.value)}
              spellCheck={false}
              autoCapitalize="off"
              autoComplete="off"
            />
            <datalist id={list}>
              {[...new Set([...types, "http", "sleep", "noop"])].map((type) => (
                <option key={type} value={type} />
              ))}
            </datalist>
          </>
        )}
      </Field>
      <JsonField
        label="Payload"
        value={fields.payload}
        onChange={(payload) => onChange({ ...fields, payload })}
        errors={errors[`${base}/payload`]}
      />
    </>
  );
}

export function QueuePriorityTags({ fields, onChange, errors, base }: TaskTemplateFieldsProps) {
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <Field
        label="Queue"
        optional
        hint="Left out: the one that workers declare for the type, else default."
        errors={errors[`${base}/queue`]}
      >
        {(aria) => (
          <input
            {...aria}
            className="input"
            value={fields.queue}
            onChange={(event) => onChange({ ...fields, queue: event.target.value })}
            spellCheck={false}
            autoCapitalize="off"
          />
        )}
      </Field>
      <Field
        label="Priority"
        optional
        hint="1 is urgent, 9 is idle; 5 when left out."
        errors={errors[`${base}/priority`]}
      >
        {(aria) => (
          <input
            {...aria}
            className="input"
            type="number"
            min={1}
            max={9}
            value={fields.priority}
            onChange={(event) => onChange({ ...fields, priority: event.target.value })}
          />
        )}
      </Field>
      <div className="sm:col-span-2">
        <Field label="Tags" optional hint="For people, separated by commas." errors={errors[`${base}/tags`]}>
          {(aria) => (
            <input
              {...aria}
              className="input"
              value={fields.tags}
              onChange={(event) => onChange({ ...fields, tags: event.target.value })}
              spellCheck={false}
            />
          )}
        </Field>
      </div>
    </div>
  );
}

/** What is given; the rest is left to the server's defaults. Only to be called when `templateReady`. */
export function readTemplate({ type, payload, queue, priority, tags }: TaskTemplate) {
  const value = readJson(payload);
  const given = tags.split(",").map((tag) => tag.trim());
  return {
    type: type.trim(),
    ...(value === undefined ? {} : { payload: value }),
    ...(queue.trim() === "" ? {} : { queue: queue.trim() }),
    ...(priority === "" ? {} : { priority: Number(priority) }),
    ...(given.some(Boolean) ? { tags: given.filter(Boolean) } : {}),
  };
}

export function templateReady({ type, payload }: TaskTemplate): boolean {
  return type.trim() !== "" && (payload.trim() === "" || jsonError(payload) === null);
}

export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
