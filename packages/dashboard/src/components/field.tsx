import { type ReactNode, useId } from "react";

export interface FieldAria {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean;
}

interface FieldProps {
  label: string;
  hint?: ReactNode;
  errors?: string[] | undefined;
  optional?: boolean;
  /** Gets what ties the input to its label, hint and errors. */
  children: (aria: FieldAria) => ReactNode;
}

export function Field({ label, hint, errors = [], optional = false, children }: FieldProps) {
  const id = useId();
  const described = [hint ? `${id}-hint` : "", errors.length > 0 ? `${id}-errors` : ""].filter(Boolean).join(" ");
  return (
    <div className="space-y-1.5">
      <label htmlFor={id} className="block font-medium">
        {label} {optional && <span className="font-normal text-muted">(optional)</span>}
      </label>
      {children({ id, "aria-describedby": described || undefined, "aria-invalid": errors.length > 0 })}
      {hint && (
        <p id={`${id}-hint`} className="text-xs text-muted">
          {hint}
        </p>
      )}
      {errors.length > 0 && (
        <ul id={`${id}-errors`} className="text-xs text-bad">
          {errors.map((message) => (
            <li key={message} className="break-words">
              {message}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface ChoiceProps<Value extends string> {
  legend: string;
  name: string;
  options: readonly { value: Value; label: string }[];
  value: Value;
  onChange: (value: Value) => void;
  legendHidden?: boolean;
}

/** A few exclusive options side by side; radio buttons underneath, so arrow keys work. */
export function Choice<Value extends string>({
  legend,
  name,
  options,
  value,
  onChange,
  legendHidden,
}: ChoiceProps<Value>) {
  return (
    <fieldset>
      <legend className={legendHidden ? "sr-only" : "mb-1.5 font-medium"}>{legend}</legend>
      <div className="inline-flex max-w-full flex-wrap rounded-md border border-line bg-sunken p-0.5">
        {options.map((option) => (
          <label
            key={option.value}
            className="inline-flex h-7 cursor-pointer items-center rounded px-2.5 text-xs font-medium text-muted has-checked:bg-selected has-checked:text-ink has-checked:shadow-xs has-focus-visible:outline-2 has-focus-visible:outline-accent-solid"
          >
            <input
              type="radio"
              className="sr-only"
              name={name}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            {option.label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
