/** What Prometheus has scraped of the parts of a system, for the cases of alerts. */

/** What Prometheus has scraped, one value a minute, in the notation of `promtool test rules`: `2+1x3` is 2, 3, 4, 5. */
export type Series = Readonly<Record<string, string>>;

/** An alert that fires: what it was told, since when that is so, and what it says to whom. */
export interface Firing {
  readonly series: Series;
  /** When it is looked at, minutes after the first value. */
  readonly minute: number;
  readonly severity: 'page' | 'ticket';
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
}

/** Nothing to wake anybody for, and why not. */
export interface Quiet {
  readonly why: string;
  readonly series: Series;
  readonly minute: number;
}

/** What is held against one alert. */
export interface AlertCases {
  readonly fires: readonly Firing[];
  readonly quiet: readonly Quiet[];
}

export const steady = (value: number): string => `${String(value)}x30`;
/** What a counter is that rises by so much each minute. */
export const rising = (perMinute: number): string => `0+${String(perMinute)}x30`;
/** Buckets of a histogram with so many observations a minute, all of them below `bound`. */
export const observed = (
  name: string,
  labels: string,
  bounds: readonly string[],
  bound: string,
  perMinute = 60,
): Series =>
  Object.fromEntries(
    [...bounds, '+Inf'].map((le, index, all) => {
      const isAbove = index >= all.indexOf(bound);
      return [`${name}_bucket{${labels}le="${le}"}`, rising(isAbove ? perMinute : 0)];
    }),
  );

export const allocator = (n: number): string => `job="allocator",instance="allocator-${String(n)}:9100"`;
export const gateway = 'job="gateway",instance="gateway-1:9100"';
export const agent = 'job="node-agent",instance="storage-1:9100"';
export const registry = 'job="registry",instance="registry:5000"';
export const objects = 'job="objects",instance="objects:9001"';
export const of = (labels: string): Readonly<Record<string, string>> =>
  Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]));

export const COMMIT_BOUNDS = ['0.1', '0.5', '1'];
export const SYNC_BOUNDS = ['0.5', '2', '10'];
export const syncs = (prefix: string, labels: string, bound: string): Series =>
  observed(`${prefix}_storage_operation_duration_seconds`, `${labels},operation="sync",`, SYNC_BOUNDS, bound);
export const requestsOf = (name: string, label: string, ok: number, bad: number): Series => ({
  [`${name}{${label}="200"}`]: rising(ok),
  [`${name}{${label}="500"}`]: rising(bad),
});
export const roomOf = (prefix: string, labels: string, free: number): Series => ({
  [`${prefix}_volume_free_bytes{${labels}}`]: steady(free),
  [`${prefix}_volume_size_bytes{${labels}}`]: steady(1_000),
});
