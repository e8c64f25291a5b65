/** Which lines of a log somebody wants to see. */
export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogFilter {
  /** This level and those above it. */
  level?: LogLevel;
  /** A part of the message, in any case. */
  text?: string;
}

export function levelsFrom(least: LogLevel = "debug"): LogLevel[] {
  return logLevels.slice(logLevels.indexOf(least));
}

export function matchesLog(line: { level: LogLevel; message: string }, { level, text = "" }: LogFilter): boolean {
  return levelsFrom(level).includes(line.level) && line.message.toLowerCase().includes(text.toLowerCase());
}
