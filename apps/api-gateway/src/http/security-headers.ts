/** Headers that tell browsers to do nothing with an answer but show it. Whoever sets one itself knows better. */
import type { FastifyInstance } from 'fastify';

const ALWAYS = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer', 'x-frame-options': 'DENY' };
/** An answer that is no page has nothing to load. */
const NO_PAGE = { 'content-security-policy': "default-src 'none'; frame-ancestors 'none'" };
const TLS = { 'strict-transport-security': 'max-age=31536000' };

/** Adds them to every answer, errors included. */
export function secureHeaders(server: FastifyInstance, isTls: boolean): void {
  server.addHook('onSend', (_request, reply, payload, done) => {
    const isPage = String(reply.getHeader('content-type') ?? '').startsWith('text/html');
    const wanted = { ...ALWAYS, ...(isPage ? {} : NO_PAGE), ...(isTls ? TLS : {}) };
    for (const [name, value] of Object.entries(wanted)) if (!reply.hasHeader(name)) void reply.header(name, value);
    done(null, payload);
  });
}
