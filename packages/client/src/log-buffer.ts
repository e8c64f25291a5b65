import type { ReportedLogLine, TaskRef } from "./protocol.ts";

/** Without a node the oldest lines of whoever has the most make room. */
const MAX_BYTES = 8 * 1024 * 1024;
/** What a line costs beside its text. */
const LINE_BYTES = 64;
/** So much of them goes at once: to look for them at each line would cost more than the lines. */
const PART_CUT = 1 / 256;

/** Log lines that wait to be sent, by task, so that a chatty one keeps nobody else's waiting. */
export class LogBuffer {
  readonly #waiting = new Map<string, ReportedLogLine[]>();
  #bytes = 0;

  has(task: TaskRef): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(keyOf(task));
  }

  add(line: ReportedLogLine): void {
    const key = keyOf(line);
    const lines = this.#waiting.get(key);
    if (lines) lines.push(line);
    else this.#waiting.set(key, [line]);
    this.#bytes += size(line);
    while (this.#bytes > MAX_BYTES) {
      const [longest, { length }] = [...this.#waiting].reduce((a, b) => (b[1].length > a[1].length ? b : a));
      this.#cut(longest, Math.ceil(length * PART_CUT));
    }
  }

  /** At most so many lines, the oldest of each task, an equal share of each. */
  take(max: number): ReportedLogLine[] {
    const share = Math.ceil(max / this.#waiting.size);
    const taken: ReportedLogLine[] = [];
    for (const [key, lines] of [...this.#waiting]) {
      if (taken.length >= max) break;
      taken.push(...this.#cut(key, Math.min(share, max - taken.length)));
      // To the end: what is left has its turn after the others.
      if (this.#waiting.delete(key) && lines.length > 0) this.#waiting.set(key, lines);
    }
    return taken;
  }

  clear(): void {
    this.#waiting.clear();
    this.#bytes = 0;
  }

  #cut(key: string, count: number): ReportedLogLine[] {
    const lines = this.#waiting.get(key)!;
    const cut = lines.splice(0, count);
    for (const line of cut) this.#bytes -= size(line);
    if (lines.length === 0) this.#waiting.delete(key);
    return cut;
  }
}

const keyOf = ({ id, token }: TaskRef): string => `${id}/${token}`;
const size = (line: ReportedLogLine): number => line.message.length + LINE_BYTES;
