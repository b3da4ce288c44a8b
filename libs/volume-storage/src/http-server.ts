/** A server of HTTP for large bodies: no limit on how long a request takes, only on how long nobody says anything. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';

/** Above the idle time of the proxies in front, which would otherwise meet closed connections. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_MS = 30_000;
/** A client that sends nothing for so long is gone. */
const SILENCE_MS = 120_000;

/** Answers a request; `isContinueExpected` when the client waits for word before it sends the body. */
export type Handle = (request: IncomingMessage, response: ServerResponse, isContinueExpected?: boolean) => void;

/** Certificate chain and key, PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Makes the server; it does not listen yet. */
export function createByteServer(tls: TlsFiles | undefined, handle: Handle): Server | SecureServer {
  const timeouts = { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS, requestTimeout: 0 };
  const server =
    tls === undefined
      ? createServer(timeouts)
      : createSecureServer({ ...timeouts, cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response);
  });
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    handle(request, response, true);
  });
  server.timeout = SILENCE_MS;
  server.maxRequestsPerSocket = 0;
  return server;
}
