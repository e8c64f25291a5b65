import type { TaskError } from "../services/tasks.ts";
import { CopyButton } from "./copy-button.tsx";
import { LinkedText } from "./linked-text.tsx";

export function ErrorView({ error }: { error: TaskError }) {
  const title = error.name && error.name !== "Error" ? `${error.name}: ${error.message}` : error.message;
  return (
    <div className="relative space-y-2 p-4 pr-10">
      <div className="absolute top-2 right-2">
        <CopyButton text={error.stack || title} label="Copy error" />
      </div>
      <p className="font-medium break-words text-bad">
        <LinkedText text={title} />
      </p>
      <p className="text-xs text-muted">
        Code <code className="code text-xs">{error.code}</code>
      </p>
      {error.stack && (
        <pre className="code max-h-80 overflow-auto break-words whitespace-pre-wrap text-muted">
          <LinkedText text={error.stack} />
        </pre>
      )}
    </div>
  );
}
