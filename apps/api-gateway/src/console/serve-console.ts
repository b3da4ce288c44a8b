/** Serves the console: static files without a token, since what they show is asked for with one. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendText } from '../http/answers';
import { type ConsoleFile, type ConsoleFiles, inlineScriptHash } from './console-files';

const PAGE = 'index.html';

/** Whether a request is for the console: nobody has to show a token for it. */
export const isForConsole = (method: string, path: string): boolean =>
  method === 'GET' && (path === '/console' || path.startsWith('/console/'));

/** Whether a browser without a token opened the server itself: it is shown to the console. Clients of the API never are. */
export function isBrowserAtDoor(request: FastifyRequest, path: string): boolean {
  const { accept = '', authorization } = request.headers;
  return request.method === 'GET' && path === '/' && authorization === undefined && accept.includes('text/html');
}

/** Registers the console's routes. */
export function serveConsole(server: FastifyInstance, files: ConsoleFiles): void {
  const page = files.get(PAGE);
  const policy = page === undefined ? '' : policyFor(page);
  const send = (reply: FastifyReply, request: FastifyRequest, name: string): void => {
    const file = files.get(name);
    if (file === undefined) sendText(reply, 404, 'there is no such file of the console');
    else sendFile(reply, request, file, policy);
  };
  server.get('/console', (_request, reply) => void reply.code(302).header('location', '/console/').send());
  server.get('/console/', (request, reply) => {
    send(reply, request, PAGE);
  });
  server.get('/console/:file', (request, reply) => {
    send(reply, request, (request.params as { readonly file: string }).file);
  });
  server.get('/console/vendor/:file', (request, reply) => {
    send(reply, request, `vendor/${(request.params as { readonly file: string }).file}`);
  });
}

/** Nothing from anywhere else, nothing inline but the import map, no frames around it. */
const policyFor = ({ body }: ConsoleFile): string =>
  [
    "default-src 'none'",
    `script-src 'self' ${inlineScriptHash(body)}`,
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ');

function sendFile(reply: FastifyReply, request: FastifyRequest, file: ConsoleFile, policy: string): void {
  const { type, body, zipped, etag } = file;
  void reply.headers({
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-cache',
    vary: 'accept-encoding',
    etag,
  });
  if (request.headers['if-none-match'] === etag) {
    void reply.code(304).send();
    return;
  }
  const takesGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  if (takesGzip) void reply.header('content-encoding', 'gzip');
  void reply
    .code(200)
    .type(type)
    .send(takesGzip ? zipped : body);
}
