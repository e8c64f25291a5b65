import { type FieldProblem, problemOf } from "../services/problem.ts";
import { CopyButton } from "./copy-button.tsx";
import { Icon } from "./icons.tsx";

interface ProblemNoticeProps {
  error: unknown;
  /** Shown instead of all field messages, when a form shows the others at their fields. */
  errors?: FieldProblem[];
  onRetry?: () => void;
}

/** A refusal of the API in full: what, why, and what support needs to find it. */
export function ProblemNotice({ error, errors, onRetry }: ProblemNoticeProps) {
  const problem = problemOf(error);
  const listed = errors ?? problem.errors;
  return (
    <div role="alert" tabIndex={-1} className="rounded-lg border border-bad/30 bg-bad-soft px-4 py-3 text-ink">
      <div className="flex items-start gap-2.5">
        <Icon name="warning" className="mt-0.5 text-bad" />
        <div className="min-w-0 flex-1 space-y-1">
          <p className="font-semibold">{problem.title}</p>
          {problem.detail !== null && problem.detail !== problem.title && (
            <p className="break-words">{problem.detail}</p>
          )}
          {listed.length > 0 && (
            <ul className="list-disc space-y-0.5 pl-4">
              {listed.map((entry) => (
                <li key={`${entry.pointer ?? entry.parameter}${entry.code}`} className="break-words">
                  <code className="code">{entry.pointer ?? entry.parameter}</code> {entry.message}{" "}
                  <span className="text-muted">({entry.code})</span>
                </li>
              ))}
            </ul>
          )}
          <p className="flex flex-wrap items-center gap-x-3 text-xs text-muted">
            <span>
              Code <code className="code text-xs">{problem.code}</code>
            </span>
            {problem.requestId !== null && (
              <span className="inline-flex items-center gap-1">
                Request <code className="code text-xs">{problem.requestId}</code>
                <CopyButton text={problem.requestId} label="Copy request id" />
              </span>
            )}
          </p>
        </div>
        {onRetry && (
          <button type="button" className="button button-small" onClick={onRetry}>
            Try again
          </button>
        )}
      </div>
    </div>
  );
}
