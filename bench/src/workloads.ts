/** Everything that `npm run bench` measures, in order. */
import { drainBehind, idleBehind, latenessBehind } from "./backlog.ts";
import { pinned, soak } from "./endurance.ts";
import { burst, everyMinute, everySecond, everySecondLater, latenessAt } from "./lateness.ts";
import { editing, planning } from "./planning.ts";
import { nodeKilled, peersWorkerKilled, workerKilled } from "./recovery.ts";
import { rest } from "./rest.ts";
import { deadTarget } from "./targets.ts";
import { drainOne, drainTwo, enqueueBulk, enqueueSingle, sustained } from "./throughput.ts";
import type { Workload } from "./workload.ts";

export const workloads: readonly Workload[] = [
  enqueueBulk,
  enqueueSingle,
  drainOne,
  drainTwo,
  sustained,
  latenessAt(500),
  latenessAt(2_000),
  latenessAt(10_000),
  burst,
  everySecond,
  everySecondLater,
  everyMinute,
  planning,
  editing,
  drainBehind(1),
  latenessBehind(1),
  drainBehind(10),
  latenessBehind(10),
  idleBehind(10),
  workerKilled,
  nodeKilled,
  peersWorkerKilled,
  rest,
  deadTarget,
  pinned,
  soak,
];
