import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { isTimeZone } from "../format/zones.ts";
import { problemOf, sortByField } from "../services/problem.ts";
import type { Schedule, ScheduleDefinition, ScheduleTask } from "../services/schedules.ts";
import { CopyButton } from "./copy-button.tsx";
import { Field } from "./field.tsx";
import { useFailureFocus } from "./focus.ts";
import { useFields } from "./form-state.ts";
import { ProblemNotice } from "./problem-notice.tsx";
import { RuleInputs } from "./rule-inputs.tsx";
import { SchedulePreview, usePreview } from "./schedule-preview.tsx";
import { type RuleFields, readPreview, readRule, rulePointers } from "./schedule-rule.ts";
import {
  QueuePriorityTags,
  readTemplate,
  type TaskTemplate,
  TypeAndPayload,
  templateOf,
  templateReady,
} from "./task-template-fields.tsx";

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

const taskPointers = ["/task/type", "/task/payload", "/task/queue", "/task/priority", "/task/tags"];

export function ScheduleForm(props: ScheduleFormProps) {
  const [name, setName] = useState(props.name ?? "");
  const { fields: rule, set: setRule } = useFields(props.rule);
  const [template, setTemplate] = useState(props.template);
  const ready = name.trim() !== "" && readRule(rule, props.base) !== null && templateReady(template);
  const definition = ready ? readDefinition(props.base, rule, template) : null;

  const preview = usePreview(readPreview(props.base, rule, name.trim()));
  // While another zone is being typed, the fires are still those of the one before.
  const lastZone = useRef(props.rule.zone);
  if (isTimeZone(rule.zone.trim())) lastZone.current = rule.zone.trim();
  const zone = lastZone.current;
  const save = useMutation({
    mutationFn: (definition: ScheduleDefinition) => props.onSubmit(name.trim(), definition),
    onSuccess: props.onSaved,
  });
  const pointers = ["/name", ...rulePointers(rule, props.base), ...taskPointers];
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
        <RuleInputs
          rule={rule}
          set={setRule}
          errorsOf={errorsOf}
          errorsOfRow={(row, kind) =>
            errorsOf(`/rules/${row}/${kind}`) ?? (row === 0 ? errorsOf(`/${kind}`) : undefined)
          }
        />
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

/**
 * The base with what was changed in the form put in its place; what was emptied is left out, and so takes its default. A field that nobody
 * touched keeps its value, also one that its text cannot show exactly, such as a tag with a comma.
 */
export function readDefinition(
  base: ScheduleDefinition | null,
  rule: RuleFields,
  template: TaskTemplate,
): ScheduleDefinition {
  const { task, ...others } = base ?? { task: { type: "" } };
  const rest = Object.entries(others).filter(([field]) => !ruleFields.includes(field));
  const opened = templateOf(task);
  const touched = templateFields.filter((field) => template[field] !== opened[field]);
  const kept = Object.entries(task).filter(([field]) => !touched.some((name) => name === field));
  const given = readTemplate(template);
  const changed = touched.filter((field) => given[field] !== undefined).map((field) => [field, given[field]]);
  return {
    ...Object.fromEntries(rest),
    ...readRule(rule, base),
    task: Object.fromEntries([...kept, ...changed]) as unknown as ScheduleTask,
  };
}

/** The form has all of these. */
const ruleFields = ["cron", "every", "rrule", "rules", "excludes", "includes", "roll"];
const templateFields = ["type", "payload", "queue", "priority", "tags"] as const;
