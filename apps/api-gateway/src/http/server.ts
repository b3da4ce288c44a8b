/** The HTTP server under Nest: raw bodies, heketi's door in front of every path, heketi's answers to what no route takes. */
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Logger, nameRequestSpan } from '@brickyard/service-host';
import { keepMode, type ModeReader } from '../heketi/server/maintenance';
import { type DoorOptions, guardDoor } from '../heketi/token.guard';
import { sendEmpty, sendRedirect, sendText } from './answers';
import { contextOf, correlationOf } from './gateway-request';
import { limitRate } from './rate-limit';
import { type KnownRoute, missesOf } from './routing-misses';

/** How the server is made. */
export interface ServerOptions {
  readonly door: DoorOptions;
  /** Who may change things now. */
  readonly modeOf: ModeReader;
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Requests a second that one address may make; absent: any number. */
  readonly requestsPerSecond?: number | undefined;
  /** Where to log a line for each request; absent: nowhere. */
  readonly requestLog?: Logger | undefined;
}

const BODY_BYTES_MAX = 1024 * 1024;
/** An id of any length is an id; a longer one is no path of ours. */
const ID_LENGTH_MAX = 8_192;
/** Longest time for a request to arrive in full. */
const REQUEST_TIMEOUT_MS = 60_000;

/** An adapter with everything in place but the routes. */
export function httpAdapter(options: ServerOptions): FastifyAdapter {
  const adapter = new FastifyAdapter({
    ...(options.tls === undefined ? {} : { https: options.tls }),
    logger: false,
    exposeHeadRoutes: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    // Who was let in before the door closed is served: only then may a gateway be replaced without a failed request.
    return503OnClosing: false,
    routerOptions: { maxParamLength: ID_LENGTH_MAX },
    // A request target that is no path at all ends here, before any hook.
    frameworkErrors: (_error: Error, _request: FastifyRequest, reply: FastifyReply) => {
      sendText(reply, 400, 'Bad Request');
    },
    skipMiddie: true, // Nobody registers middleware, so no request needs to walk through any.
  });
  const server = adapter.getInstance();
  if (options.requestsPerSecond !== undefined) limitRate(server, options.requestsPerSecond);
  takeAnyBody(server);
  guardDoor(server, options.door);
  keepMode(server, options.modeOf);
  answerMisses(server);
  if (options.requestLog !== undefined) logRequests(server, options.requestLog);
  return adapter;
}

/** The content type of a request is never looked at. */
function takeAnyBody(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.addHook('onRequest', (request, _reply, done) => {
    // Fastify turns away what it cannot read as a content type.
    if (request.headers['content-type'] !== undefined) request.headers['content-type'] = 'application/octet-stream';
    done();
  });
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body);
  });
}

function answerMisses(server: FastifyInstance): void {
  const routes: KnownRoute[] = [];
  let missOf: ReturnType<typeof missesOf> | undefined;
  server.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) routes.push({ method: one, url });
  });
  server.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) {
      nameRequestSpan(request.method, request.routeOptions.url ?? '');
      done();
      return;
    }
    missOf ??= missesOf(routes);
    const miss = missOf(request.method, contextOf(request).path);
    if (miss.kind === 'method-not-allowed') sendEmpty(reply, 405);
    else if (miss.kind === 'not-found') sendText(reply, 404, 'Invalid path or request');
    else sendRedirect(reply, 301, `${miss.path}${queryOf(request.raw.url ?? '')}`, request.method === 'GET');
  });
}

function queryOf(url: string): string {
  const start = url.indexOf('?');
  return start < 0 ? '' : url.slice(start);
}

function logRequests(server: FastifyInstance, log: Logger): void {
  server.addHook('onResponse', (request, reply, done) => {
    const { method, ip } = request;
    const ms = Math.round(reply.elapsedTime);
    const path = request.raw.url?.split('?')[0];
    log.info({ method, path, status: reply.statusCode, ms, ip, correlationId: correlationOf(request) }, 'request');
    done();
  });
}
