/** Metrics under the names that dashboards of registries know, and the access log. */
import type { Logger, Metrics } from '@brickyard/service-host';
import type { Watcher } from './http/handler';
import type { Route } from './http/route';

/** What distribution's registry calls its handlers. */
function handlerOf(route: Route): string {
  switch (route.kind) {
    case 'base':
    case 'catalog':
    case 'tags':
    case 'manifest':
    case 'blob':
    case 'referrers':
      return route.kind;
    case 'uploads':
      return 'blob_upload';
    case 'upload':
      return 'blob_upload_chunk';
    case 'extensions':
    case 'bad-name':
    case 'unknown':
      return 'other';
  }
}

const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/** Counts every request; writes a line for those asked for, and for every one that failed inside. */
export function watchRequests(log: Logger, metrics: Metrics, accessLog: 'all' | 'writes' | 'none'): Watcher {
  const inFlight = metrics.gauge({
    name: 'registry_http_in_flight_requests',
    help: 'Requests that are being answered.',
  });
  const labels = ['handler', 'method', 'code'] as const;
  const requests = metrics.counter({ name: 'registry_http_requests_total', help: 'Requests answered.', labels });
  const seconds = metrics.histogram({
    name: 'registry_http_request_duration_seconds',
    help: 'From the first byte of a request to the last of its answer.',
    labels: ['handler', 'method'],
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300],
  });
  return {
    begun: () => {
      inFlight.inc();
    },
    ended: (exchange, route, startedAt, error) => {
      const { method, response } = exchange;
      const handler = handlerOf(route);
      const tookMs = performance.now() - startedAt;
      const code = String(response.statusCode);
      const known = WRITES.has(method) || method === 'GET' || method === 'HEAD' ? method : 'other';
      inFlight.dec();
      requests.inc({ handler, method: known, code });
      seconds.observe({ handler, method: known }, tookMs / 1_000);
      const isTold =
        accessLog === 'all' || (accessLog === 'writes' && WRITES.has(method)) || response.statusCode >= 500;
      if (!isTold) return;
      log.info(
        {
          requestId: exchange.requestId,
          actor: exchange.actor.name,
          address: exchange.request.socket.remoteAddress,
          method,
          path: exchange.path,
          ...('name' in route ? { repository: route.name } : {}),
          ...(exchange.digest === undefined ? {} : { digest: exchange.digest }),
          status: response.statusCode,
          bytesIn: exchange.declaredLength,
          tookMs: Math.round(tookMs),
          isWhole: response.writableFinished,
          agent: exchange.header('user-agent'),
          ...(error === undefined ? {} : { error: error.code }),
        },
        'request',
      );
    },
  };
}
