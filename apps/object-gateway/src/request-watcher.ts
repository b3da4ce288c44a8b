/** Metrics and the access log. */
import type { Logger, Metrics } from '@brickyard/service-host';
import type { Watcher } from './http/handler';

/** Counts every request; writes a line for those asked for, and for every one that failed inside. */
export function watchRequests(log: Logger, metrics: Metrics, accessLog: 'all' | 'writes' | 'none'): Watcher {
  const inFlight = metrics.gauge({
    name: 'objects_http_in_flight_requests',
    help: 'Requests that are being answered.',
  });
  const requests = metrics.counter({
    name: 'objects_http_requests_total',
    help: 'Requests answered.',
    labels: ['operation', 'code'],
  });
  const seconds = metrics.histogram({
    name: 'objects_http_request_duration_seconds',
    help: 'From the first byte of a request to the last of its answer.',
    labels: ['operation'],
    buckets: [0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300],
  });
  const received = metrics.counter({
    name: 'objects_received_bytes_total',
    help: 'Bytes of bodies that clients sent.',
  });
  return {
    begun: () => {
      inFlight.inc();
    },
    ended: ({ request, response, exchange, operation, tookMs, error }) => {
      const { method = 'GET', url = '/', socket } = request;
      inFlight.dec();
      requests.inc({ operation, code: String(response.statusCode) });
      seconds.observe({ operation }, tookMs / 1_000);
      received.inc(exchange?.declaredLength ?? 0);
      const isWrite = method !== 'GET' && method !== 'HEAD';
      const isTold = accessLog === 'all' || (accessLog === 'writes' && isWrite) || response.statusCode >= 500;
      if (!isTold) return;
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
