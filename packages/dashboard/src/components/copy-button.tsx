import { useEffect, useState } from "react";
import { Icon } from "./icons.tsx";

interface CopyButtonProps {
  text: string;
  /** Says what is copied; read by screen readers, and shown when `visible`. */
  label: string;
  visible?: boolean;
}

export function CopyButton({ text, label, visible = false }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<"copied" | "refused" | null>(null);
  useEffect(() => {
    if (outcome === null) return;
    const timer = setTimeout(() => setOutcome(null), 2_000);
    return () => clearTimeout(timer);
  }, [outcome]);

  return (
    <button
      type="button"
      className={
        visible
          ? "button"
          : "inline-flex size-6 shrink-0 items-center justify-center rounded text-muted hover:bg-hover hover:text-ink"
      }
      aria-label={visible ? undefined : label}
      title={visible ? undefined : label}
      onClick={() => void copy(text).then(setOutcome)}
    >
      <Icon name={outcome === "copied" ? "succeeded" : "copy"} className={visible ? "" : "size-3.5"} />
      {visible && (outcome === "copied" ? "Copied" : label)}
      <span className="sr-only" aria-live="polite">
        {outcome === "copied" ? "Copied" : outcome === "refused" ? "The browser did not allow copying" : ""}
      </span>
    </button>
  );
}

/** Browsers offer the clipboard on https and on this machine only; elsewhere the old selection way still works. */
async function copy(text: string): Promise<"copied" | "refused"> {
  try {
    await navigator.clipboard.writeText(text);
    return "copied";
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied ? "copied" : "refused";
  }
}
