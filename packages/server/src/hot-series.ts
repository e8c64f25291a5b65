/**
 * Counters and histograms for what happens once per task: prom-client's own cost several microseconds a call, because they hash their
 * labels each time. So these are counted in plain arrays (`lateness-book.ts`, `ended-book.ts`), and prom-client renders them.
 */
import type { Metric, Registry } from "prom-client";

interface Value {
  metricName: string;
  labels: Record<string, string | number>;
  value: number;
}

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

/** A counter that is counted elsewhere. */
export function showCounter(
  registry: Registry,
  { name, help }: { name: string; help: string },
  read: () => { labels: Record<string, string>; count: number }[],
): void {
  register(registry, "counter", name, help, () =>
    read().map(({ labels, count }) => ({ metricName: name, labels, value: count })),
  );
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
