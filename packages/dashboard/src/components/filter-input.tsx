import { type ReactNode, useEffect, useId, useRef, useState } from "react";

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

/** A text that narrows a list; the list follows a moment after the last key stroke. */
export function FilterInput({
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
