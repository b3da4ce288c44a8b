/** The door: every request but those of probes, of Prometheus and for the console's files shows its token before anything else is looked at, even the path. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isBrowserAtDoor, isForConsole } from '../console/serve-console';
import { sendText } from '../http/answers';
import { pathOf, setContext } from '../http/gateway-request';
import { checkToken, type TokenKeys } from './token';

/** How the door is kept. */
export interface DoorOptions {
  /** Absent: everybody is let in as an administrator. */
  readonly keys: TokenKeys | undefined;
  readonly issuedAtLeewaySeconds: number;
}

/** Keeps the door of a server; must be called before its routes are registered. */
export function guardDoor(server: FastifyInstance, options: DoorOptions): void {
  server.addHook('onRequest', (request, reply, done) => {
    if (admit(request, reply, options)) done();
  });
}

/** What probes, Prometheus and browsers ask without a token. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/hello', '/metrics', '/docs', '/openapi.json']);

function admit(request: FastifyRequest, reply: FastifyReply, { keys, issuedAtLeewaySeconds }: DoorOptions): boolean {
  const { method } = request;
  const path = pathOf(request.raw.url ?? '/');
  if (path === undefined) {
    sendText(reply, 400, 'Bad Request');
    return false;
  }
  if (isBrowserAtDoor(request, path)) {
    void reply.code(302).header('location', '/console/').send();
    return false;
  }
  const address = request.ip;
  const isOpen = (method === 'GET' && OPEN_PATHS.has(path)) || isForConsole(method, path);
  if (keys === undefined || isOpen) {
    setContext(request, { path, actor: { name: 'anonymous', role: keys === undefined ? 'admin' : 'none', address } });
    return true;
  }
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const head = { authorization: request.headers.authorization, method, path };
  const verdict = checkToken(head, keys, { nowSeconds, issuedAtLeewaySeconds });
  if (!verdict.ok) {
    sendText(reply, verdict.status, verdict.text);
    return false;
  }
  setContext(request, { path, actor: { name: verdict.role, role: verdict.role, address } });
  return true;
}
