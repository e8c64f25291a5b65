import { formatCountdown } from "../format/duration.ts";
import { useNow } from "../services/clock.ts";
import { useLiveStatus } from "../services/live.ts";

/** Whether what is on the screen follows the server, and since when it does not. */
export function LiveChip() {
  const { kind, goodAt } = useLiveStatus();
  const look = {
    live: { dot: "bg-good", text: "text-good", words: "Live" },
    reconnecting: { dot: "bg-warn", text: "text-warn", words: "Reconnecting" },
    stale: { dot: "bg-bad", text: "text-bad", words: "Stale" },
  }[kind];
  return (
    <span className={`inline-flex items-center gap-1.5 text-xs font-medium whitespace-nowrap ${look.text}`}>
      <span className={`size-2 rounded-full ${look.dot}`} aria-hidden="true" />
      <span role="status">{look.words}</span>
      {kind === "stale" && <Since at={goodAt} />}
    </span>
  );
}

function Since({ at }: { at: number }) {
  useNow();
  return <span className="tabular-nums">{formatCountdown(Date.now() - at)}</span>;
}
