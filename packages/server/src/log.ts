/** A node's log: JSON lines. In an outage every loop fails every round; the same warning is then written once in a while, with a count. */
import type { Clock } from "@carillon/core";
import { type Logger, pino } from "pino";
import type { Config } from "./config.ts";

const REPEAT_AFTER_MS = 30_000;
const WARN = 40;

export function createLog(
  { level, stream }: { level: Config["logLevel"]; stream: { write(line: string): void } },
  clock: Clock,
): Logger {
  const written = new Map<string, { at: number; left: number }>();
  return pino(
    {
      level,
      name: "carillon",
      serializers: { error: pino.stdSerializers.err },
      hooks: {
        logMethod(args: unknown[], method, line) {
          const [facts, message] = args as [unknown, unknown];
          if (line !== WARN || typeof message !== "string" || typeof facts !== "object")
            return method.apply(this, args as never);
          const before = written.get(message);
          const now = clock.monotonic();
          if (before && now - before.at < REPEAT_AFTER_MS) {
            before.left++;
            return;
          }
          // Messages are literals of this program: there are only so many.
          written.set(message, { at: now, left: 0 });
          const repeated = before && before.left > 0 ? { repeated: before.left } : {};
          method.apply(this, [{ ...facts, ...repeated }, message] as never);
        },
      },
    },
    stream,
  );
}
