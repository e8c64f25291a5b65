import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { isTimeZone } from "../format/zones.ts";
import { problemOf, sortByField } from "../services/problem.ts";
import type { Rule, Schedule, ScheduleDefinition, ScheduleTask } from "../services/schedules.ts";
import { CopyButton } from "./copy-button.tsx";
import { Choice, Field } from "./field.tsx";
import { useFailureFocus } from "./focus.ts";
import { useFields } from "./form-state.ts";
import { ProblemNotice } from "./problem-notice.tsx";
import { SchedulePreview, usePreview } from "./schedule-preview.tsx";
import {
  QueuePriorityTags,
  readTemplate,
  type TaskTemplate,
  TypeAndPayload,
  templateOf,
  templateReady,
} from "./task-template-fields.tsx";
import { ZonePicker, zoneErrors } from "./zone-picker.tsx";

export interface RuleFields {
  kind: "cron" | "every";
  cron: string;
  every: string;
  zone: string;
}

interface ScheduleFormProps {
  /** Null when the schedule has its name already. */
  name: string | null;
  rule: RuleFields;
  template: TaskTemplate;
  /** What a save replaces; the form changes only what it shows. */
  base: ScheduleDefinition | null;
  submitLabel: string;
  onSubmit: (name: string, definition: ScheduleDefinition) => Promise<Schedule>;
  onSaved: (schedule: Schedule) => void;
  curl: (name: string, definition: ScheduleDefinition) => string;
  cancel: ReactNode;
}

const pointers = [
  "/name",
  "/cron",
  "/every",
  "/timeZone",
  "/task/type",
  "/task/payload",
  "/task/queue",
  "/task/priority",
  "/task/tags",
];

export function ScheduleForm(props: ScheduleFormProps) {
  const [name, setName] = useState(props.name ?? "");
  const { fields: rule, set: setRule } = useFields(props.rule);
  const [template, setTemplate] = useState(props.template);
  const ready = name.trim() !== "" && readRule(rule) !== null && templateReady(template);
  const definition = ready ? readDefinition(props.base, rule, template) : null;

  const preview = usePreview(readPreview(props.base, rule));
  // While another zone is being typed, the fires are still those of the one before.
  const lastZone = useRef(props.rule.zone);
  if (isTimeZone(rule.zone.trim())) lastZone.current = rule.zone.trim();
  const zone = lastZone.current;
  const save = useMutation({
    mutationFn: (definition: ScheduleDefinition) => props.onSubmit(name.trim(), definition),
    onSuccess: props.onSaved,
  });
  const saving = sortByField(save.error ? problemOf(save.error) : null, pointers);
  const previewing = sortByField(preview.error ? problemOf(preview.error) : null, pointers);
  const form = useRef<HTMLFormElement>(null);
  useFailureFocus(form, save.error);
  const errorsOf = (pointer: string) => previewing.byField[pointer] ?? saving.byField[pointer];

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (definition !== null && !save.isPending) save.mutate(definition);
  }

  return (
    <form ref={form} className="grid items-start gap-x-8 gap-y-5 lg:grid-cols-2" onSubmit={submit}>
      <div className="space-y-5">
        {save.error && <ProblemNotice error={save.error} errors={saving.others} />}
        {props.name === null && (
          <Field label="Name" hint="Letters, digits, dots, dashes and underscores." errors={errorsOf("/name")}>
            {(aria) => (
              <input
                {...aria}
                className="input"
                required
                value={name}
                onChange={(event) => setName(event.target.value)}
                spellCheck={false}
                autoCapitalize="off"
                autoComplete="off"
              />
            )}
          </Field>
        )}
        <RuleInputs rule={rule} set={setRule} errorsOf={errorsOf} />
        <div className="lg:hidden">
          <SchedulePreview preview={preview} zone={zone} errorShown={Object.keys(previewing.byField).length > 0} />
        </div>
        <TypeAndPayload fields={template} onChange={setTemplate} errors={saving.byField} base="/task" />
        <QueuePriorityTags fields={template} onChange={setTemplate} errors={saving.byField} base="/task" />
        <div className="flex flex-wrap gap-2 border-t border-line pt-5">
          <button type="submit" className="button button-primary" disabled={!ready} aria-disabled={save.isPending}>
            {props.submitLabel}
          </button>
          {definition !== null && (
            <CopyButton visible label="Copy as curl" text={props.curl(name.trim(), definition)} />
          )}
          {props.cancel}
        </div>
      </div>
      <div className="sticky top-20 max-lg:hidden">
        <SchedulePreview preview={preview} zone={zone} errorShown={Object.keys(previewing.byField).length > 0} />
      </div>
    </form>
  );
}

