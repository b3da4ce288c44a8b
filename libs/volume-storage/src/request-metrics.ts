/** What is counted of every request, and which are worth a line in the log: the same for all services that serve bytes. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Metrics } from '@brickyard/service-host';

/** Bounds of what requests take, seconds: from a record that is in memory to an image of many gigabytes. */
const SECONDS = [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300];

/** Which requests have a line in the log: all, those that change something, none. One that failed inside always has. */
export type AccessLog = 'all' | 'writes' | 'none';

/** Whether a request has a line in the log. */
export function isTold(accessLog: AccessLog, method: string, { statusCode }: ServerResponse): boolean {
  const isWrite = method !== 'GET' && method !== 'HEAD';
  return accessLog === 'all' || (accessLog === 'writes' && isWrite) || statusCode >= 500;
}

/** A request that has its answer, or never will. */
export interface EndedRequest<Label extends string> {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** What was asked for: few values, whatever clients send. */
  readonly labels: Readonly<Record<Label, string>>;
  readonly tookMs: number;
}

/** Counts requests: each is told twice, when it begins and when its connection is done with it. */
export interface RequestMetrics<Label extends string> {
  readonly begun: () => void;
  readonly ended: (request: EndedRequest<Label>) => void;
}

/**
 * Metrics of the requests of a service under `<prefix>_http_requests_total`, `<prefix>_http_request_duration_seconds`,
 * `<prefix>_http_in_flight_requests`, `<prefix>_received_bytes_total` and `<prefix>_sent_bytes_total`.
 */
export function requestMetrics<Label extends string>(
  metrics: Metrics,
  prefix: string,
  labels: readonly Label[],
): RequestMetrics<Label> {
  const inFlight = metrics.gauge({
    name: `${prefix}_http_in_flight_requests`,
    help: 'Requests that are being answered.',
  });
  const requests = metrics.counter<string>({
    name: `${prefix}_http_requests_total`,
    help: 'Requests answered.',
    labels: [...labels, 'code'],
  });
  const seconds = metrics.histogram<string>({
    name: `${prefix}_http_request_duration_seconds`,
    help: 'From the first byte of a request to the last of its answer.',
    labels,
    buckets: SECONDS,
  });
  const traffic = countTraffic(metrics, prefix);
  return {
    begun: () => {
      inFlight.inc();
    },
    ended: ({ request, response, labels: given, tookMs }) => {
      inFlight.dec();
      requests.inc({ ...given, code: String(response.statusCode) });
      seconds.observe({ ...given }, tookMs / 1_000);
      traffic(request.socket);
    },
  };
}

/** What went over a connection since the last request on it ended: bodies that break off count as far as they came. */
function countTraffic(metrics: Metrics, prefix: string): (socket: Socket) => void {
  const received = metrics.counter({
    name: `${prefix}_received_bytes_total`,
    help: 'Bytes that clients sent, with what HTTP adds; counted when a request ends.',
  });
  const sent = metrics.counter({
    name: `${prefix}_sent_bytes_total`,
    help: 'Bytes that clients got, with what HTTP adds; counted when a request ends.',
  });
  const counted = new WeakMap<Socket, { readonly read: number; readonly written: number }>();
  return (socket) => {
    const before = counted.get(socket) ?? { read: 0, written: 0 };
    const now = { read: socket.bytesRead, written: socket.bytesWritten };
    counted.set(socket, now);
    received.inc(Math.max(0, now.read - before.read));
    sent.inc(Math.max(0, now.written - before.written));
  };
}
