import { expect, test } from "vitest";
import { createMetrics } from "./metrics.ts";

async function lines(metrics: ReturnType<typeof createMetrics>, name: string): Promise<string[]> {
  const { body } = await metrics.render();
  return body.split("\n").filter((line) => line.startsWith(name));
}

test("attempts are counted by queue, type and outcome", async () => {
  const metrics = createMetrics("1.2.3");
  metrics.taskEnded("billing", "send", "succeeded", 0.2);
  metrics.taskEnded("billing", "send", "succeeded", 0.3);
  metrics.taskEnded("billing", "send", "retried", null);
  expect(await lines(metrics, "carillon_tasks_total")).toEqual([
    'carillon_tasks_total{queue="billing",type="send",outcome="succeeded"} 2',
    'carillon_tasks_total{queue="billing",type="send",outcome="retried"} 1',
  ]);
  expect(await lines(metrics, "carillon_task_duration_seconds_count")).toEqual([
    'carillon_task_duration_seconds_count{queue="billing",type="send"} 2',
  ]);
});

test("the lateness histogram is cumulative, with its bounds included", async () => {
  const metrics = createMetrics("1.2.3");
  for (const seconds of [0.0004, 0.001, 0.0011, 7_200]) metrics.taskStarted("default", seconds);
  const rendered = await lines(metrics, "carillon_task_lateness_seconds");
  expect(rendered).toContain('carillon_task_lateness_seconds_bucket{le="0.001",queue="default"} 2');
  expect(rendered).toContain('carillon_task_lateness_seconds_bucket{le="0.002",queue="default"} 3');
  expect(rendered).toContain('carillon_task_lateness_seconds_bucket{le="3600",queue="default"} 3');
  expect(rendered).toContain('carillon_task_lateness_seconds_bucket{le="+Inf",queue="default"} 4');
  expect(rendered).toContain('carillon_task_lateness_seconds_count{queue="default"} 4');
  const { body } = await metrics.render();
  expect(body).toContain("# TYPE carillon_task_lateness_seconds histogram");
});

test("queues show what waits in them and how long the first has; without an answer their series are left out", async () => {
  const metrics = createMetrics("1.2.3");
  metrics.depths(async () => [
    { queue: "billing", state: "queued", count: 2, oldestAgeSeconds: 1.5 },
    { queue: "billing", state: "queued", count: 1, oldestAgeSeconds: 4 },
    { queue: "billing", state: "scheduled", count: 7, oldestAgeSeconds: null },
    { queue: "idle", state: "scheduled", count: 1, oldestAgeSeconds: null },
  ]);
  expect(await lines(metrics, "carillon_queue")).toEqual([
    'carillon_queue_depth{queue="billing",state="queued"} 3',
    'carillon_queue_depth{queue="billing",state="scheduled"} 7',
    'carillon_queue_depth{queue="idle",state="scheduled"} 1',
    'carillon_queue_oldest_age_seconds{queue="billing"} 4',
    'carillon_queue_oldest_age_seconds{queue="idle"} 0',
  ]);
  metrics.depths(async () => {
    throw new Error("the database does not answer");
  });
  expect(await lines(metrics, "carillon_queue")).toEqual([]);
  expect(await lines(metrics, "carillon_build_info")).toEqual(['carillon_build_info{version="1.2.3"} 1']);
});
