import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export type { Counter, Gauge, Histogram } from 'prom-client';

/** What a metric is called and means; a label's values must be few. */
export interface MetricOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly Label[];
}

/** The metrics of one process, in Prometheus' form. */
export interface Metrics {
  counter<Label extends string = never>(options: MetricOptions<Label>): Counter<Label>;
  gauge<Label extends string = never>(options: MetricOptions<Label>): Gauge<Label>;
  /** `buckets` are upper bounds, in seconds for a duration. */
  histogram<Label extends string = never>(
    options: MetricOptions<Label> & { readonly buckets?: readonly number[] },
  ): Histogram<Label>;
  /** The text that Prometheus scrapes. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** Each look wakes the process up: the default, a hundred times a second, is most of what an idle service would do. */
const EVENT_LOOP_LOOK_MS = 100;

/**
 * Makes the metrics of a service, and those of the Node process and its event loop. The event loop is watched from the first
 * scrape on: also ten looks a second are much of what an idle service does, and for nothing while nobody reads them.
 */
export function createMetrics(service: string): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  let isWatched = false;
  const watchProcess = (): void => {
    if (isWatched) return;
    isWatched = true;
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_LOOK_MS });
  };
  const registers = [registry];
  const settings = <Label extends string>({ name, help, labels = [] }: MetricOptions<Label>) => ({
    name,
    help,
    labelNames: [...labels],
    registers,
  });
  return {
    counter: (options) => new Counter(settings(options)),
    gauge: (options) => new Gauge(settings(options)),
    histogram: ({ buckets, ...options }) =>
      new Histogram({ ...settings(options), ...(buckets === undefined ? {} : { buckets: [...buckets] }) }),
    text: () => {
      watchProcess();
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}
