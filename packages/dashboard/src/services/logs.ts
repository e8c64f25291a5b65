import { useEffect, useRef, useState } from "react";
import { API } from "./http.ts";
import { taskPath } from "./tasks.ts";
import { useVisible } from "./visible.ts";

export interface LogLine {
  at: string;
  level: string;
  message: string;
  attempt: number;
}

export interface LogFilter {
  /** This level and those above it. */
  level?: string | undefined;
  /** A part of the message, in any case. */
  text?: string | undefined;
}

const levels = ["debug", "info", "warn", "error"];

export function filterLines(lines: LogLine[], { level = "debug", text = "" }: LogFilter): LogLine[] {
  const least = levels.indexOf(level);
  const wanted = text.toLowerCase();
  if (least <= 0 && wanted === "") return lines;
  return lines.filter((line) => levels.indexOf(line.level) >= least && line.message.toLowerCase().includes(wanted));
}

export interface FollowedLog {
  lines: LogLine[];
  /** Lines at the beginning that are no longer kept here. */
  dropped: number;
  status: "waiting" | "connecting" | "following" | "ended";
}

/** A page that stays open for days must not grow without end. */
const KEPT_LINES = 10_000;

/**
 * The log of a task from its first line, and what is added to it, until the task is final. Browsers allow about six connections per host,
 * so a task that never started, which has no log, and a hidden tab hold none.
 */
export function useTaskLog(id: string, { started, final }: { started: boolean; final: boolean }): FollowedLog {
  const [log, setLog] = useState<FollowedLog>(empty);
  const [run, setRun] = useState(0);
  const visible = useVisible();
  const isFinal = useRef(final);
  const ended = useRef(false);
  /** The number of the last line that is shown: a stream that is opened again begins at the first. */
  const shown = useRef(0);

  useEffect(() => {
    // A final task that was asked to run again has a log that goes on.
    if (isFinal.current && !final) {
      ended.current = false;
      setRun((run) => run + 1);
    }
    isFinal.current = final;
  }, [final]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `run` is there to follow anew
  useEffect(() => {
    if (!started || !visible || ended.current) return;
    const source = new EventSource(`${API}${taskPath(id)}/logs?follow=1`);
    let arrived: LogLine[] = [];
    let last = shown.current;

    // Lines come in bursts; they are shown together with the next frame.
    let frame = 0;
    function show(): void {
      frame = 0;
      const fresh = arrived;
      arrived = [];
      shown.current = last;
      setLog((log) => appendLines(log, fresh));
    }
    function receive(event: MessageEvent<string>): void {
      const number = Number(event.lastEventId);
      if (number <= last) return;
      last = number;
      const line = readLine(event.data);
      if (line === null) return;
      arrived.push(line);
      frame ||= requestAnimationFrame(show);
    }
    function close(): void {
      source.close();
      cancelAnimationFrame(frame);
      show();
      setLog((log) => ({ ...log, status: "ended" }));
    }

    setLog((log) => ({ ...log, status: "connecting" }));
    source.onopen = () => setLog((log) => ({ ...log, status: "following" }));
    source.onerror = () => {
      if (isFinal.current || source.readyState === EventSource.CLOSED) close();
      else setLog((log) => ({ ...log, status: "connecting" }));
    };
    source.onmessage = receive;
    source.addEventListener("end", () => {
      ended.current = true;
      close();
    });
    return () => {
      cancelAnimationFrame(frame);
      source.close();
    };
  }, [id, started, visible, run]);

  return log;
}

const empty: FollowedLog = { lines: [], dropped: 0, status: "waiting" };

export function appendLines(log: FollowedLog, fresh: LogLine[]): FollowedLog {
  const lines = log.lines.concat(fresh);
  const surplus = Math.max(0, lines.length - KEPT_LINES);
  return { ...log, lines: surplus === 0 ? lines : lines.slice(surplus), dropped: log.dropped + surplus };
}

function readLine(data: string): LogLine | null {
  try {
    const line = JSON.parse(data) as Partial<LogLine> | null;
    if (typeof line?.message !== "string") return null;
    return {
      at: String(line.at ?? ""),
      level: String(line.level ?? "info"),
      message: line.message,
      attempt: line.attempt ?? 0,
    };
  } catch {
    return null;
  }
}
