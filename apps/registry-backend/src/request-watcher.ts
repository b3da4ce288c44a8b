/** Metrics under the names that dashboards of registries know, and the access log. */
import type { Logger, Metrics } from '@brickyard/service-host';
import { type AccessLog, isTold, requestMetrics } from '@brickyard/volume-storage';
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

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** Counts every request; writes a line for those asked for, and for every one that failed inside. */
export function watchRequests(log: Logger, metrics: Metrics, accessLog: AccessLog): Watcher {
  const counted = requestMetrics(metrics, 'registry', ['handler', 'method']);
  return {
    begun: counted.begun,
    ended: (exchange, route, startedAt, error) => {
      const { method, request, response } = exchange;
      const tookMs = performance.now() - startedAt;
      const labels = { handler: handlerOf(route), method: METHODS.has(method) ? method : 'other' };
      counted.ended({ request, response, labels, tookMs });
      if (!isTold(accessLog, method, response)) return;
      log.info(
        {
          requestId: exchange.requestId,
          actor: exchange.actor.name,
          address: request.socket.remoteAddress,
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
