import { useQuery } from "@tanstack/react-query";
import { calendarsQuery } from "../services/calendars.ts";
import { Choice, Field } from "./field.tsx";
import { Icon } from "./icons.tsx";
import { emptyRow, MOST_RULES, type Roll, type RuleFields, type RuleKind, type RuleRow } from "./schedule-rule.ts";
import { ZonePicker, zoneErrors } from "./zone-picker.tsx";

interface RuleInputsProps {
  rule: RuleFields;
  set: <Key extends keyof RuleFields>(key: Key) => (value: RuleFields[Key]) => void;
  /** Messages at a field of one of the rules, by its place. */
  errorsOfRow: (row: number, kind: RuleKind) => string[] | undefined;
  errorsOf: (pointer: string) => string[] | undefined;
}

export function RuleInputs({ rule, set, errorsOfRow, errorsOf }: RuleInputsProps) {
  const { rows } = rule;
  const change = (index: number, row: RuleRow) =>
    set("rows")(rows.map((each, place) => (place === index ? row : each)));
  const onlyIntervals = rows.every(({ kind }) => kind === "every");
  return (
    <>
      {rows.map((row, index) => (
        <RuleRowInputs
          // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other identity, and their inputs hold no state
          key={index}
          row={row}
          index={index}
          cronHint={dialects[rule.dialect]?.fields}
          legend={rows.length === 1 ? "Rule" : `Rule ${index + 1}`}
          onChange={(changed) => change(index, changed)}
          onRemove={rows.length === 1 ? null : () => set("rows")(rows.filter((_, place) => place !== index))}
          errorsOf={(kind) => errorsOfRow(index, kind)}
        />
      ))}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <button
          type="button"
          className="button"
          disabled={rows.length >= MOST_RULES}
          onClick={() => set("rows")([...rows, emptyRow])}
        >
          <Icon name="plus" />
          Add a rule
        </button>
        <span className="text-xs text-muted">
          {rows.length === 1
            ? "For times that one rule cannot say."
            : "It fires whenever one of them does, once for an instant."}
        </span>
      </div>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field
          label="Time zone"
          hint={
            onlyIntervals ? "For display: an interval counts elapsed time." : "The wall clock that the rule is read on."
          }
          errors={zoneErrors(rule.zone) ?? errorsOf("/timeZone")}
        >
          {(aria) => <ZonePicker aria={aria} value={rule.zone} onChange={set("zone")} />}
        </Field>
        {rows.some(({ kind }) => kind === "cron") && (
          <Field label="Dialect" hint={dialects[rule.dialect]?.about} errors={errorsOf("/dialect")}>
            {(aria) => (
              <select
                {...aria}
                className="input"
                value={rule.dialect}
                onChange={(event) => set("dialect")(event.target.value)}
              >
                {Object.keys(dialects).map((dialect) => (
                  <option key={dialect}>{dialect}</option>
                ))}
              </select>
            )}
          </Field>
        )}
      </div>
      <Calendars legend="Not during" chosen={rule.excludes} onChange={set("excludes")} errors={errorsOf("/excludes")} />
      <Calendars
        legend="Only during"
        chosen={rule.includes}
        onChange={set("includes")}
        errors={errorsOf("/includes")}
      />
      {rule.excludes.length + rule.includes.length > 0 && (
        <Field
          label="What they take out"
          hint="At the same time of another day, or skipped."
          errors={errorsOf("/roll")}
        >
          {(aria) => (
            <select
              {...aria}
              className="input"
              value={rule.roll}
              onChange={(event) => set("roll")(event.target.value as Roll)}
            >
              <option value="none">is skipped</option>
              <option value="next">goes to the next day that is left</option>
              <option value="previous">goes to the previous day that is left</option>
            </select>
          )}
        </Field>
      )}
    </>
  );
}

/** What it is, and its fields. */
const dialects: Record<string, { about: string; fields: string }> = {
  ocps: {
    about: "Five to seven fields. A day of the month or a weekday suffices, if both are given.",
    fields: "Minute, hour, day, month, weekday; or @daily. H is a place that the name decides.",
  },
  vixie: {
    about: "As the cron of Linux reads it: five fields.",
    fields: "Minute, hour, day, month, weekday; or @daily.",
  },
  quartz: {
    about: "Six or seven fields, the seconds first; weekdays are 1 (Sunday) to 7.",
    fields: "Second, minute, hour, day, month, weekday; one of the two days is ?.",
  },
  aws: {
    about: "Six fields, the year last; one of the two days is ?.",
    fields: "Minute, hour, day, month, weekday, year; one of the two days is ?.",
  },
};

