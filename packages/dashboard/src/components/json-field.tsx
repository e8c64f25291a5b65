import { Field } from "./field.tsx";

interface JsonFieldProps {
  label: string;
  value: string;
  onChange: (text: string) => void;
  errors?: string[] | undefined;
}

export function JsonField({ label, value, onChange, errors = [] }: JsonFieldProps) {
  const wrong = value.trim() === "" ? null : jsonError(value);
  return (
    <Field label={label} optional hint="JSON. Empty for none." errors={wrong === null ? errors : [wrong, ...errors]}>
      {(aria) => (
        <textarea
          {...aria}
          className="input code h-auto min-h-28 py-2"
          rows={Math.min(16, Math.max(5, value.split("\n").length))}
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

/** Null when it can be read. */
export function jsonError(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return `This is not JSON: ${error instanceof Error ? error.message : "unreadable"}`;
  }
}

/** What the field holds; undefined when it is empty. */
export function readJson(text: string): unknown {
  return text.trim() === "" ? undefined : JSON.parse(text);
}
