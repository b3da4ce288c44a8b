/** The admin mode at the door, after the token and before any route: who may change things now. */
import type { AdminMode } from '@brickyard/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { sendText } from '../../http/answers';

/** Tells the mode, as soon as the state is there; a rejection means that nothing can be changed now. */
export type ModeReader = () => AdminMode | Promise<AdminMode>;

const CLOSED = 'Service disabled for maintenance';
const READING: ReadonlySet<string> = new Set(['GET', 'HEAD']);
/** Taking over what exists makes the API read-only itself, and is what ends that. No host is touched by it. */
const MOVING_IN = /^\/v1\/adoptions(\/confirm)?$/;
/** The machine itself, also as a dual-stack socket writes it. */
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);

/** Keeps the mode; must be called after the door is guarded and before misses are answered. */
export function keepMode(server: FastifyInstance, modeOf: ModeReader): void {
  server.addHook('onRequest', (request, reply, done) => {
    if (READING.has(request.method) || MOVING_IN.test(request.url)) {
      done();
      return;
    }
    const decide = (mode: AdminMode): void => {
      if (isOpen(mode, request)) done();
      else sendText(reply, 503, CLOSED);
    };
    const mode = modeOf();
    if (typeof mode === 'string') decide(mode);
    else mode.then(decide, done); // The reason is told as that of any other request without a state.
  });
}

/** Who stands at the other end of the connection counts, whatever a header says. */
function isOpen(mode: AdminMode, request: FastifyRequest): boolean {
  if (mode === 'normal') return true;
  return mode === 'local-client' && LOOPBACK.has(request.socket.remoteAddress ?? '');
}
