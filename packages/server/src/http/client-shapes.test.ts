import type * as client from "@carillon/client";
import { expectTypeOf, test } from "vitest";
import type { LatenessAnswer, ScheduleStatsAnswer } from "./schemas/lateness.ts";
import type { ExplanationAnswer, ScheduleLoadAnswer } from "./schemas/outlook.ts";
import type { FireAnswer, PreviewAnswer, Schedule } from "./schemas/schedules.ts";
import type { AttemptAnswer, LogLineAnswer, Task, TaskSummary } from "./schemas/tasks.ts";

test("what the server answers is what the client's types say", () => {
  expectTypeOf<Task>().toExtend<client.Task>();
  expectTypeOf<TaskSummary>().toExtend<client.TaskSummary>();
  expectTypeOf<AttemptAnswer>().toExtend<client.AttemptInfo>();
  expectTypeOf<LogLineAnswer>().toExtend<client.LogLine>();
  expectTypeOf<Schedule>().toExtend<client.Schedule>();
  expectTypeOf<FireAnswer>().toExtend<client.Fire>();
  expectTypeOf<PreviewAnswer>().toExtend<client.SchedulePreview>();
  expectTypeOf<ScheduleStatsAnswer>().toExtend<client.ScheduleStats>();
  expectTypeOf<LatenessAnswer>().toExtend<client.Lateness>();
  expectTypeOf<ExplanationAnswer>().toExtend<client.Explanation>();
  expectTypeOf<ScheduleLoadAnswer>().toExtend<client.ScheduleLoad>();
  expectTypeOf<keyof ScheduleLoadAnswer>().toEqualTypeOf<keyof client.ScheduleLoad>();
  expectTypeOf<keyof ScheduleStatsAnswer>().toEqualTypeOf<keyof client.ScheduleStats>();
  expectTypeOf<keyof LatenessAnswer["queues"][0]>().toEqualTypeOf<keyof client.QueueLateness>();
  expectTypeOf<keyof Task>().toEqualTypeOf<keyof client.Task>();
  expectTypeOf<keyof Schedule>().toEqualTypeOf<keyof client.Schedule>();
  expectTypeOf<keyof FireAnswer>().toEqualTypeOf<keyof client.Fire>();
});
