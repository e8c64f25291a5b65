import { useEffect, useRef, useState } from "react";
import { API } from "./http.ts";
import { taskPath } from "./tasks.ts";

export interface LogLine {
  at: string;
  level: string;
  message: string;
  attempt: number;
}

export interface FollowedLog {
  lines: LogLine[];
  /** Lines at the beginning that are no longer kept here. */
  dropped: number;
  status: "connecting" | "following" | "ended";
}

/** A page that stays open for days must not grow without end. */
const KEPT_LINES = 10_000;

/** The log of a task from its first line, and what is added to it, until the task is final. */
export function useTaskLog(id: string, final: boolean): FollowedLog {
  const [log, setLog] = useState<FollowedLog>(empty);
  const [run, setRun] = useState(0);
  const isFinal = useRef(final);

  useEffect(() => {
    // A final task that was asked to run again has a log that goes on.
    if (isFinal.current && !final) setRun((run) => run + 1);
    isFinal.current = final;
  }, [final]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `run` is there to follow anew
  useEffect(() => {
    setLog(empty);
    const source = new EventSource(`${API}${taskPath(id)}/logs?follow=1`);
    let arrived: LogLine[] = [];
    let restarted = true;
    let resumable = false;

    // Lines come in bursts; they are shown together with the next frame.
    let frame = 0;
    function show(): void {
      frame = 0;
      const fresh = arrived;
      const restart = restarted;
      arrived = [];
      restarted = false;
      setLog((log) => appendLines(restart ? { ...log, lines: [], dropped: 0 } : log, fresh));
    }
    function receive(event: MessageEvent<string>): void {
      resumable ||= event.lastEventId !== "";
      const line = readLine(event.data);
      if (line === null) return;
      arrived.push(line);
      frame ||= requestAnimationFrame(show);
    }
    function end(): void {
      source.close();
      setLog((log) => ({ ...log, status: "ended" }));
    }

    source.onopen = () => {
      // After a break the server goes on behind the last line it numbered, or else begins anew.
      if (!resumable) {
        arrived = [];
        restarted = true;
      }
      setLog((log) => ({ ...log, status: "following" }));
    };
    source.onerror = () => {
      if (isFinal.current || source.readyState === EventSource.CLOSED) end();
      else setLog((log) => ({ ...log, status: "connecting" }));
    };
    source.onmessage = receive;
    source.addEventListener("log", receive);
    source.addEventListener("end", end);
    return () => {
      cancelAnimationFrame(frame);
      source.close();
    };
  }, [id, run]);

  return log;
}

const empty: FollowedLog = { lines: [], dropped: 0, status: "connecting" };

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
