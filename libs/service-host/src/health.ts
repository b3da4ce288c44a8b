import { createServer, type ServerResponse } from 'node:http';
import { describeError } from './errors';
import type { Metrics } from './metrics';

const READY_TIMEOUT_MS = 2_000;

/** One thing a service needs, and whether it has it. */
export interface Check {
  readonly ok: boolean;
  readonly detail?: string;
}

/** Where the probes of an orchestrator and of Prometheus knock. */
export interface HealthServerOptions {
  /** TCP port; 0 means a free one. */
  readonly port: number;
  /** All addresses when absent. */
  readonly host?: string;
  /** What the service needs to do its work, by name; asked at every probe. */
  readonly ready: () => Promise<Record<string, Check>>;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
}

/** A running health server. */
export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves `/health/live`, `/health/ready` (200 or 503, with every check) and `/metrics`. */
export function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    void answer(request.url ?? '/', options, response);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: options.port, ...(options.host === undefined ? {} : { host: options.host }) }, () => {
      const address = server.address();
      resolve({
        port: address !== null && typeof address === 'object' ? address.port : options.port,
        close: () =>
          new Promise((closed) => {
            server.close(() => {
              closed();
            });
            server.closeAllConnections();
          }),
      });
    });
  });
}

/** All checks with the verdict: ready only when every one is fine. A check that fails or hangs is a check that is not fine. */
export async function readiness(
  ready: HealthServerOptions['ready'],
): Promise<{ readonly status: 'ready' | 'not ready'; readonly checks: Record<string, Check> }> {
  const checks = await withinTime(ready).catch((error: unknown) => ({
    checks: { ok: false, detail: describeError(error) },
  }));
  return { status: Object.values(checks).every(({ ok }) => ok) ? 'ready' : 'not ready', checks };
}

async function answer(url: string, { ready, metrics }: HealthServerOptions, response: ServerResponse): Promise<void> {
  const [path] = url.split('?');
  if (path === '/health/live') send(response, 200, 'application/json', '{"status":"alive"}\n');
  else if (path === '/health/ready') {
    const verdict = await readiness(ready);
    send(response, verdict.status === 'ready' ? 200 : 503, 'application/json', `${JSON.stringify(verdict)}\n`);
  } else if (path === '/metrics') {
    try {
      send(response, 200, metrics.contentType, await metrics.text());
    } catch (error) {
      send(response, 500, 'text/plain', `${describeError(error)}\n`);
    }
  } else send(response, 404, 'text/plain', 'not found\n');
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(body);
}

async function withinTime<T>(work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${String(READY_TIMEOUT_MS)} ms`));
    }, READY_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
