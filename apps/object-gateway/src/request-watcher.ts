/** Metrics and the access log. */
import type { Logger, Metrics } from '@brickyard/service-host';
import { type AccessLog, isTold, requestMetrics } from '@brickyard/volume-storage';
import type { Watcher } from './http/handler';

/** Counts every request; writes a line for those asked for, and for every one that failed inside. */
export function watchRequests(log: Logger, metrics: Metrics, accessLog: AccessLog): Watcher {
  const counted = requestMetrics(metrics, 'objects', ['operation']);
  return {
    begun: counted.begun,
    ended: ({ request, response, exchange, operation, tookMs, error }) => {
      const { method = 'GET', url = '/', socket } = request;
      counted.ended({ request, response, labels: { operation }, tookMs });
      if (!isTold(accessLog, method, response)) return;
      log.info(
        {
          requestId: exchange?.requestId,
          accessKey: exchange?.actor,
          address: socket.remoteAddress,
          operation,
          path: url.split('?')[0],
          status: response.statusCode,
          bytesIn: exchange?.declaredLength,
          tookMs: Math.round(tookMs),
          isWhole: response.writableFinished,
          agent: request.headers['user-agent'],
          ...(error === undefined ? {} : { error: error.code }),
        },
        'request',
      );
    },
  };
}