const kinds = [
  { value: "cron", label: "Cron expression" },
  { value: "every", label: "Interval" },
] as const;

interface RuleInputsProps {
  rule: RuleFields;
  set: <Key extends keyof RuleFields>(key: Key) => (value: RuleFields[Key]) => void;
  errorsOf: (pointer: string) => string[] | undefined;
}

function RuleInputs({ rule, set, errorsOf }: RuleInputsProps) {
  return (
    <>
      <Choice legend="Rule" name="rule" options={kinds} value={rule.kind} onChange={set("kind")} />
      <div className="grid gap-4 sm:grid-cols-2">
        {rule.kind === "cron" ? (
          <Field
            label="Cron expression"
            hint="Minute, hour, day, month, weekday; or @daily."
            errors={errorsOf("/cron")}
          >
            {(aria) => (
              <input
                {...aria}
                className="input font-mono"
                required
                value={rule.cron}
                onChange={(event) => set("cron")(event.target.value)}
                spellCheck={false}
                autoCapitalize="off"
                autoComplete="off"
              />
            )}
          </Field>
        ) : (
          <Field label="Every" hint="A number with s, m, h, d or w, also combined: 1h30m." errors={errorsOf("/every")}>
            {(aria) => (
              <input
                {...aria}
                className="input"
                required
                value={rule.every}
                onChange={(event) => set("every")(event.target.value)}
                spellCheck={false}
              />
            )}
          </Field>
        )}
        <Field
          label="Time zone"
          hint={
            rule.kind === "every"
              ? "For display: an interval counts elapsed time."
              : "The wall clock that the rule is read on."
          }
          errors={zoneErrors(rule.zone) ?? errorsOf("/timeZone")}
        >
          {(aria) => <ZonePicker aria={aria} value={rule.zone} onChange={set("zone")} />}
        </Field>
      </div>
    </>
  );
}

function readRule({ kind, cron, every, zone }: RuleFields): Rule | null {
  const text = (kind === "cron" ? cron : every).trim();
  return text === "" || !isTimeZone(zone.trim()) ? null : { [kind]: text, timeZone: zone.trim() };
}

/** What decides when it fires: the rule of the form, and whatever else of that the base has. */
export function readPreview(base: ScheduleDefinition | null, rule: RuleFields): Rule | null {
  const read = readRule(rule);
  const kept = fireFields.filter((field) => base?.[field] !== undefined).map((field) => [field, base![field]]);
  return read && { ...Object.fromEntries(kept), ...read };
}

const fireFields = ["dialect", "dst", "jitter", "startAt", "endAt", "maxFires"];

/**
 * The base with what was changed in the form put in its place; what was emptied is left out, and so takes its default. A field that nobody
 * touched keeps its value, also one that its text cannot show exactly, such as a tag with a comma.
 */
export function readDefinition(
  base: ScheduleDefinition | null,
  rule: RuleFields,
  template: TaskTemplate,
): ScheduleDefinition {
  const { cron: _cron, every: _every, rrule: _rrule, rules: _rules, ...rest } = base ?? { task: { type: "" } };
  const opened = templateOf(rest.task);
  const touched = templateFields.filter((field) => template[field] !== opened[field]);
  const kept = Object.entries(rest.task).filter(([field]) => !touched.some((name) => name === field));
  const given = readTemplate(template);
  const changed = touched.filter((field) => given[field] !== undefined).map((field) => [field, given[field]]);
  return { ...rest, ...readRule(rule), task: Object.fromEntries([...kept, ...changed]) as unknown as ScheduleTask };
}

const templateFields = ["type", "payload", "queue", "priority", "tags"] as const;
