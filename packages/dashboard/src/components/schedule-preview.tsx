import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { viewerZone } from "../format/instant.ts";
import { type Preview, previewQuery, type Rule } from "../services/schedules.ts";
import { Icon } from "./icons.tsx";
import { ProblemNotice } from "./problem-notice.tsx";
import { Relative, ZonedTime } from "./time.tsx";

const SETTLE_MS = 250;

/** What the server says about a rule, asked a moment after the last key stroke. Null while there is no rule. */
export function usePreview(rule: Rule | null) {
  const [settled, setSettled] = useState(rule);
  const text = JSON.stringify(rule);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(JSON.parse(text) as Rule | null), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return useQuery({
    ...previewQuery(settled ?? {}),
    enabled: settled !== null,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
}

interface SchedulePreviewProps {
  preview: ReturnType<typeof usePreview>;
  zone: string;
  /** Whether the error is told at a field already. */
  errorShown: boolean;
}

export function SchedulePreview({
  preview: { data, error, isPlaceholderData },
  zone,
  errorShown,
}: SchedulePreviewProps) {
  return (
    <section className="card" aria-label="Preview">
      <h2 className="border-b border-line px-4 py-2.5">Preview</h2>
      {error ? (
        errorShown ? (
          <p className="px-4 py-3 text-muted">The rule cannot be read yet.</p>
        ) : (
          <ProblemNotice error={error} />
        )
      ) : data ? (
        <div className={isPlaceholderData ? "opacity-60" : ""}>
          <PreviewOf preview={data} zone={zone} />
        </div>
      ) : (
        <p className="px-4 py-3 text-muted">Words and the next fires appear here as you type.</p>
      )}
    </section>
  );
}

function PreviewOf({ preview, zone }: { preview: Preview; zone: string }) {
  const twoZones = zone !== viewerZone;
  return (
    <div className="space-y-3 p-4">
      {/* Only this is read out: the table below changes each second. */}
      <div aria-live="polite" className="space-y-3">
        <p className="font-medium">{preview.words}</p>
        {preview.warnings.map((warning) => (
          <p key={warning.code + warning.message} className="flex gap-2 rounded-md bg-warn-soft px-3 py-2 text-warn">
            <Icon name="warning" className="mt-0.5" />
            <span>
              {warning.message} <span className="text-xs">({warning.code})</span>
            </span>
          </p>
        ))}
      </div>
      {preview.fires.length > 0 && (
        <table className="w-full text-left text-xs tabular-nums">
          <caption className="sr-only">Next fires</caption>
          <thead>
            <tr className="text-muted">
              <th scope="col" className="py-1 pr-3 font-medium">
                Next
              </th>
              <th scope="col" className="py-1 pr-3 font-medium">
                {zone}
              </th>
              {twoZones && (
                <th scope="col" className="py-1 font-medium">
                  {viewerZone} (mine)
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {preview.fires.map((fire) => (
              <tr key={fire.at}>
                <td className="py-1 pr-3 whitespace-nowrap text-muted">
                  <Relative at={fire.at} />
                </td>
                <td className="py-1 pr-3 sm:whitespace-nowrap">
                  <ZonedTime at={fire.at} zone={zone} /> <span className="text-muted">{fire.offset}</span>
                  {fire.rolledFrom !== null && (
                    <div className="text-muted">
                      moved from <ZonedTime at={fire.rolledFrom} zone={zone} />
                    </div>
                  )}
                </td>
                {twoZones && (
                  <td className="py-1 sm:whitespace-nowrap">
                    <ZonedTime at={fire.at} zone={viewerZone} />
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {preview.clockChanges.length > 0 && (
        <p className="text-xs text-muted">
          The clock changes on{" "}
          {preview.clockChanges.map(({ at, offsetBefore, offsetAfter }, index) => (
            <span key={at}>
              {index > 0 && " and "}
              <ZonedTime at={at} zone={zone} /> ({offsetBefore} to {offsetAfter})
            </span>
          ))}
          .
        </p>
      )}
    </div>
  );
}
