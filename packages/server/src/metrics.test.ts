import { expect, test } from "vitest";
import { MAX_SERIES } from "./ended-book.ts";
import { MAX_QUEUES } from "./lateness-book.ts";
import { createMetrics } from "./metrics.ts";

let lanes = 0;
const lane = (queue: string, namespace = "default", type = "t") => ({ id: ++lanes, namespace, queue, type });
/** A start that was so late for the claim alone, unless a test says otherwise. */
const late = (ms: number, phases = [0, ms, 0, 0, 0]) => [ms, new Float64Array(phases)] as const;

async function lines(metrics: ReturnType<typeof createMetrics>, name: string): Promise<string[]> {
  const { body } = await metrics.render();
  return body.split("\n").filter((line) => line.startsWith(name));
}

test("attempts are counted by queue, type and outcome", async () => {
  const metrics = createMetrics("1.2.3");
  const send = lane("billing", "default", "send");
  metrics.taskEnded(send, "succeeded", 0.2);
  metrics.taskEnded(send, "succeeded", 0.3);
  metrics.taskEnded(send, "retried", null);
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
  for (const ms of [0.4, 1, 1.1, 7_200_000]) metrics.taskStarted(lane("default"), ...late(ms));
  const rendered = await lines(metrics, "carillon_task_lateness_seconds");
  expect(rendered).toContain('carillon_task_lateness_seconds_bucket{le="0.001",queue="default"} 2');
  expect(rendered).toContain('carillon_task_lateness_seconds_bucket{le="0.002",queue="default"} 3');
  expect(rendered).toContain('carillon_task_lateness_seconds_bucket{le="3600",queue="default"} 3');
  expect(rendered).toContain('carillon_task_lateness_seconds_bucket{le="+Inf",queue="default"} 4');
  expect(rendered).toContain('carillon_task_lateness_seconds_count{queue="default"} 4');
  const { body } = await metrics.render();
  expect(body).toContain("# TYPE carillon_task_lateness_seconds histogram");
});

test("lateness is told apart into where it arose, and the phases add up to it", async () => {
  const metrics = createMetrics("1.2.3");
  metrics.taskStarted(lane("billing"), ...late(100, [0, 60, 30, 6, 4]));
  metrics.taskStarted(lane("mail"), ...late(0, [5_000, 0, 0, 0, 0]));
  const rendered = await lines(metrics, "carillon_task_lateness_phase_seconds");
  const sums = rendered.filter((line) => line.includes("_sum"));
  expect(sums).toEqual([
    'carillon_task_lateness_phase_seconds_sum{phase="planner"} 5',
    'carillon_task_lateness_phase_seconds_sum{phase="claim"} 0.06',
    'carillon_task_lateness_phase_seconds_sum{phase="dispatch"} 0.03',
    'carillon_task_lateness_phase_seconds_sum{phase="transport"} 0.006',
    'carillon_task_lateness_phase_seconds_sum{phase="start"} 0.004',
  ]);
  expect(rendered).toContain('carillon_task_lateness_phase_seconds_bucket{le="0.01",phase="transport"} 2');
  expect(await lines(metrics, "carillon_task_lateness_seconds_sum")).toEqual([
    'carillon_task_lateness_seconds_sum{queue="billing"} 0.1',
    'carillon_task_lateness_seconds_sum{queue="mail"} 0',
  ]);
});

test("however many queues users name, the series stay bounded and no start is left out", async () => {
  const metrics = createMetrics("1.2.3");
  const queues = MAX_QUEUES + 500;
  for (let index = 0; index < queues; index++) metrics.taskStarted(lane(`q${index}`), ...late(1));
  const counts = await lines(metrics, "carillon_task_lateness_seconds_count");
  expect(counts).toHaveLength(MAX_QUEUES + 1);
  expect(counts.at(-1)).toBe('carillon_task_lateness_seconds_count{queue="_other"} 500');
});

test("however many types users name, ended attempts stay in a bounded number of series", async () => {
  const metrics = createMetrics("1.2.3");
  for (let index = 0; index < MAX_SERIES + 500; index++)
    metrics.taskEnded(lane("default", "default", `t${index}`), "succeeded", 0.1);
  const counts = await lines(metrics, "carillon_tasks_total");
  expect(counts).toHaveLength(MAX_SERIES + 1);
  expect(counts.at(-1)).toBe('carillon_tasks_total{queue="_other",type="_other",outcome="succeeded"} 500');
});

test("of more queues than there are series, the fullest are shown by name", async () => {
  const metrics = createMetrics("1.2.3");
  const queues = Array.from({ length: MAX_QUEUES + 2 }, (_, index) => ({ queue: `q${index}`, count: index }));
  metrics.depths(async () => queues.map((queue) => ({ ...queue, state: "queued", oldestAgeSeconds: 1 })));
  metrics.workers(() => queues.map((queue) => ({ ...queue, state: "free" as const })));
  for (const name of ["carillon_queue_depth", "carillon_workers"]) {
    const shown = await lines(metrics, `${name}{`);
    expect(shown).toHaveLength(MAX_QUEUES + 1);
    expect(shown[0]).toMatch(/queue="_other",state="\w+"} 1$/);
  }
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
