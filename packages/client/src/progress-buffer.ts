import type { ReportedProgress, TaskRef } from "./protocol.ts";

/** What attempts said last about how far they have come, until it is sent. */
export class ProgressBuffer {
  readonly #waiting = new Map<string, ReportedProgress>();

  get empty(): boolean {
    return this.#waiting.size === 0;
  }

  set(report: ReportedProgress): void {
    this.#waiting.set(keyOf(report), report);
  }

  /** Of these tasks. */
  takeOf(tasks: readonly TaskRef[]): ReportedProgress[] {
    return tasks.flatMap((task) => {
      const report = this.#waiting.get(keyOf(task));
      return report && this.#waiting.delete(keyOf(task)) ? [report] : [];
    });
  }

  takeAll(): ReportedProgress[] {
    const reports = [...this.#waiting.values()];
    this.#waiting.clear();
    return reports;
  }
}

const keyOf = ({ id, token }: TaskRef): string => `${id}/${token}`;
