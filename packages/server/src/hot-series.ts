/**
 * Counters and histograms for what happens once per task: prom-client's own cost several microseconds a call, because they hash their
 * labels each time. Here a series is found through one map of its label text and counts in plain arrays; prom-client renders it.
 */
import type { Metric, Registry } from "prom-client";

interface Value {
  metricName: string;
  labels: Record<string, string | number>;
  value: number;
}

/** Label values joined; no name contains a space. */
const keyOf = (labels: readonly string[]): string => labels.join(" ");

function register(
  registry: Registry,
  type: "counter" | "histogram",
  name: string,
  help: string,
  values: () => Value[],
): void {
  const metric = { name, help, type, aggregator: "sum", values: [] as Value[] };
  // The shape that a registry renders; the classes that produce it are what is replaced here.
  registry.registerMetric({
    ...metric,
    get: async () => ({ ...metric, values: values() }),
    reset() {},
  } as unknown as Metric);
}

const labelsOf = (names: readonly string[], key: string): Record<string, string> => {
  const values = key.split(" ");
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""]));
};

export function hotCounter(
  registry: Registry,
  { name, help, labelNames }: { name: string; help: string; labelNames: readonly string[] },
): (...labels: string[]) => void {
  const series = new Map<string, { count: number }>();
  register(registry, "counter", name, help, () =>
    [...series].map(([key, { count }]) => ({ metricName: name, labels: labelsOf(labelNames, key), value: count })),
  );
  return (...labels) => {
    const key = keyOf(labels);
    const known = series.get(key);
    if (known) known.count++;
    else series.set(key, { count: 1 });
  };
}

export interface Series {
  labels: Record<string, string>;
  /** By bucket, with one more for what is beyond the last. */
  counts: ArrayLike<number>;
  sum: number;
}

/** A histogram that is counted elsewhere. */
export function showHistogram(
  registry: Registry,
  { name, help, buckets }: { name: string; help: string; buckets: readonly number[] },
  read: () => Series[],
): void {
  register(registry, "histogram", name, help, () =>
    read().flatMap(({ labels, counts, sum }) => {
      let total = 0;
      const steps = [...buckets, "+Inf"].map((le, index) => {
        total += counts[index]!;
        return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: total };
      });
      return [
        ...steps,
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: total },
      ];
    }),
  );
}

export function hotHistogram(
  registry: Registry,
  { labelNames, ...metric }: { name: string; help: string; labelNames: readonly string[]; buckets: readonly number[] },
): (seconds: number, ...labels: string[]) => void {
  const { buckets } = metric;
  const series = new Map<string, { counts: number[]; sum: number }>();
  showHistogram(registry, metric, () =>
    [...series].map(([key, counted]) => ({ labels: labelsOf(labelNames, key), ...counted })),
  );
  return (seconds, ...labels) => {
    const key = keyOf(labels);
    let known = series.get(key);
    if (!known) series.set(key, (known = { counts: Array<number>(buckets.length + 1).fill(0), sum: 0 }));
    let index = 0;
    while (index < buckets.length && seconds > buckets[index]!) index++;
    known.counts[index]!++;
    known.sum += seconds;
  };
}