const kinds = [
  { value: "cron", label: "Cron expression" },
  { value: "every", label: "Interval" },
  { value: "rrule", label: "RRULE" },
] as const;

interface RuleRowProps {
  row: RuleRow;
  index: number;
  cronHint: string | undefined;
  legend: string;
  onChange: (row: RuleRow) => void;
  onRemove: (() => void) | null;
  errorsOf: (kind: RuleKind) => string[] | undefined;
}

function RuleRowInputs({ row, index, cronHint, legend, onChange, onRemove, errorsOf }: RuleRowProps) {
  const { kind } = row;
  return (
    <div className="space-y-3">
      <div className="flex flex-wrap items-end justify-between gap-2">
        <Choice
          legend={legend}
          name={`rule-${index}`}
          options={kinds}
          value={kind as RuleKind}
          onChange={(chosen) => onChange({ ...row, kind: chosen })}
        />
        {onRemove && (
          <button type="button" className="button button-quiet" aria-label={`Remove ${legend}`} onClick={onRemove}>
            <Icon name="trash" />
            Remove
          </button>
        )}
      </div>
      {kind === "kept" ? (
        <p>
          <code className="code break-words">{JSON.stringify(row.kept)}</code>{" "}
          <span className="text-xs text-muted">stays as it is: there is no field for it here.</span>
        </p>
      ) : (
        <RuleText
          kind={kind}
          hint={kind === "cron" ? cronHint : texts[kind].hint}
          value={row[kind]}
          onChange={(text) => onChange({ ...row, [kind]: text })}
          errors={errorsOf(kind)}
        />
      )}
    </div>
  );
}

const texts = {
  cron: { label: "Cron expression", hint: undefined },
  every: { label: "Every", hint: "A number with s, m, h, d or w, also combined: 1h30m." },
  rrule: {
    label: "RRULE",
    hint: "RFC 5545, as in FREQ=MONTHLY;BYDAY=-1FR; also with lines DTSTART, EXDATE and RDATE.",
  },
};

interface RuleTextProps {
  kind: RuleKind;
  hint: string | undefined;
  value: string;
  onChange: (text: string) => void;
  errors: string[] | undefined;
}

function RuleText({ kind, hint, value, onChange, errors }: RuleTextProps) {
  const given = { required: true, value, spellCheck: false, autoCapitalize: "off", autoComplete: "off" };
  return (
    <Field label={texts[kind].label} hint={hint} errors={errors}>
      {(aria) =>
        kind === "rrule" ? (
          <textarea
            {...aria}
            {...given}
            className="input code h-auto py-2"
            rows={Math.min(8, Math.max(2, value.split("\n").length))}
            onChange={(event) => onChange(event.target.value)}
          />
        ) : (
          <input
            {...aria}
            {...given}
            className={kind === "cron" ? "input font-mono" : "input"}
            onChange={(event) => onChange(event.target.value)}
          />
        )
      }
    </Field>
  );
}

interface CalendarsProps {
  legend: string;
  chosen: string[];
  onChange: (names: string[]) => void;
  errors: string[] | undefined;
}

/** Nothing where there are no calendars. Those that are chosen already come first, and keep their order. */
function Calendars({ legend, chosen, onChange, errors = [] }: CalendarsProps) {
  const known = useQuery(calendarsQuery()).data?.calendars.map(({ name }) => name) ?? [];
  const names = [...new Set([...chosen, ...known])];
  if (names.length === 0) return null;
  return (
    <fieldset>
      <legend className="mb-1.5 font-medium">
        {legend} <span className="font-normal text-muted">(calendars)</span>
      </legend>
      <div className="flex max-h-40 flex-wrap gap-x-4 gap-y-1 overflow-y-auto">
        {names.map((name) => (
          <label key={name} className="inline-flex min-h-6 items-center gap-1.5">
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={(event) =>
                onChange(event.target.checked ? [...chosen, name] : chosen.filter((each) => each !== name))
              }
            />
            <span className="break-all">{name}</span>
          </label>
        ))}
      </div>
      {errors.map((message) => (
        <p key={message} className="mt-1 text-xs break-words text-bad">
          {message}
        </p>
      ))}
    </fieldset>
  );
}
