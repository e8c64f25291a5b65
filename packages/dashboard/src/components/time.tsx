import { formatCountdown, formatRelative } from "../format/duration.ts";
import { wallTime } from "../format/instant.ts";
import { useNow } from "../services/clock.ts";
import { useZone } from "../services/display-zone.ts";

interface TimeProps {
  at: string;
  /** The schedule's zone, when the instant belongs to one. */
  scheduleZone?: string | null | undefined;
}

/** An instant as people ask for it: how far away, and underneath the wall time with its zone. */
export function Time({ at, scheduleZone }: TimeProps) {
  return (
    <time dateTime={at} className="block tabular-nums">
      <span className="block whitespace-nowrap">
        <Relative at={at} />
      </span>
      <span className="block text-xs text-muted md:whitespace-nowrap">
        <Absolute at={at} scheduleZone={scheduleZone} />
      </span>
    </time>
  );
}

/** The same on one line, with milliseconds. */
export function PreciseTime({ at, scheduleZone }: TimeProps) {
  return (
    <time dateTime={at} className="tabular-nums">
      <Absolute at={at} scheduleZone={scheduleZone} precise />{" "}
      <span className="whitespace-nowrap text-muted">
        · <Relative at={at} />
      </span>
    </time>
  );
}

export function Relative({ at }: { at: string }) {
  const now = useNow();
  return formatRelative(Date.parse(at), now);
}

/** Counts up from an instant, e.g. how long something has been running. */
export function Elapsed({ since }: { since: string }) {
  const now = useNow();
  return formatCountdown(Math.max(0, now - Date.parse(since)));
}

function Absolute({ at, scheduleZone, precise = false }: TimeProps & { precise?: boolean }) {
  const zone = useZone(scheduleZone);
  const now = useNow();
  const wall = wallTime(Date.parse(at), zone, now, precise);
  return (
    <>
      {wall.today && !precise ? "" : `${wall.date}, `}
      {wall.time} <span className="break-words">{wall.zone}</span>
    </>
  );
}

/** An instant in one given zone, whatever the display zone is. */
export function ZonedTime({ at, zone }: { at: string; zone: string }) {
  const now = useNow();
  const wall = wallTime(Date.parse(at), zone, now);
  return (
    <time dateTime={at} className="tabular-nums">
      {wall.date}, {wall.time}
    </time>
  );
}
