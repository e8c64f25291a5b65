import { CarillonError } from "@carillon/core";

/** Why PostgreSQL or initdb ended, for a person, from what it wrote. `doing` reads as in "PostgreSQL did not start". */
export function explainFailure(doing: string, output: string, dataDir: string, logPath: string): CarillonError {
  if (isDiskFull(output)) return diskFull(dataDir);
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const telling = lines.filter((line) => /\b(FATAL|PANIC|HINT|error):/.test(line));
  const words = (telling.length > 0 ? telling : lines)
    .slice(-4)
    .map((line) => line.replace(/^\S+ \S+ UTC \[\d+\] /, ""));
  return new CarillonError("unavailable", {
    detail: `${doing}: ${words.join(" ") || "it wrote nothing"}. The whole log is ${logPath}.`,
  });
}

export function diskFull(folder: string, cause?: unknown): CarillonError {
  return new CarillonError("unavailable", {
    detail: `The disk that holds ${folder} is full. Nothing is lost; free some space and start again.`,
    cause,
  });
}

export function isDiskFull(output: string): boolean {
  return /No space left on device|Disk quota exceeded|\bENOSPC\b|\bEDQUOT\b/.test(output);
}
