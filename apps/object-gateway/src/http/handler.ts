/** From a request to the operation that answers it. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describeError } from '@brickyard/service-host';
import type { Handle } from '@brickyard/volume-storage';
import { admit, type Credentials } from '../auth/credentials';
import { verifySignature } from '../auth/signature';
import type { Gateway } from '../gateway';
import { S3Error, s3ErrorFrom } from '../s3-error';
import { Exchange } from './exchange';
import { routeOf } from './route';
import { errorDocument } from './xml';

/** Told of every request, for metrics and the access log. */
export interface Watcher {
  begun(): void;
  ended(request: Ended): void;
}

export interface Ended {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly exchange: Exchange | undefined;
  /** What was asked for; `unknown` when that never became clear. */
  readonly operation: string;
  readonly tookMs: number;
  readonly error: S3Error | undefined;
}

export interface HandlerOptions {
  readonly gateway: Gateway;
  readonly credentials: Credentials;
  /** Buckets are names below it, too. */
  readonly domain: string | undefined;
  readonly watcher: Watcher;
  /** Why nothing may begin any more; undefined while all is well. */
  readonly whyClosed: () => string | undefined;
}

/** Takes every request. */
export function createHandler(options: HandlerOptions): Handle {
  const { gateway, watcher } = options;
  return (request, response, isContinueExpected = false) => {
    const startedAt = performance.now();
    const requestId = randomBytes(8).toString('hex').toUpperCase();
    const told: { exchange?: Exchange; operation: string; error?: S3Error } = { operation: 'unknown' };
    watcher.begun();
    response.once('close', () => {
      const { exchange, operation, error } = told;
      watcher.ended({ request, response, exchange, operation, error, tookMs: performance.now() - startedAt });
    });
    response.on('error', () => undefined); // The client is gone; 'close' follows.
    request.on('error', () => undefined);
    const answer = async (): Promise<void> => {
      const exchange = new Exchange(request, response, requestId, isContinueExpected, options.domain);
      told.exchange = exchange;
      const why = options.whyClosed();
      if (why !== undefined) {
        throw new S3Error('ServiceUnavailable', why, { headers: { 'retry-after': '2' } });
      }
      exchange.signed = verifySignature(exchange, options.credentials, gateway.now());
      exchange.checkNames();
      if (exchange.bucket !== '') admit(exchange.signed.credential, exchange.method, exchange.bucket);
      const { name, run } = routeOf(exchange);
      told.operation = name;
      await run(gateway, exchange);
    };
    answer().catch((error: unknown) => {
      told.error = s3ErrorFrom(error);
      sendError(told.error, { request, response, requestId }, told.exchange);
      if (told.error.cause === undefined) return;
      const { method = '', url = '' } = request;
      gateway.log.warn(
        { requestId, method, path: url.split('?')[0], reason: describeError(told.error.cause) },
        told.error.message,
      );
    });
  };
}

interface Raw {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
}

function sendError(error: S3Error, { request, response, requestId }: Raw, exchange: Exchange | undefined): void {
  const { code, message, status, headers, fields } = error;
  const body = errorDocument([
    ['Code', code],
    ['Message', message],
    ...Object.entries(fields),
    ['Resource', (request.url ?? '/').split('?')[0]],
    ['RequestId', requestId],
  ]);
  const all = { 'content-type': 'application/xml', ...headers };
  if (exchange !== undefined) exchange.send(status, all, body);
  else response.writeHead(status, { ...all, connection: 'close', 'x-amz-request-id': requestId }).end(body);
}
