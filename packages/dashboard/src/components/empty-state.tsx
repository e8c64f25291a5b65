import type { ReactNode } from "react";
import { CopyButton } from "./copy-button.tsx";

interface EmptyStateProps {
  title: string;
  children: ReactNode;
  /** Commands that make the first one. */
  commands?: string[];
  action?: ReactNode;
}

export function EmptyState({ title, children, commands = [], action }: EmptyStateProps) {
  return (
    <div className="mx-auto flex max-w-2xl flex-col items-center gap-3 px-4 py-14 text-center">
      <h2 className="text-base">{title}</h2>
      <p className="max-w-md text-pretty text-muted">{children}</p>
      {commands.map((command) => (
        <Command key={command} command={command} />
      ))}
      {action && <div className="pt-1">{action}</div>}
    </div>
  );
}

function Command({ command }: { command: string }) {
  return (
    <div className="flex w-full items-start gap-2 rounded-md border border-line bg-sunken py-2 pr-2 pl-3 text-left">
      <code className="code min-w-0 flex-1 break-words whitespace-pre-wrap">{command}</code>
      <CopyButton text={command} label="Copy command" />
    </div>
  );
}

/** Rows that are on their way: quiet, and without a jump when they come. */
export function LoadingRows() {
  return (
    <div className="space-y-3 p-4" role="status">
      <span className="sr-only">Loading</span>
      {["w-2/3", "w-1/2", "w-3/5", "w-2/5"].map((width) => (
        <div key={width} className={`h-4 rounded bg-hover ${width}`} />
      ))}
    </div>
  );
}
