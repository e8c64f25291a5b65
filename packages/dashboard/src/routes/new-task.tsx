import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useRef } from "react";
import { CopyButton } from "../components/copy-button.tsx";
import { Choice, Field } from "../components/field.tsx";
import { useFailureFocus } from "../components/focus.ts";
import { useFields } from "../components/form-state.ts";
import { Page } from "../components/page.tsx";
import { ProblemNotice } from "../components/problem-notice.tsx";
import {
  emptyTemplate,
  QueuePriorityTags,
  readTemplate,
  TypeAndPayload,
  templateReady,
} from "../components/task-template-fields.tsx";
import { ZonePicker, zoneErrors } from "../components/zone-picker.tsx";
import { viewerZone } from "../format/instant.ts";
import { curlCommand } from "../format/shell.ts";
import { isTimeZone } from "../format/zones.ts";
import { newIdempotencyKey } from "../services/http.ts";
import { problemOf, sortByField } from "../services/problem.ts";
import { createTask, type NewTask } from "../services/tasks.ts";

interface Due {
  when: "now" | "delay" | "instant";
  delay: string;
  /** Wall time as the browser's own picker gives it, `2026-11-21T02:00`. */
  wall: string;
  zone: string;
}

const pointers = ["/type", "/payload", "/queue", "/priority", "/tags", "/delay", "/dueAt"];

export function NewTaskPage() {
  const navigate = useNavigate();
  const template = useFields(emptyTemplate);
  const due = useFields<Due>({ when: "now", delay: "10m", wall: "", zone: viewerZone });
  // Pressed twice, or sent again after a lost answer: still one task. Another content is another intention.
  const intention = useRef({ body: "", key: "" });
  const ready = templateReady(template.fields) && dueReady(due.fields);

  const create = useMutation({
    mutationFn: (task: NewTask) => {
      const body = JSON.stringify(task);
      if (intention.current.body !== body) intention.current = { body, key: newIdempotencyKey() };
      return createTask(task, intention.current.key);
    },
    onSuccess: (task) => navigate({ to: "/tasks/$id", params: { id: task.id } }),
  });
  const { byField, others } = sortByField(create.error ? problemOf(create.error) : null, pointers);
  const form = useRef<HTMLFormElement>(null);
  useFailureFocus(form, create.error);
  const body = ready ? readTask(template.fields, due.fields) : null;

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (body !== null && !create.isPending) create.mutate(body);
  }

  return (
    <Page title="New task" tabTitle="New task">
      <form ref={form} className="max-w-2xl space-y-5" onSubmit={submit}>
        {create.error && <ProblemNotice error={create.error} errors={others} />}
        <TypeAndPayload fields={template.fields} onChange={template.setFields} errors={byField} base="" />
        <DueFields fields={due.fields} set={due.set} errors={byField} />
        <QueuePriorityTags fields={template.fields} onChange={template.setFields} errors={byField} base="" />
        <div className="flex flex-wrap gap-2 border-t border-line pt-5">
          <button type="submit" className="button button-primary" disabled={!ready} aria-disabled={create.isPending}>
            Create task
          </button>
          {body !== null && (
            <CopyButton
              visible
              label="Copy as curl"
              text={curlCommand("POST", `${location.origin}/api/v1/tasks`, body)}
            />
          )}
          <Link to="/tasks" className="button button-quiet">
            Cancel
          </Link>
        </div>
      </form>
    </Page>
  );
}

const whenOptions = [
  { value: "now", label: "Now" },
  { value: "delay", label: "After a delay" },
  { value: "instant", label: "At an instant" },
] as const;

interface DueFieldsProps {
  fields: Due;
  set: <Key extends keyof Due>(key: Key) => (value: Due[Key]) => void;
  errors: Record<string, string[]>;
}

function DueFields({ fields, set, errors }: DueFieldsProps) {
  return (
    <div className="space-y-3">
      <Choice legend="Due" name="due" options={whenOptions} value={fields.when} onChange={set("when")} />
      {fields.when === "delay" && (
        <Field label="Delay" hint="A number with ms, s, m, h, d or w, also combined: 1h30m." errors={errors["/delay"]}>
          {(aria) => (
            <input
              {...aria}
              className="input max-w-60"
              required
              value={fields.delay}
              onChange={(event) => set("delay")(event.target.value)}
              spellCheck={false}
            />
          )}
        </Field>
      )}
      {fields.when === "instant" && (
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="Date and time" errors={errors["/dueAt"]}>
            {(aria) => (
              <input
                {...aria}
                className="input"
                type="datetime-local"
                step={1}
                required
                value={fields.wall}
                onChange={(event) => set("wall")(event.target.value)}
              />
            )}
          </Field>
          <Field label="Time zone" errors={zoneErrors(fields.zone)}>
            {(aria) => <ZonePicker aria={aria} value={fields.zone} onChange={set("zone")} />}
          </Field>
        </div>
      )}
    </div>
  );
}

function dueReady({ when, wall, zone }: Due): boolean {
  return when !== "instant" || (wall !== "" && isTimeZone(zone.trim()));
}

function readTask(template: typeof emptyTemplate, due: Due): NewTask {
  return {
    ...readTemplate(template),
    ...(due.when === "delay" ? { delay: due.delay.trim() } : {}),
    ...(due.when === "instant" ? { dueAt: `${due.wall}[${due.zone.trim()}]` } : {}),
  };
}
