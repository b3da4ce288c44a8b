/** Counts requests by what became of them, and how long they took. */
import type { Metrics } from '@brickyard/service-host';
import type { FastifyInstance } from 'fastify';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Hooks into a server; paths hold ids, so they are no label. */
export function countRequests(server: FastifyInstance, metrics: Metrics): void {
  const requests = metrics.counter({
    name: 'brickyard_http_requests_total',
    help: 'Requests answered, by method and status',
    labels: ['method', 'status'],
  });
  const duration = metrics.histogram({
    name: 'brickyard_http_request_seconds',
    help: 'Time from a request to its answer',
    labels: ['method'],
    buckets: SECONDS,
  });
  server.addHook('onResponse', ({ method }, reply, done) => {
    requests.inc({ method, status: String(reply.statusCode) });
    duration.observe({ method }, reply.elapsedTime / 1_000);
    done();
  });
}
