import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { viewerZone, wallTime } from "../format/instant.ts";
import { useZone } from "../services/display-zone.ts";
import { API } from "../services/http.ts";
import { type FollowedLog, filterLines, type LogFilter, type LogLine, useTaskLog } from "../services/logs.ts";
import { taskPath } from "../services/tasks.ts";
import { CopyButton } from "./copy-button.tsx";
import { FilterInput } from "./filter-input.tsx";
import { LinkedText } from "./linked-text.tsx";

const levelColours: Record<string, string> = {
  debug: "text-muted",
  info: "text-info",
  warn: "text-warn",
  error: "text-bad",
};

const levelWords: Record<string, string> = {
  debug: "All levels",
  info: "Info and above",
  warn: "Warnings and errors",
  error: "Errors only",
};

interface LogViewerProps {
  taskId: string;
  /** Whether it ever began: what never did has no log yet. */
  started: boolean;
  final: boolean;
  scheduleZone: string | null;
}

/** The log of a task, following its end until the reader scrolls away from it. */
export function LogViewer({ taskId, started, final, scheduleZone }: LogViewerProps) {
  const log = useTaskLog(taskId, { started, final });
  const [filter, setFilter] = useState<LogFilter>({});
  const lines = useMemo(() => filterLines(log.lines, filter), [log.lines, filter]);
  const zone = useZone(scheduleZone);

  return (
    <section className="card overflow-hidden" aria-label="Log">
      <header className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-2">
        <h2 className="mr-auto">
          Log <span className="ml-1 text-xs font-normal text-muted">{zone}</span>
        </h2>
        <span className="text-xs text-muted" aria-live="polite">
          {statusWords(log.status, final)}
        </span>
        <FilterInput label="Search the log" value={filter.text} onCommit={(text) => setFilter({ ...filter, text })} />
        <select
          className="input input-compact w-auto"
          aria-label="Level"
          value={filter.level ?? "debug"}
          onChange={(event) => setFilter({ ...filter, level: event.target.value })}
        >
          {Object.entries(levelWords).map(([level, words]) => (
            <option key={level} value={level}>
              {words}
            </option>
          ))}
        </select>
        <CopyButton
          text={lines.map((line) => `${line.at} ${line.level} ${line.message}`).join("\n")}
          label="Copy log"
        />
      </header>
      {lines.length === 0 ? (
        <p className="px-4 py-6 text-muted">
          {log.lines.length > 0
            ? "No line matches."
            : final
              ? "This task logged nothing."
              : "Lines appear here as the task logs them."}
        </p>
      ) : (
        <Lines taskId={taskId} lines={lines} dropped={log.dropped} zone={zone} />
      )}
    </section>
  );
}

function statusWords(status: FollowedLog["status"], final: boolean): string {
  if (status === "following" && !final) return "Following";
  return status === "connecting" ? "Connecting" : "";
}

const backKeys = new Set(["ArrowUp", "PageUp", "Home"]);
const onKeys = new Set(["ArrowDown", "PageDown", " "]);

interface LinesProps {
  taskId: string;
  lines: LogLine[];
  dropped: number;
  zone: string;
}

function Lines({ taskId, lines, dropped, zone }: LinesProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const [seen, setSeen] = useState(0);
  const total = dropped + lines.length;
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 22,
    overscan: 20,
  });

  const height = virtual.getTotalSize();
  // biome-ignore lint/correctness/useExhaustiveDependencies: lines that turn out higher than estimated move the end too
  useEffect(() => {
    if (!following) return;
    setSeen(total);
    if (lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [following, total, lines.length, height, virtual]);

  // The view scrolls by itself when lines come and are measured, so only what the reader does ends the following, or begins it again.
  const held = useRef(false);
  const lookingOn = useRef(false);
  const top = useRef(0);
  function look(way: "back" | "on"): void {
    lookingOn.current = way === "on";
    const view = scroller.current;
    if (way === "back" && view && view.scrollTop > 0) setFollowing(false);
  }
  function onScroll(): void {
    const view = scroller.current;
    if (!view) return;
    const rose = view.scrollTop < top.current;
    top.current = view.scrollTop;
    const atEnd = view.scrollHeight - view.scrollTop - view.clientHeight < 40;
    if (rose && held.current) setFollowing(false);
    else if (!rose && atEnd && (held.current || lookingOn.current)) setFollowing(true);
  }

  return (
    <div className="relative">
      {dropped > 0 && (
        <p className="border-b border-line px-4 py-1.5 text-xs text-muted">
          The first {dropped.toLocaleString("en")} lines are no longer shown here:{" "}
          <a className="link" href={`${API}${taskPath(taskId)}/logs?pageSize=200`} target="_blank" rel="noreferrer">
            read them from the API
          </a>
          , 200 at a time.
        </p>
      )}
      <div
        ref={scroller}
        onScroll={onScroll}
        onWheel={(event) => look(event.deltaY < 0 ? "back" : "on")}
        onKeyDown={(event) => {
          if (backKeys.has(event.key)) look("back");
          else if (onKeys.has(event.key)) look("on");
          else if (event.key === "End") setFollowing(true);
        }}
        onPointerDown={() => {
          held.current = true;
        }}
        onPointerMove={(event) => {
          held.current = event.buttons !== 0;
        }}
        onTouchStart={() => {
          held.current = true;
          // A flick goes on by itself after the finger has left.
          lookingOn.current = true;
        }}
        onTouchEnd={() => {
          held.current = false;
        }}
        className="max-h-96 overflow-auto py-2"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Log lines"
      >
        <div className="relative" style={{ height }}>
          {virtual.getVirtualItems().map((item) => (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className="absolute inset-x-0 top-0"
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <Line line={lines[item.index]!} zone={zone} />
            </div>
          ))}
        </div>
      </div>
      {!following && (
        <button
          type="button"
          className="button button-small absolute right-4 bottom-3 shadow-md"
          onClick={() => setFollowing(true)}
        >
          {total > seen ? `${(total - seen).toLocaleString("en")} new lines, go to the end` : "Go to the end"}
        </button>
      )}
    </div>
  );
}

function Line({ line, zone }: { line: LogLine; zone: string }): ReactNode {
  const at = Date.parse(line.at);
  const wall = Number.isNaN(at) ? null : wallTime(at, zone || viewerZone, at, true);
  return (
    <div className="code flex items-baseline gap-3 px-4 py-0.5 hover:bg-hover">
      <time
        dateTime={line.at}
        className="shrink-0 text-muted tabular-nums"
        title={wall ? `${wall.date} ${wall.zone}` : ""}
      >
        {wall?.time}
      </time>
      <span className={`w-11 shrink-0 ${levelColours[line.level] ?? "text-muted"}`}>{line.level}</span>
      <span className="min-w-0 flex-1 break-words whitespace-pre-wrap">
        <LinkedText text={line.message} />
      </span>
      {line.attempt > 1 && <span className="shrink-0 text-xs text-muted">attempt {line.attempt}</span>}
    </div>
  );
}
