/** A pause may say until when. It is over at that instant by itself: nothing has to be written for that. */
import type { ScheduleRecord } from "./store.ts";

type Pausable = Pick<ScheduleRecord, "paused" | "pause">;

/** The schedule as it is then. */
export function asOf<Schedule extends Pausable>(schedule: Schedule, now: number): Schedule {
  const until = schedule.pause?.until ?? null;
  return until === null || until > now ? schedule : { ...schedule, paused: false, pause: null };
}

export type PauseRequest = { paused: boolean; reason: string | null; until?: number | null; by?: string | null };

/** Whether this changes anything, `schedule` being as of now. To pause what is paused does, where it says anything else. */
export function changesPause({ paused, pause }: Pausable, request: PauseRequest): boolean {
  if (paused !== request.paused) return true;
  const { reason, until = null } = request;
  const saysMore = reason !== null || until !== null;
  return paused && saysMore && (reason !== pause?.reason || until !== (pause?.until ?? null));
}

/** What is kept of it; `schedule` being as of now. */
export function pauseOf({ pause }: Pausable, request: PauseRequest, now: number): ScheduleRecord["pause"] {
  const { paused, reason, until = null, by = null } = request;
  return paused ? { reason, at: pause?.at ?? now, until, by } : null;
}
