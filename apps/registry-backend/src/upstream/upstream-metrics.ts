/** What is counted of a pull-through cache: under the names of the open-source registry, and per upstream under ours. */
import type { Metrics } from '@brickyard/service-host';
import type { TroubleKind } from './upstream-trouble';

const SECONDS = [0.01, 0.05, 0.2, 1, 5, 20];

/** What is asked for. */
export type Thing = 'manifest' | 'blob';

export interface UpstreamMetrics {
  /** A client asked for something that may come from an upstream. */
  readonly wanted: (thing: Thing, how: 'hit' | 'miss' | 'stale') => void;
  readonly pulled: (thing: Thing, bytes: number) => void;
  readonly pushed: (thing: Thing, bytes: number) => void;
  readonly asked: (upstream: string, what: Thing | 'list' | 'token', status: number, tookMs?: number) => void;
  readonly unstored: (upstream: string, thing: Thing) => void;
  readonly well: (upstream: string) => void;
  readonly ill: (upstream: string, kind: TroubleKind) => void;
}

/** Makes them; none is made where nothing is cached. */
export function upstreamMetrics(metrics: Metrics): UpstreamMetrics {
  const typed = (name: string, help: string) =>
    metrics.counter<'type'>({ name: `registry_proxy_${name}`, help, labels: ['type'] });
  const requests = typed('requests_total', 'Manifests and blobs asked for that other registries have.');
  const hits = typed('hits_total', 'Of these, answered from what is held here.');
  const misses = typed('misses_total', 'Of these, fetched.');
  const stale = typed('stale_total', 'Of the hits, answered without a look at the upstream, as it was in trouble.');
  const pulled = typed('pulled_bytes_total', 'Bytes that upstreams sent.');
  const pushed = typed('pushed_bytes_total', 'Bytes that clients got of what was being fetched.');
  const asked = metrics.counter<'upstream' | 'what' | 'code'>({
    name: 'registry_upstream_requests_total',
    help: 'Requests to upstreams, by their answer.',
    labels: ['upstream', 'what', 'code'],
  });
  const seconds = metrics.histogram<'upstream' | 'what'>({
    name: 'registry_upstream_answer_seconds',
    help: 'Until the head of an answer was there.',
    labels: ['upstream', 'what'],
    buckets: SECONDS,
  });
  const up = metrics.gauge<'upstream'>({
    name: 'registry_upstream_up',
    help: '0 since an upstream was away, slow or asked to be left alone; 1 once it answers.',
    labels: ['upstream'],
  });
  const troubles = metrics.counter<'upstream' | 'kind'>({
    name: 'registry_upstream_troubles_total',
    help: 'Questions that an upstream did not answer: away, slow, limited.',
    labels: ['upstream', 'kind'],
  });
  const unstored = metrics.counter<'upstream' | 'type'>({
    name: 'registry_upstream_unstored_total',
    help: 'Fetched and served, but not kept: read-only, over a quota, no room, no log.',
    labels: ['upstream', 'type'],
  });
  return {
    wanted: (type, how) => {
      requests.inc({ type });
      if (how === 'miss') misses.inc({ type });
      else hits.inc({ type });
      if (how === 'stale') stale.inc({ type });
    },
    pulled: (type, bytes) => {
      pulled.inc({ type }, bytes);
    },
    pushed: (type, bytes) => {
      pushed.inc({ type }, bytes);
    },
    asked: (upstream, what, status, tookMs) => {
      asked.inc({ upstream, what, code: String(status) });
      if (tookMs !== undefined) seconds.observe({ upstream, what }, tookMs / 1_000);
    },
    unstored: (upstream, type) => {
      unstored.inc({ upstream, type });
    },
    well: (upstream) => {
      up.set({ upstream }, 1);
    },
    ill: (upstream, kind) => {
      up.set({ upstream }, 0);
      troubles.inc({ upstream, kind });
    },
  };
}
