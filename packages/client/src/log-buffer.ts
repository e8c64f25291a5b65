import type { ReportedLogLine } from "./protocol.ts";

/** Without a node the oldest lines make room. */
const MAX_BYTES = 8 * 1024 * 1024;
/** What a line costs beside its text. */
const LINE_BYTES = 64;

/** Log lines that wait to be sent. */
export class LogBuffer {
  #lines: ReportedLogLine[] = [];
  #first = 0;
  #bytes = 0;

  add(line: ReportedLogLine): void {
    this.#lines.push(line);
    this.#bytes += size(line);
    while (this.#bytes > MAX_BYTES) this.#bytes -= size(this.#lines[this.#first++]!);
    // Moving the rest forward once in a while is cheaper than at each line.
    if (this.#first > 1_000 && this.#first > this.#lines.length / 2) {
      this.#lines = this.#lines.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Empties it. */
  take(): ReportedLogLine[] {
    const lines = this.#lines.slice(this.#first);
    this.#lines = [];
    this.#first = 0;
    this.#bytes = 0;
    return lines;
  }
}

const size = (line: ReportedLogLine): number => line.message.length + LINE_BYTES;
