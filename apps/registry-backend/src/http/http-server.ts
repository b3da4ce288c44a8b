/** The server: requests of the protocol go straight to their handler, everything else to Nest. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { RegistrySettings } from '../settings';

/** Above the idle time of the proxies in front, which would otherwise meet closed connections. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_MS = 30_000;
/** A client that sends nothing for so long is gone. */
const SILENCE_MS = 120_000;

type Handle = (request: IncomingMessage, response: ServerResponse, isContinueExpected?: boolean) => void;

/** Makes the server; `others` answers what is not below `/v2`. */
export function createHttpServer(
  tls: RegistrySettings['tls'],
  protocol: Handle,
  others: (request: IncomingMessage, response: ServerResponse) => void,
): Server | SecureServer {
  const timeouts = { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS, requestTimeout: 0 };
  const take: Handle = (request, response, isContinueExpected) => {
    const isProtocol = request.url?.startsWith('/v2') === true && /^\/v2(?:[/?]|$)/.test(request.url);
    if (isProtocol) protocol(request, response, isContinueExpected);
    else others(request, response);
  };
  const server =
    tls === undefined
      ? createServer(timeouts)
      : createSecureServer({ ...timeouts, cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    take(request, response);
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    take(request, response, true);
  });
  server.timeout = SILENCE_MS;
  server.maxRequestsPerSocket = 0;
  return server;
}
